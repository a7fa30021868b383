"""`delineate data kinds`: the kinds of findings, and what a repair does about each."""

from collections.abc import Mapping, Sequence
from typing import Any

from delineate.quality.kinds import TOLD
from delineate.quality.repair import FIXES

_LETTERS = {"mends": "m ", "leaves out": "l ", "mends or leaves out": "ml", None: "  "}


def kind_rows() -> list[dict[str, Any]]:
    """Return what there is to know of each kind of finding."""
    return [
        {
            "kind": kind,
            "severity": list(told.severities),
            "meaning": told.meaning,
            "fix": FIXES.get(kind),
        }
        for kind, told in TOLD.items()
    ]


def kind_table(rows: Sequence[Mapping[str, Any]]) -> str:
    """Return the kinds of findings to read; a letter says what `--fix` does about it."""
    width = max(len(row["kind"]) for row in rows)
    lines = [
        f"{row['kind']:{width}}  {_LETTERS[row['fix']]}  "
        f"{', '.join(row['severity']):14}  {row['meaning']}"
        for row in rows
    ]
    told = "m: --fix mends it, l: --fix leaves it out, ml: the one or the other, where certain"
    return "\n".join([*lines, told])
