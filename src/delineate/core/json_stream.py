"""Read a JSON object whose lists are too long to be held as Python objects all at once.

The text is mapped, not loaded, and its lists are parsed piece by piece; what becomes of each piece
is the caller's business. A piece ends between two objects of its list. Whether a place in the text
is such an end is not found by counting brackets: the piece is parsed, and if its brackets and
quotes are not balanced, that fails. Whatever this way does not suit, broken files above all, is
read by `delineate.core.json_file`, which finds the words for it.
"""

import contextlib
import gc
import itertools
import mmap
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from pydantic_core import from_json

from delineate.core.json_file import read_json

Step = Callable[[list[Any]], list[Any]]
"""Takes a piece of a list, and returns what is kept of it."""

_PIECE = 1 << 18  # bytes parsed at once: what becomes of them stays in the processor's cache
_LONGEST = 1 << 26  # of one element of a list, or of a value that is no list
_TRIES = 20  # ends of a piece that are tried
_WHOLE_TRIES = 1000  # ends of a value that is no list of objects
_SPENT = 4 * _LONGEST  # bytes parsed to find such ends, in the whole file
_KEY = re.compile(rb'\s*"((?:[^"\\]|\\.)*)"\s*:\s*')
_BETWEEN = re.compile(rb"\s*([,}])")
_EMPTY = re.compile(rb"\[\s*\]")
_LAST = re.compile(rb"\}\s*\]")
_NEXT = re.compile(rb"\}\s*,\s*\{")
_START = re.compile(rb"(?:\xef\xbb\xbf)?\s*\{")


class _Unsuited(Exception):
    """The text is not laid out as expected."""


class _Budget:
    """How many bytes of a file may yet be parsed to find where values end."""

    def __init__(self, left: int) -> None:
        self._left = left

    def spend(self, count: int) -> None:
        self._left -= count
        if self._left < 0:
            raise _Unsuited


def read_lists(path: Path, steps: Mapping[str, Step]) -> Any:  # noqa: ANN401 - whatever it holds
    """Return the content of a JSON file, some lists of which are changed as they are read.

    Args:
        path: The file.
        steps: Key of the outermost object -> what becomes of the pieces of its list. Lists under
            other keys, and files that hold no object, are returned as they are.

    Raises:
        DataError: See `delineate.core.json_file.read_json`.
    """
    try:
        with (
            path.open("rb") as file,
            mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as text,
            collector_held_back(),
        ):
            return _object(text, steps)
    except (OSError, ValueError, _Unsuited):
        content = read_json(path)
    if isinstance(content, dict):
        for key, step in steps.items():
            if isinstance(content.get(key), list):
                content[key] = step(content[key])
    return content


@contextlib.contextmanager
def collector_held_back() -> Iterator[None]:
    """Hold the collector of cycles back: JSON has none, and looking for them doubles the time.

    Of use to whoever makes a million of objects at once; as a context, or a function's decorator.
    """
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()


def _object(text: mmap.mmap, steps: Mapping[str, Step]) -> dict[str, Any]:
    start = _START.match(text)
    if start is None:
        raise _Unsuited
    content: dict[str, Any] = {}
    budget = _Budget(_SPENT)
    at = start.end()
    while True:
        key = _KEY.match(text, at)
        if key is None:
            raise _Unsuited
        name = from_json(b'"' + key[1] + b'"')
        content[name], at = _value(text, key.end(), steps.get(name), budget)
        between = _BETWEEN.match(text, at)
        if between is None:
            raise _Unsuited
        at = between.end()
        if between[1] == b"}":
            if text[at:].strip():
                raise _Unsuited
            return content


def _value(text: mmap.mmap, at: int, step: Step | None, budget: _Budget) -> tuple[Any, int]:
    """Return the value that begins at a place, and the place where it ends."""
    if text[at : at + 1] == b"[" and not _EMPTY.match(text, at):
        kept: list[Any] = []
        try:
            for piece, at_last in _pieces(text, at + 1):
                kept += piece if step is None else step(piece)
                end = at_last
            return kept, end
        except _Unsuited:
            if kept:
                raise
    value, end = _whole(text, at, budget)
    return (step(value) if step is not None and isinstance(value, list) else value), end


def _pieces(text: mmap.mmap, at: int) -> Iterator[tuple[list[Any], int]]:
    """Yield the elements of a list of objects, many at a time, and where the last of them ends."""
    size = _PIECE
    while True:
        window = text[at : at + size]
        ends = [match.end() for match in _LAST.finditer(window)]
        if (last := _end(window, ends[:1])) is not None:
            yield last[0], at + last[1]
            return
        if (cut := _cut(window)) is not None:
            yield cut[0], at + cut[1]
            at, size = at + cut[1] + 1, _PIECE
        elif (last := _end(window, ends[:-_TRIES:-1])) is not None:
            yield last[0], at + last[1]
            return
        elif at + size >= len(text) or size > _LONGEST:
            raise _Unsuited
        else:
            size *= 2


def _end(window: bytes, ends: Sequence[int]) -> tuple[list[Any], int] | None:
    """Parse up to places of a window that may be the end of the list."""
    for end in ends:
        piece = _parsed(b"[" + window[:end])
        if piece is not None:
            return piece, end
    return None


def _cut(window: bytes) -> tuple[list[Any], int] | None:
    """Parse up to one of the last places of a window that may lie between two elements."""
    end = len(window)
    for _ in range(_TRIES):
        opening = window.rfind(b"{", 1, end)
        if opening < 0:
            return None
        comma = window.rfind(b",", 0, opening)
        closing = window.rfind(b"}", 0, max(comma, 0))
        if closing >= 0 and _NEXT.fullmatch(window, closing, opening + 1):
            piece = _parsed(b"[" + window[: closing + 1] + b"]")
            if piece is not None:
                return piece, comma
        end = opening
    return None


def _whole(text: mmap.mmap, at: int, budget: _Budget) -> tuple[Any, int]:
    """Return a value that is no long list, and where it ends."""
    ends = re.finditer(rb"[,}\]]", text[at : at + _LONGEST])
    for end in itertools.islice(ends, _WHOLE_TRIES):
        stop = at + end.start() + (end[0] != b"," and text[at : at + 1] in b"[{")
        budget.spend(stop - at)
        value = _parsed(b"[" + text[at:stop] + b"]") if stop > at else None
        if value is not None and len(value) == 1:
            return value[0], stop
    raise _Unsuited


def _parsed(text: bytes) -> list[Any] | None:
    try:
        value = from_json(text)
    except ValueError:
        return None
    return value if isinstance(value, list) else None
