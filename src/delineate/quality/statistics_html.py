"""Statistics of a data set as one HTML file with its plots in it."""

import os
from html import escape
from string import Template

from delineate._files import write_whole
from delineate.core.page import bar, cell, page, row, table, template
from delineate.quality.balance import percent
from delineate.quality.charts import heat_map, histogram, matrix, stacked
from delineate.quality.statistics import SplitStatistics, Statistics
from delineate.quality.statistics_text import ROWS

KIND = "statistics"
"""Which kind of page it is; see `delineate.core.page.generator`."""

_CLASSES = 200  # listed at most


def write_statistics(path: str | os.PathLike[str], result: Statistics) -> None:
    """Write the page, whole or not at all.

    Raises:
        OutputError: The file cannot be written.
    """
    write_whole(path, statistics_html(result).encode())


def statistics_html(result: Statistics) -> str:
    """Return statistics as a page."""
    total = result.total
    body = Template(template("delineate.quality", "statistics.html")).substitute(
        headline=_headline(total),
        class_note=_class_note(total),
        classes=_classes(result),
        advice=escape(result.balance.advice),
        balance=_balance(result),
        key=_key(result),
        sizes=_sizes(result),
        per_image=_per_image(result),
        per_image_note=_per_image_note(total),
        positions=heat_map(total.positions, label="Where objects are"),
        most_covered=f"{max(map(max, total.positions)):.2g}",
        together=_together(total),
        numbers=_numbers(result),
    )
    facts = {name: f"{split.images:,} images" for name, split in result.splits.items()}
    return page(
        kind=KIND,
        title=f"Statistics of {result.name}",
        body=body,
        facts=facts,
        style=template("delineate.quality", "statistics.css"),
    )


def _headline(total: SplitStatistics) -> str:
    shown, known = sum(c.objects > 0 for c in total.classes), len(total.classes)
    numbers = {
        "images": f"{total.images:,}",
        "objects": f"{total.objects:,}",
        "classes": f"{shown:,}" + f" <small>of {known:,}</small>" * (known > shown),
        "objects in an image": f"{total.per_image.median:,.0f} <small>median</small>",
        "median size": f"{total.sizes.median:,.0f} <small>pixels</small>",
    }
    return "\n".join(
        f'<div class="card"><dt>{name}</dt><dd>{value}</dd></div>'
        for name, value in numbers.items()
    )


def _class_note(total: SplitStatistics) -> str:
    occurring = sum(c.objects > 0 for c in total.classes)
    notes = []
    if occurring > _CLASSES:
        notes.append(f"The {_CLASSES} most frequent of {occurring:,} classes.")
    if occurring < len(total.classes):
        notes.append(f"{len(total.classes) - occurring:,} classes have no objects.")
    return " ".join(notes)


def _classes(result: Statistics) -> str:
    total = result.total
    listed = [c for c in total.classes if c.objects][:_CLASSES]
    most = max((c.objects for c in listed), default=1)
    splits = result.splits if len(result.splits) > 1 else {}
    shares = {name: {c.name: c.share for c in s.classes} for name, s in splits.items()}
    rows = (
        row(
            c.name,
            (
                f'<td class="bars">{stacked([c.small, c.medium, c.large], most)}</td>',
                cell(f"{c.objects:,}"),
                cell(percent(c.share)),
                *(cell(percent(of_split[c.name])) for of_split in shares.values()),
                cell(f"{c.images:,}"),
                cell(f"{c.median_size:,.0f}"),
            ),
        )
        for c in listed
    )
    head = ["class", "", "objects", "share", *(f"in {n}" for n in shares), "images", "median size"]
    return table(head, rows)


def _balance(result: Statistics) -> str:
    balance = result.balance
    occurring = [k for k in range(len(balance.names)) if balance.objects[k]]
    if len(occurring) < 2:
        return ""
    occurring.sort(key=lambda k: -int(balance.objects[k]))
    ways = (balance.shares, balance.fitted.shares, balance.class_aware.shares)
    most = max(float(shares.max()) for shares in ways)
    rows = (
        row(balance.names[k], (bar(float(s[k]) / most, percent(float(s[k]))) for s in ways))
        for k in occurring[:_CLASSES]
    )
    fitted, aware = balance.fitted, balance.class_aware
    note = (
        f"Share of each class among the objects that a training sees, in {result.balanced_split}. "
        f"Repeat factors (threshold {percent(fitted.threshold or 0)} of the images) make epochs "
        f"{fitted.epoch:.2f} times as long and show images up to {fitted.most:.1f} times; "
        f"class-aware sampling shows them up to {aware.most:.1f} times. With LVIS' threshold of "
        f"0.1% epochs are {balance.lvis.epoch:.2f} times as long."
    )
    head = ["class", "every image once", "repeat factors", "class-aware"]
    return (
        f'<p class="quiet">{escape(note)}</p>\n'
        f'<div class="card tabular classes">{table(head, rows)}</div>'
    )


def _key(result: Statistics) -> str:
    if len(result.splits) < 2:
        return ""
    names = "".join(
        f'<span class="of{k}"><i></i>{escape(name)}</span>' for k, name in enumerate(result.splits)
    )
    return f'<p class="key quiet">{names}<span>bars: all</span></p>'


def _sizes(result: Statistics) -> str:
    parts = {name: split.sizes_histogram for name, split in result.splits.items()}
    return histogram(
        result.total.sizes_histogram, parts, axis="size in pixels", marks=(32, 96), stride=2
    )


def _per_image(result: Statistics) -> str:
    parts = {name: split.per_image_histogram for name, split in result.splits.items()}
    return histogram(result.total.per_image_histogram, parts, axis="objects in an image")


def _per_image_note(total: SplitStatistics) -> str:
    spread = total.per_image
    return (
        f"From {spread.least:,.0f} to {spread.most:,.0f}; half of the images have "
        f"{spread.q25:,.0f} to {spread.q75:,.0f}, and {total.without_objects:,} have none."
    )


def _together(total: SplitStatistics) -> str:
    if len(total.together) < 2:
        return ""
    return (
        "<section>\n<h2>Seen together</h2>\n"
        '<p class="quiet">Of the images with the class of a row, the share that show that of a '
        "column.</p>\n"
        f'<div class="card">\n{matrix(total.together)}\n</div>\n</section>'
    )


def _numbers(result: Statistics) -> str:
    columns = dict(result.splits)
    if len(columns) > 1:
        columns["all"] = result.total
    return table(
        ["", *columns],
        (row(name, (cell(tell(s)) for s in columns.values())) for name, tell in ROWS.items()),
    )
