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
            cut = textwrap.shorten(f"and more: {kinds}", _WIDTH, placeholder=" ...")
            lines.append(cut)
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
        str(first), _WIDTH, initial_indent="        ", subsequent_indent="        "
    )
    for other in group[1 : 1 + _PLACES]:
        place = textwrap.shorten(f"also {other.place}", _WIDTH - 8, placeholder=" ...")
        lines.append(f"        {place}")
    if (more := len(group) - 1 - _PLACES) > 0:
        lines.append(f"        and {more:,} more")
    return lines
