"""Work on many files, in this thread or in several."""

import os
import threading

import pytest

from delineate.data import pictures
from delineate.data.pictures import FORBIDDEN, Broken, in_threads, lies_at


@pytest.mark.parametrize("count", [0, 1, 63, 64, 65, 300])
@pytest.mark.parametrize("quick", [0.0, 1e9])
def test_every_item_once_and_in_order(monkeypatch, quick, count):
    monkeypatch.setattr(pictures, "_QUICK", quick)
    used = set()

    def squared(number):
        used.add(threading.get_ident())
        return number**2

    assert in_threads(squared, iter(range(count))) == [n**2 for n in range(count)]
    others = used - {threading.get_ident()}
    assert bool(others) == (quick == 0 and count > 64)


def test_what_goes_wrong_is_raised(monkeypatch):
    monkeypatch.setattr(pictures, "_QUICK", 0.0)
    with pytest.raises(ZeroDivisionError):
        in_threads(lambda n: 1 // (n - 200), range(300))


def test_a_folder_that_this_user_may_not_look_into_is_no_missing_picture(tmp_path, monkeypatch):
    monkeypatch.setattr(os, "access", lambda *_: False)
    with pytest.raises(Broken, match="this user may not look into") as raised:
        lies_at([tmp_path / "a.png"])
    assert raised.value.kind == FORBIDDEN
