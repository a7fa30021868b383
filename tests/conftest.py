"""Fixtures shared by all tests: where the shared real data lie, and no network."""

from pathlib import Path

import pytest

SHARED = Path(__file__).resolve().parents[2] / "shared"


def _shared(name: str) -> Path:
    folder = SHARED / name
    if not folder.is_dir():
        pytest.skip(f"needs the project's shared folder {name}/ beside the checkout")
    return folder


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of real images with instance masks."""
    return _shared("data")


@pytest.fixture(scope="session")
def goldens() -> Path:
    """The folder of recorded outputs of the original implementations."""
    return _shared("goldens")
