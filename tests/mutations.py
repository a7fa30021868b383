"""Spoil samples of a format at random: whatever comes of it, readers answer in one sentence.

for rng in generators(300):
    spoilt = mutated(json.loads(SAMPLE), rng)       # or mutated_xml(SAMPLE, rng)
    survives(lambda: read(...))
"""

import copy
import re
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from delineate.data.sample import Dataset
from delineate.errors import DataError

HOSTILE = (
    *(None, True, False, 0, -1, 3, 0.5, -7.25, 10**400, 2**63, 1e308, float("nan"), float("inf")),
    *("", " ", "0", "nan", "x" * 3000, "../../x", "/etc/passwd", "a\0b", "\ud800", "[1, 2", "ü"),
    *([], {}, [[]], [None], [1, 2], [[1, 2], [3, 4]], {"a": 1}, {"size": [2, 2], "counts": "x"}),
)


_WORDS = (*(b"", b"\0", b"\xff\xfe", b"nan", b"1e999", b"-1"), *(b"\n", b" ", b",", b'"', b".."))


def generators(count: int) -> Iterator[np.random.Generator]:
    """Yield generators, the same ones every time."""
    for seed in range(count):
        yield np.random.default_rng([seed, 7])


def survives(read: Callable[[], Dataset]) -> bool:
    """Read what may be spoilt, to the last mask; return whether a data set came of it."""
    try:
        dataset = read()
        for index in range(len(dataset)):
            dataset.instances(index)
            dataset.areas(index)
    except DataError as error:
        sentence, problems = str(error), ()
    else:
        sentence, problems = "", dataset.problems
    assert sentence.strip().endswith((".", "?")) or not sentence, sentence
    assert "\n" not in sentence
    assert all(problem.why and problem.fix for problem in problems)
    return not sentence


def mutated(content: Any, rng: np.random.Generator) -> Any:
    """Change one to three places of a JSON value."""
    content = copy.deepcopy(content)
    for _ in range(rng.integers(1, 4)):
        holders = [node for node in _nodes(content) if isinstance(node, dict | list) and node]
        if not holders:
            break
        holder = holders[rng.integers(len(holders))]
        keys = list(holder) if isinstance(holder, dict) else range(len(holder))
        key = keys[rng.integers(len(keys))]
        match rng.integers(4):
            case 0:
                del holder[key]
            case 1 if isinstance(holder, list):
                holder.append(copy.deepcopy(holder[key]))
            case _:
                holder[key] = copy.deepcopy(HOSTILE[rng.integers(len(HOSTILE))])
    return content


def mutated_xml(text: str, rng: np.random.Generator) -> bytes:
    """Change values, remove or double elements, or break the text of an XML file."""
    for _ in range(rng.integers(1, 4)):
        words = [word for word in map(str, HOSTILE) if not re.search("[\0\ud800<&\"']", word)]
        word = words[rng.integers(len(words))]
        match rng.integers(6):
            case 0 | 1:
                text = _replaced(text, r'(?<=")[^"<>]*(?=")', word, rng)
            case 2:
                text = _replaced(text, r"(?<=>)[^<>]+(?=<)", word, rng)
            case 3:
                text = _replaced(text, r' [\w:]+="[^"<>]*"', "", rng)
            case 4:
                found = _one(text, r"<(\w+)\b[^<>]*>[^<>]*</\1>|<\w+\b[^<>]*/>", rng)
                if found:
                    double = found.group() * int(rng.integers(0, 3))
                    text = text[: found.start()] + double + text[found.end() :]
            case _:
                at = int(rng.integers(len(text) + 1))
                text = text[:at] + ("" if rng.integers(2) else word + text[at:])
    return text.encode("utf-8", "replace")


def mutated_bytes(content: bytes, rng: np.random.Generator) -> bytes:
    """Cut out, double or replace one to three stretches of a file."""
    for _ in range(rng.integers(1, 4)):
        start = int(rng.integers(0, len(content) + 1))
        end = start + int(rng.integers(0, 9))
        put = [_WORDS[rng.integers(len(_WORDS))], content[start:end] * 2][int(rng.integers(2))]
        content = content[:start] + put + content[end:]
    return content


def _nodes(value: Any) -> Iterator[Any]:
    yield value
    below = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    for child in below:
        yield from _nodes(child)


def _one(text: str, pattern: str, rng: np.random.Generator) -> re.Match[str] | None:
    found = list(re.finditer(pattern, text))
    return found[rng.integers(len(found))] if found else None


def _replaced(text: str, pattern: str, word: str, rng: np.random.Generator) -> str:
    found = _one(text, pattern, rng)
    return text if found is None else text[: found.start()] + word + text[found.end() :]
