"""Call the command line in this process, and see what it says and leaves behind."""

import contextlib
import resource
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from delineate.cli import main

SMALL = [
    *("--set", "budget.steps=1"),
    *("--set", "augment.crop=64"),
    *("--set", "data.workers=0"),
    *("--set", "model.slim_widths=[16,16,16,16,16]"),
    *("--set", "model.fpn_channels=16"),
    *("--set", "model.rpn_post_nms_train=32"),
]
"""Settings of a training that takes a second."""


def call(arguments: list[object], monkeypatch: pytest.MonkeyPatch) -> int:
    """Run the command line in this process and return its exit code."""
    monkeypatch.setattr(sys, "argv", ["delineate", *map(str, arguments)])
    with pytest.raises(SystemExit) as stop:
        main()
    return int(stop.value.code or 0)


def refused(
    arguments: list[object],
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> str:
    """Run what must be refused; return the one sentence."""
    code = call(arguments, monkeypatch)
    out, err = capfd.readouterr()
    lines = [line for line in err.splitlines() if line.startswith("delineate: ")]
    assert code == 2, err
    assert len(lines) == 1, err
    assert "Traceback" not in err
    assert out == ""
    return lines[0]


def files_in(folder: Path) -> list[str]:
    return sorted(str(p.relative_to(folder)) for p in folder.rglob("*") if p.is_file())


@contextlib.contextmanager
def full_disk(size: int = 4096) -> Iterator[None]:
    """Limit the size of files: a larger one fails part of the way, as on a disk that is full."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
