"""Tables for a terminal."""

from collections.abc import Sequence


def table(rows: Sequence[Sequence[str]]) -> str:
    """Align cells in columns, the first to the left and the others to the right."""
    widths = [max(len(row[k]) for row in rows) for k in range(len(rows[0]))]
    lines = []
    for first, *others in rows:
        cells = (cell.rjust(width) for cell, width in zip(others, widths[1:], strict=True))
        lines.append("  ".join([first.ljust(widths[0]), *cells]).rstrip())
    return "\n".join(lines)


def ends(rows: Sequence[Sequence[str]], limit: int) -> list[Sequence[str]]:
    """Return the first and the last of more than `limit` rows, with a gap between them."""
    if len(rows) <= limit:
        return list(rows)
    last = limit // 2
    gap = [f"... {len(rows) - limit} more", *[""] * (len(rows[0]) - 1)]
    return [*rows[: limit - last], gap, *rows[len(rows) - last :]]
