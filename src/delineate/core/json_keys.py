"""Tell what a JSON file is about without parsing it: which keys occur in it."""

import re
from collections.abc import Iterator
from pathlib import Path

_SPACE = b" \t\r\n"
_PIECE = 1 << 22
_OVERLAP = 256  # a key, and the space between it and its colon


def has_keys(path: Path, *keys: str) -> bool:
    """Tell whether all keys occur in a JSON file, at any depth.

    The file is searched, not parsed: a gigabyte takes about a second. False for what cannot be
    read.

    Args:
        path: The file.
        keys: Names of ASCII letters, as an object's keys.
    """
    wanted = {key: re.compile(b'"%s"[ \t\r\n]*:' % key.encode()) for key in keys}
    try:
        for piece in _overlapping(path):
            found = [k for k, mark in wanted.items() if k.encode() in piece and mark.search(piece)]
            for key in found:
                del wanted[key]
            if not wanted:
                return True
    except (OSError, ValueError):  # who reads it says so
        return False
    return not wanted


def first_mark(path: Path) -> str:
    """Return the first character of a file that is no space: ``{`` or ``[`` for JSON, else any.

    Empty for an empty file and for what cannot be read.
    """
    try:
        with path.open("rb") as file:
            return file.read(1024).lstrip(b"\xef\xbb\xbf").lstrip(_SPACE)[:1].decode("latin-1")
    except (OSError, ValueError):
        return ""


def _overlapping(path: Path) -> Iterator[bytes]:
    tail = b""
    with path.open("rb") as file:
        while piece := file.read(_PIECE):
            yield tail + piece
            tail = piece[-_OVERLAP:]
