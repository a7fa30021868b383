"""Plots for pages as inline SVG; their colours are those of the page."""

import math
from collections.abc import Mapping, Sequence
from html import escape

from delineate.quality.spread import Histogram

_PLOT = (44, 12, 436, 200)  # left, top, right, bottom of the axes
_STEPS = (0.01, 0.02, 0.05, 0.1, 0.2, 0.25)  # between the lines of a scale


def histogram(
    total: Histogram,
    parts: Mapping[str, Histogram],
    *,
    axis: str,
    marks: Sequence[float] = (),
    stride: int = 1,
) -> str:
    """Return bars of all values, and a line for each part where there are several.

    Heights are shares of the values. Bins are equally wide, whatever lies between their edges.

    Args:
        total: All values.
        parts: Name -> the values of a part, between the same edges.
        axis: What is counted.
        marks: Values to mark with an upright line.
        stride: Every how many edges a number may stand along the axis.
    """
    left, top, right, bottom = _PLOT
    edges, bins = total.edges, len(total.counts)
    shares = _shares(total)
    drawn = {name: _shares(part) for name, part in parts.items()} if len(parts) > 1 else {}
    most = max((value for line in (shares, *drawn.values()) for value in line), default=0)
    grid = next((step for step in _STEPS if 4 * step >= most), 0.25)
    most = grid * max(math.ceil(most / grid - 1e-9), 1)
    step = (right - left) / bins
    bars = "".join(
        f'<rect class="column" x="{left + k * step + 1:.1f}" width="{max(step - 2, 1):.1f}" '
        f'y="{_y(share / most):.1f}" height="{bottom - _y(share / most):.1f}">'
        f"<title>{escape(axis)} {edges[k]:,.0f} to {edges[k + 1]:,.0f}: "
        f"{total.counts[k]:,} ({share:.1%})</title></rect>"
        for k, share in enumerate(shares)
    )
    lines = "".join(
        f'<path class="line of{number}" d="M'
        + " ".join(
            f"{left + (k + 0.5) * step:.1f} {_y(share / most):.1f}" for k, share in enumerate(line)
        )
        + '"/>'
        for number, line in enumerate(drawn.values())
    )
    inside = [mark for mark in marks if edges[0] < mark < edges[-1]]
    upright = "".join(
        f'<path class="mark" d="M{_x(mark, edges, step):.1f} {top}V{bottom}"/>' for mark in inside
    )
    every = stride * math.ceil((bins + 1) / 9 / stride)
    numbers = "".join(
        f'<text x="{left + k * step:.1f}" y="{bottom + 15}" text-anchor="middle">'
        f"{edges[k]:,.0f}</text>"
        for k in range(0, bins + 1, every)
    )
    return (
        f'<svg class="plot" viewBox="0 0 456 238" role="img" aria-label="{escape(axis)}">'
        f"{_scale(most, grid)}{bars}{upright}{lines}{numbers}"
        f'<text x="{(left + right) / 2}" y="{bottom + 32}" text-anchor="middle">{escape(axis)}'
        "</text></svg>"
    )


def _shares(histogram: Histogram) -> list[float]:
    total = max(sum(histogram.counts), 1)
    return [count / total for count in histogram.counts]


def _x(value: float, edges: Sequence[float], step: float) -> float:
    k = next(k for k in range(len(edges) - 1) if edges[k] <= value <= edges[k + 1])
    return _PLOT[0] + (k + (value - edges[k]) / (edges[k + 1] - edges[k])) * step


def _y(part: float) -> float:
    return _PLOT[3] - part * (_PLOT[3] - _PLOT[1])


def _scale(most: float, step: float) -> str:
    left, _, right, _ = _PLOT
    return "".join(
        f'<path class="grid" d="M{left} {_y(k * step / most):.1f}H{right}"/>'
        f'<text x="{left - 7}" y="{_y(k * step / most) + 4:.1f}" text-anchor="end">'
        f"{k * step:.0%}</text>"
        for k in range(round(most / step) + 1)
    )


def stacked(values: Sequence[float], whole: float) -> str:
    """Return a bar of several parts, as long as they are of `whole`."""
    start, drawn = 0.0, []
    for number, value in enumerate(values):
        length = 100 * value / whole if whole else 0.0
        drawn.append(
            f'<rect class="part{number}" x="{start:.2f}" width="{length:.2f}" height="10"/>'
        )
        start += length
    return (
        '<svg class="stack" viewBox="0 0 100 10" preserveAspectRatio="none" aria-hidden="true">'
        f"{''.join(drawn)}</svg>"
    )


def heat_map(rows: Sequence[Sequence[float]], *, label: str, levels: int = 12) -> str:
    """Return a map of values from 0 on, the largest the strongest.

    Args:
        rows: Equally long rows, the upper one first.
        label: What it shows.
        levels: Steps of colour.
    """
    most = max((value for row in rows for value in row), default=0)
    runs: dict[int, list[str]] = {}
    for y, row in enumerate(rows):
        steps = [min(int(value / most * levels), levels - 1) if most else 0 for value in row]
        start = 0
        for x in range(1, len(steps) + 1):
            if x == len(steps) or steps[x] != steps[start]:
                runs.setdefault(steps[start], []).append(f"M{start} {y}h{x - start}v1H{start}z")
                start = x
    paths = "".join(
        f'<path fill-opacity="{(level + 0.35) / (levels - 0.65):.2f}" d="{"".join(parts)}"/>'
        for level, parts in sorted(runs.items())
    )
    width = max(map(len, rows), default=1)
    return (
        f'<svg class="heat" viewBox="0 0 {width} {len(rows)}" role="img" '
        f'aria-label="{escape(label)}" shape-rendering="crispEdges">{paths}</svg>'
    )


def matrix(pairs: Mapping[str, Mapping[str, int]]) -> str:
    """Return which classes are seen together: the share of a row's images that show a column's."""
    names, cell, room = list(pairs), 18, 150
    side = room + cell * len(names)
    drawn = []
    for y, row in enumerate(names):
        drawn.append(
            f'<text x="{room - 6}" y="{room + y * cell + 13}" text-anchor="end">{_label(row)}'
            f'</text><text transform="translate({room + y * cell + 13} {room - 6}) rotate(-90)">'
            f"{_label(row)}</text>"
        )
        own = pairs[row][row]
        for x, column in enumerate(names):
            share = pairs[row][column] / own
            drawn.append(
                f'<rect x="{room + x * cell}" y="{room + y * cell}" width="{cell - 1}" '
                f'height="{cell - 1}" fill-opacity="{share:.2f}"><title>{escape(column)} is in '
                f"{pairs[row][column]:,} of the {own:,} images with {escape(row)}</title></rect>"
            )
    return (
        f'<svg class="plot matrix" viewBox="0 0 {side} {side}" role="img" '
        f'style="max-width:{1.4 * side:.0f}px" aria-label="Classes seen together">'
        f"{''.join(drawn)}</svg>"
    )


def _label(name: str, most: int = 22) -> str:
    return escape(name if len(name) <= most else name[: most - 1] + "…")
