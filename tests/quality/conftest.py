"""The set in which nothing is found, and a copy of it to plant faults in."""

import pytest
from faults import Data, clean_set, linked_copy


@pytest.fixture(scope="session")
def clean(tmp_path_factory):
    return clean_set(tmp_path_factory.mktemp("clean"))


@pytest.fixture
def data(clean, tmp_path):
    return Data(linked_copy(clean, tmp_path / "data"))
