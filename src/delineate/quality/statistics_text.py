"""Statistics of a data set as text for people."""

import textwrap
from collections.abc import Callable

from delineate.core.sizes import SIZES
from delineate.core.text_table import ends, table
from delineate.quality.balance import percent
from delineate.quality.spread import Spread
from delineate.quality.statistics import CROWDED, OVERLAPPED, SplitStatistics, Statistics

_WIDTH = 98
_CLASSES = 16  # listed at most; the page and --json list all

ROWS: dict[str, Callable[[SplitStatistics], str]] = {
    "images": lambda s: f"{s.images:,}",
    "without objects": lambda s: f"{s.without_objects:,}",
    "objects": lambda s: f"{s.objects:,}",
    "crowd regions": lambda s: f"{s.crowds:,}",
    "width of images": lambda s: _range(s.widths),
    "height of images": lambda s: _range(s.heights),
    "objects in an image": lambda s: _range(s.per_image),
    "size of objects in pixels": lambda s: _range(s.sizes),
    "size over that of the image": lambda s: f"{s.relative_sizes.median:.3f}",
    "small, medium, large": lambda s: ", ".join(_of(s.by_size[size], s.objects) for size in SIZES),
    "width over height": lambda s: f"{s.aspects.median:.2f}",
    "nearest other, in sizes": lambda s: f"{s.distances.median:.2f}",
    f"boxes overlap (IoU > {CROWDED})": lambda s: percent(s.crowded),
    f"masks overlap (> {OVERLAPPED:.0%})": lambda s: percent(s.overlapped),
    "touch another object": lambda s: percent(s.touching),
    "outline that touches": lambda s: percent(s.touching_outline),
    "reach the edge of the image": lambda s: percent(s.at_border),
    "in several parts": lambda s: percent(s.in_parts),
    "with holes": lambda s: percent(s.with_holes),
}
"""What is told of each split: its name, and how it is told."""


def statistics_text(result: Statistics) -> str:
    """Return aligned tables for a terminal, about 50 lines at most."""
    columns = dict(result.splits)
    if len(columns) > 1:
        columns["all"] = result.total
    rows = [[name, *(tell(split) for split in columns.values())] for name, tell in ROWS.items()]
    parts = [
        f"{result.name} (medians, and least to most in brackets; size: root of the area)",
        table([["", *columns], *rows]),
        "",
        _class_table(result.total),
        "",
        *textwrap.wrap(_balance(result), _WIDTH),
    ]
    return "\n".join(parts)


def _balance(result: Statistics) -> str:
    balance = result.balance
    told = f"Balance ({result.balanced_split}): "
    if (occurring := int((balance.objects > 0).sum())) > 1:
        told += (
            f"{balance.imbalance:,.0f} between the most and the least frequent class; as hard to "
            f"guess as {balance.effective_classes:.1f} equal classes, of {occurring}. "
        )
    return told + balance.advice


def _range(spread: Spread) -> str:
    if spread.least == spread.most:
        return f"{spread.median:,.0f}"
    return f"{spread.median:,.0f} ({spread.least:,.0f} to {spread.most:,.0f})"


def _of(part: int, whole: int) -> str:
    return f"{part / whole:.0%}" if whole else "-"


def _class_table(total: SplitStatistics) -> str:
    head = ["class", "objects", "share", "images", *SIZES, "median size"]
    rows = [
        [
            shortened(c.name),
            f"{c.objects:,}",
            percent(c.share),
            f"{c.images:,}",
            *(_of(count, c.objects) for count in (c.small, c.medium, c.large)),
            f"{c.median_size:,.0f}",
        ]
        for c in total.classes
        if c.objects
    ]
    text = table([head, *ends(rows, _CLASSES)])
    unseen = len(total.classes) - len(rows)
    return text + (f"\n{unseen} of {len(total.classes)} classes have no objects" if unseen else "")


def shortened(name: str, most: int = 30) -> str:
    """Return a name that fits a column."""
    return name if len(name) <= most else name[: most - 1] + "…"
