"""Findings to read in a terminal: by kind, worst first, with the first few places of each."""

import textwrap
from collections import Counter
from collections.abc import Sequence
from itertools import groupby

from delineate.quality.findings import SEVERITIES, Finding

LINES = 60
"""Most lines of a report."""

_WIDTH = 100
_PLACES = 4
_INDENT = " " * 8


def report(findings: Sequence[Finding]) -> str:
    """Return the report.

    Args:
        findings: Worst first.
    """
    groups = [list(group) for _, group in groupby(findings, lambda f: (f.severity, f.kind))]
    lines: list[str] = []
    for number, group in enumerate(groups):
        shown = _group(group)
        rest = groups[number:]
        if len(lines) + len(shown) + (number + 1 < len(groups)) > LINES - 1:
            kinds = ", ".join(f"{g[0].kind} ({len(g):,})" for g in rest)
            lines.append(_cut(f"and more: {kinds}"))
            break
        lines += shown
    return "\n".join([*lines, total(findings)])


def total(findings: Sequence[Finding]) -> str:
    """Return how many findings there are, in a line."""
    counts = Counter(finding.severity for finding in findings)
    if not counts:
        return "nothing found"
    return ", ".join(
        f"{counts[severity]:,} {severity}{'s' * (counts[severity] != 1)}"
        for severity in SEVERITIES
        if counts[severity]
    )


def _group(group: Sequence[Finding]) -> list[str]:
    """Return one kind: its name and number, the first finding whole, places of some others."""
    first = group[0]
    name = f"{first.severity.upper():8}{first.kind}"
    lines = [f"{name}  x {len(group):,}" if len(group) > 1 else name]
    lines += textwrap.wrap(
        str(first),
        _WIDTH,
        initial_indent=_INDENT,
        subsequent_indent=_INDENT,
        break_on_hyphens=False,
    )
    for other in group[1 : 1 + _PLACES]:
        told = other.place if other.place.image_id is not None else f"{other.place}: {other.why}"
        lines.append(_cut(f"{_INDENT}also {told}"))
    if (more := len(group) - 1 - _PLACES) > 0:
        lines.append(f"{_INDENT}and {more:,} more")
    return lines


def _cut(line: str) -> str:
    return line if len(line) <= _WIDTH else f"{line[: _WIDTH - 3]}..."
