"""Spoil sound files at random, to see that readers say what is wrong and never fall over.

for content in spoilt_json(content, 300):
    path.write_text(json.dumps(content))
    opens_or_says_why(lambda: read_x(path))
"""

import copy
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from delineate.data.sample import Dataset
from delineate.errors import DataError

HOSTILE: list[Any] = [
    *(None, True, 0, -1, 1, 2, 3, 7, 10**30, 1e308, -1e308, 0.5, float("nan"), float("inf")),
    *("", " ", "x", "0", "..", "../../x", "/etc/passwd", "\0", "\ud800", "a\nb", "%", "x" * 5000),
    *([], [[]], [None], [1, 2, 3], [1e9] * 6, [[1, 1], [2, 2]], {}, {"x": {}}, {"": [{}]}),
]
WORDS = [
    b"",
    b"\0",
    b"\xff\xfe",
    b"nan",
    b"1e999",
    b"-1",
    b"\n",
    b" ",
    b",",
    b'"',
    b"\r",
    b"..",
    b"0",
]


def spoilt_json(content: Any, times: int, seed: int = 0) -> Iterator[Any]:
    """Yield copies of a JSON value with one to three places in it spoilt."""
    rng = np.random.default_rng(seed)
    for _ in range(times):
        spoilt = copy.deepcopy(content)
        for _ in range(int(rng.integers(1, 4))):
            places = list(_places(spoilt))
            if places:
                _spoil(*places[rng.integers(len(places))], rng)
        yield spoilt


def spoilt_bytes(content: bytes, times: int, seed: int = 0) -> Iterator[bytes]:
    """Yield copies of a file with one to three stretches cut out, doubled or replaced."""
    rng = np.random.default_rng(seed)
    for _ in range(times):
        spoilt = content
        for _ in range(int(rng.integers(1, 4))):
            start = int(rng.integers(0, len(spoilt) + 1))
            end = start + int(rng.integers(0, 9))
            put = [WORDS[rng.integers(len(WORDS))], spoilt[start:end] * 2][int(rng.integers(2))]
            spoilt = spoilt[:start] + put + spoilt[end:]
        yield spoilt


def opens_or_says_why(open_: Callable[[], Dataset]) -> None:
    """Open a data set and read all its objects; only a sentence of `DataError` may come instead."""
    said: list[object] = []
    try:
        dataset = open_()
        said += dataset.problems
        for i in range(len(dataset)):
            dataset.instances(i)
    except DataError as error:
        said.append(error)
    for sentence in map(str, said):
        assert "\n" not in sentence
        assert len(sentence) < 3000


def spoil_file(path: Path, times: int, seed: int = 0) -> Iterator[None]:
    """Let a file hold spoilt content in turn, and its own in the end."""
    sound = path.read_bytes()
    for content in spoilt_bytes(sound, times, seed):
        path.write_bytes(content)
        yield
    path.write_bytes(sound)
    os.utime(path)


def _places(value: Any) -> Iterator[tuple[Any, Any]]:
    if isinstance(value, dict | list):
        for key in value if isinstance(value, dict) else range(len(value)):
            yield value, key
            yield from _places(value[key])


def _spoil(container: Any, key: Any, rng: np.random.Generator) -> None:
    match int(rng.integers(4)):
        case 0:
            del container[key]
        case 1 if isinstance(container, dict):
            container[HOSTILE[rng.integers(len(HOSTILE))].__str__()] = container.pop(key)
        case _:
            container[key] = copy.deepcopy(HOSTILE[rng.integers(len(HOSTILE))])
