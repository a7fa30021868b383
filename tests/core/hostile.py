"""Masks no honest tool writes, run where a crash, a hang or a full memory hurts nobody.

`python hostile.py` decodes every case under a limit of memory and prints one JSON line for each; a
case that kills the process shows as a missing line. The comments say what pycocotools 2.0.11 did.
"""

import json
import resource
import sys
import time
from collections.abc import Callable
from typing import Any

import numpy as np

from delineate.core import rle
from delineate.core.polygons import MAX_POINTS
from delineate.errors import DataError

SIZE = (10, 10)
NAN, INF = float("nan"), float("inf")
TRIANGLE = [1, 1, 8, 1, 8, 8]


def counts(value: Any, size: Any = SIZE) -> dict[str, Any]:
    return {"size": size if size is not SIZE else list(size), "counts": value}


def nested(depth: int) -> list[Any]:
    value: list[Any] = []
    for _ in range(depth):
        value = [value]
    return value


# Lambdas: what is large is made one at a time.
CASES: dict[str, Callable[[], Any]] = {
    # sizes
    "size of 10^5 x 10^5": lambda: counts([10**10], [10**5, 10**5]),  # killed the process
    "size of 10^9 x 10^9": lambda: counts([10**18], [10**9, 10**9]),  # killed the process
    "size of another image": lambda: counts([100], [20, 5]),
    "size swapped": lambda: counts([200], [20, 10]),
    "size of zero": lambda: counts([], [0, 10]),
    "size negative": lambda: counts([100], [-10, -10]),
    "size boolean": lambda: counts([1], [True, True]),
    "size as floats": lambda: counts([100], [10.0, 10.0]),
    "size as text": lambda: counts([100], "10"),
    "size missing": lambda: {"counts": [100]},
    "size none": lambda: counts([100], None),
    # lists of counts
    "counts too short": lambda: counts([5, 10]),  # returned what lay in memory
    "counts too long": lambda: counts([5, 10, 500]),  # iou never came back
    "counts too many": lambda: counts([1] * 500),
    "counts beyond the cap": lambda: counts([0] * (rle.MAX_RUNS + 1) + [100]),
    "counts negative": lambda: counts([50, -10, 60]),
    "counts that sum by overflow": lambda: counts([2**63 - 1, 2**63 - 1, 102]),
    "counts huge": lambda: counts([10**400]),
    "counts of 2^32 + 100": lambda: counts([2**32 + 100]),
    "counts boolean": lambda: counts([99, True]),
    "counts as floats": lambda: counts([100.0]),
    "counts not a number": lambda: counts([NAN]),
    "counts infinite": lambda: counts([INF]),
    "counts as texts": lambda: counts(["100"]),
    "counts nested": lambda: counts([[100]]),
    "counts empty": lambda: counts([]),
    "counts missing": lambda: {"size": [10, 10]},
    "counts none": lambda: counts(None),
    "counts a number": lambda: counts(100),
    "counts a dictionary": lambda: counts({"0": 100}),
    "counts a matrix": lambda: counts(np.full((10, 10), 1)),
    "counts an array without axes": lambda: counts(np.array(100)),
    "counts unsigned beyond int64": lambda: counts(np.array([2**64 - 1, 101], dtype=np.uint64)),
    # strings
    "string empty": lambda: counts(""),
    "string too short": lambda: counts("5:"),
    "string cut off": lambda: counts("5:e"),
    "string of one long number": lambda: counts("o" * 1000 + "0"),
    "string of 36 bits": lambda: counts("ooooooo0"),
    "string with a blank": lambda: counts("5: e2"),
    "string with a zero byte": lambda: counts(b"5:\x00e2"),
    "string with a p": lambda: counts("5:pe2"),
    "string with an umlaut": lambda: counts("5:äe2"),
    "string with a surrogate": lambda: counts("5:\ud800e2"),
    "string of negative counts": lambda: counts("OOOO"),
    "string of 10^8 characters": lambda: counts("0" * 10**8),
    "string of 10^8 continuations": lambda: counts(b"o" * 10**8),
    "string of growing differences": lambda: counts("oooooo?" * rle.MAX_RUNS),
    # polygons
    "polygon at 10^9": lambda: [[0, 0, 1e9, 0, 1e9, 1e9]],  # killed the process
    "polygon at -10^9": lambda: [[-1e9, -1e9, 5, 0, 5, 5]],
    "polygon at 10^308": lambda: [[1e308, 0, -1e308, 0, 5, 5]],
    "polygon at 10^400": lambda: [[10**400, 0, 5, 0, 5, 5]],
    "polygon not a number": lambda: [[NAN, 0, 5, 0, 5, 5]],  # killed the process
    "polygon infinite": lambda: [[INF, 0, 5, 0, 5, 5]],  # killed the process
    "polygon of two points": lambda: [[0, 0, 5, 5]],
    "polygon of five numbers": lambda: [[0, 0, 5, 5, 5]],
    "polygon of seven numbers": lambda: [[*TRIANGLE, 5]],
    "polygon empty": lambda: [[]],
    "polygon of points": lambda: [[[0, 0], [5, 0], [5, 5]]],
    "polygon of booleans": lambda: [[True, False, True, True, False, True]],
    "polygon of texts": lambda: [["0", "0", "5", "0", "5", "5"]],
    "polygon of nothing": lambda: [[None] * 6],
    "polygon as text": lambda: ["0,0,5,0,5,5"],
    "polygon of complex numbers": lambda: [np.ones(6, dtype=complex)],
    "polygon of too many points": lambda: [[1.0, 2.0] * (MAX_POINTS + 1)],
    "polygons of too many points": lambda: [TRIANGLE] * MAX_POINTS,
    "polygon that zigzags": lambda: [[0, 0, 9e5, 9e5] * 1000],  # 900 million points on its outline
    "polygons without points": lambda: [[]] * 10**6,
    "polygon beside a number": lambda: [TRIANGLE, 5],
    "number beside a polygon": lambda: [5, TRIANGLE],
    "polygon beside an RLE": lambda: [TRIANGLE, counts([100])],
    "polygon nested 10^5 deep": lambda: nested(10**5),
    # others
    "nothing": lambda: None,
    "empty list": lambda: [],
    "empty dictionary": lambda: {},
    "a number": lambda: 5,
    "a text": lambda: "5:e2",
    "bytes": lambda: b"5:e2",
    "a set": lambda: {1, 2, 3, 4, 5, 6},
    "an array without axes": lambda: np.array(5),
}


def main() -> None:
    limit = 3 << 30
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
    for name, make in CASES.items():
        case = make()
        start = time.process_time()
        try:
            came = f"runs {rle.from_segmentation(case, SIZE).tolist()[:10]}"
        except DataError as error:
            came = f"DataError: {error}"
        except Exception as error:
            came = f"{type(error).__name__}: {error}"
        seconds = time.process_time() - start
        sys.stdout.write(json.dumps([name, came, seconds]) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
