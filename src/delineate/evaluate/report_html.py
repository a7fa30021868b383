"""An evaluation as one HTML file that needs nothing else: numbers, curves, classes and pictures.

The page runs no script and loads nothing; its Content-Security-Policy forbids both. Whatever comes
from outside (names of classes, images, models) is escaped on its way in.
"""

import os
from collections.abc import Mapping, Sequence
from string import Template

from delineate._files import write_whole
from delineate.core.page import bar, cell, page, row, table, template
from delineate.evaluate.coco_result import CocoResult, IouType
from delineate.evaluate.figures import curves_figure, picture_figure
from delineate.evaluate.gallery import Gallery
from delineate.evaluate.pictures import Picture
from delineate.evaluate.report import KINDS, counts, crowding, number, ranked, without_objects

_EXPLANATION = (
    "A prediction is right if it has the class of an object and overlaps it enough. "
    "<b>AP50</b> asks for an overlap of 0.50 (shared area over joint area) and says how precise "
    "the predictions are on average while more and more objects are found: 1 is perfect, 0 "
    "useless. <b>AP</b> is the mean of that over ten overlaps from 0.50 to 0.95, so it also "
    "rewards exact outlines; AP75 is the one for 0.75."
)
_HEADLINES: dict[IouType, str] = {"segm": "Mask", "bbox": "Box"}
_SIZES = {"small": "s", "medium": "m", "large": "l"}


def write_report(
    path: str | os.PathLike[str],
    result: CocoResult,
    *,
    title: str,
    facts: Mapping[str, str] | None = None,
    gallery: Gallery | None = None,
) -> None:
    """Write the report, whole or not at all.

    Args:
        path: The HTML file.
        result: The evaluation.
        title: What was evaluated.
        facts: What else a reader should know (model, data, date ...), in order.
        gallery: Pictures collected during the evaluation.

    Raises:
        OutputError: The file cannot be written.
    """
    write_whole(path, html_report(result, title=title, facts=facts, gallery=gallery).encode())


def html_report(
    result: CocoResult,
    *,
    title: str,
    facts: Mapping[str, str] | None = None,
    gallery: Gallery | None = None,
) -> str:
    """Return the report as a page; see `write_report`."""
    told = {**(facts or {}), "evaluated": counts(result)}
    if result.crowded:
        told["limit"] = crowding(result)
    body = Template(template("delineate.evaluate", "report.html")).substitute(
        headline=_headline(result),
        explanation=_EXPLANATION,
        curves=curves_figure(result.curves),
        sizes=_sizes(result),
        scores=_scores(result),
        class_note=_class_note(result),
        classes=_classes(result),
        galleries="" if gallery is None else _galleries(gallery),
    )
    style = template("delineate.evaluate", "report.css")
    return page(kind="evaluation", title=title, facts=told, body=body, style=style)


def _headline(result: CocoResult) -> str:
    numbers = [
        (f"{_HEADLINES[kind]} {name}", scores[name])
        for kind, scores in result.scores.items()
        for name in ("AP", "AP50", "AP75")
    ][:4]
    return "\n".join(
        f'<div class="card"><dt>{name}</dt><dd>{number(value)}</dd>'
        f'<div class="meter"><i style="width:{max(value, 0):.1%}"></i></div></div>'
        for name, value in numbers
    )


# -- tables ----------------------------------------------------------------------------------


def _cell(value: float) -> str:
    return cell(number(value))


def _bar(value: float) -> str:
    return bar(value, number(value))


def _sizes(result: CocoResult) -> str:
    kinds = list(result.scores)
    head = ["objects", *(f"{_HEADLINES[kind]} {name}" for kind in kinds for name in ("AP", "AR"))]
    rows = []
    for size, letter in _SIZES.items():
        values = (result.scores[kind][f"{n}{letter}"] for kind in kinds for n in ("AP", "AR"))
        rows.append(row(size, map(_bar, values)))
    return table(head, rows)


def _scores(result: CocoResult) -> str:
    names = next(iter(result.scores.values()))
    return table(
        ["", *(KINDS[kind] for kind in result.scores)],
        (row(name, (_cell(s[name]) for s in result.scores.values())) for name in names),
    )


def _class_note(result: CocoResult) -> str:
    empty = sum(score.truths == 0 for score in result.per_class.values())
    note = f"Overlap of {KINDS[result.iou_type]}, best class first."
    return note + (f" {without_objects(empty)}." if empty else "")


def _classes(result: CocoResult) -> str:
    return table(
        ["class", "objects", "AP", "AP50", "AR"],
        (
            row(name, [cell(f"{s.truths:,}"), _bar(s.ap), _bar(s.ap50), _bar(s.ar)])
            for name, s in ranked(result)
            if s.truths
        ),
    )


def _galleries(gallery: Gallery) -> str:
    threshold = f"{gallery.score_threshold:g}"
    legend = "".join(
        f'<label><input type="checkbox" id="{name}" checked>'
        f'<svg viewBox="0 0 44 16"><g class="outline {name}"><path d="M4 8H40"/></g></svg>'
        f"{words}</label>"
        for name, words in (("truth", "annotated"), ("predicted", "predicted"))
    )
    sections = (
        (
            "Well found",
            "Whole images with the best outlines.",
            gallery.good,
            "In no image was an object found.",
        ),
        (
            "False alarms and poor outlines",
            "The surest wrong prediction of an image, drawn thick. Some may be objects that "
            "were never annotated.",
            gallery.bad,
            "There is no false alarm.",
        ),
        (
            "Missed",
            "The largest object of an image that was not found, drawn thick.",
            gallery.missed,
            "No object was missed.",
        ),
    )
    return (
        "<section>\n<h2>Pictures</h2>\n"
        f'<p class="quiet">Predictions with a score of at least {threshold}; right means the same '
        "class and an overlap of at least 0.50. Point at an outline to read what it is.</p>\n"
        f'<div class="card legend">{legend}</div>\n'
        + "\n".join(_section(*section) for section in sections)
        + "\n</section>"
    )


def _section(heading: str, note: str, pictures: Sequence[Picture], nothing: str) -> str:
    if not pictures:
        return f"<h3>{heading}</h3>\n<p>{nothing}</p>"
    figures = "\n".join(picture_figure(picture) for picture in pictures)
    return (
        f'<h3>{heading}</h3>\n<p class="quiet">{note}</p>\n'
        f'<div class="pictures">\n{figures}\n</div>'
    )
