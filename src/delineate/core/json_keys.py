"""Tell what a JSON file is about without reading it: which keys occur in it."""

import mmap
from pathlib import Path

_SPACE = b" \t\r\n"


def has_keys(path: Path, *keys: str) -> bool:
    """Tell whether all keys occur in a JSON file, at any depth.

    The file is searched, not parsed: a gigabyte takes about a second. False for what cannot be
    read.

    Args:
        path: The file.
        keys: Names of ASCII letters, as an object's keys.
    """
    try:
        with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as text:
            return all(_has_key(text, f'"{key}"'.encode()) for key in keys)
    except (OSError, ValueError):  # who reads it says so; an empty file cannot be mapped
        return False


def first_mark(path: Path) -> str:
    """Return the first character of a file that is no space: ``{`` or ``[`` for JSON, else any.

    Empty for an empty file and for what cannot be read.
    """
    try:
        with path.open("rb") as file:
            return file.read(1024).lstrip(b"\xef\xbb\xbf").lstrip(_SPACE)[:1].decode("latin-1")
    except (OSError, ValueError):
        return ""


def _has_key(text: mmap.mmap, key: bytes) -> bool:
    at = text.find(key)
    while at >= 0:
        end = at + len(key)
        if text[end : end + 64].lstrip(_SPACE)[:1] == b":":
            return True
        at = text.find(key, end)
    return False
