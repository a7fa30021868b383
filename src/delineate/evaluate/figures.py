"""The figures of a report as inline SVG: curves, and pictures under their outlines.

Lines are styled by the page, so they follow its light and dark colours and its switches.
"""

from collections.abc import Mapping

from delineate.core import page
from delineate.evaluate.coco_result import RECALLS, Curve
from delineate.evaluate.pictures import Picture

_PLOT = (44, 12, 436, 252)  # left, top, right, bottom of the axes


def curves_figure(curves: Mapping[float, Curve]) -> str:
    """Return precision over recall for IoU 0.50 and 0.75 as SVG; undefined curves are left out."""
    left, top, right, bottom = _PLOT
    drawn = []
    for tick in (0.0, 0.25, 0.5, 0.75, 1.0):
        x, y = _place(tick, tick)
        drawn.append(
            f'<path class="grid" d="M{x} {top}V{bottom}M{left} {y}H{right}"/>'
            f'<text x="{x}" y="{bottom + 16}" text-anchor="middle">{tick:g}</text>'
            f'<text x="{left - 8}" y="{y + 4}" text-anchor="end">{tick:g}</text>'
        )
    for iou, curve in curves.items():
        if curve.min() < 0:
            continue
        points = [_place(r, p) for r, p in zip(RECALLS, curve, strict=True)]
        line = " ".join(f"{x} {y}" for x, y in points)
        kind = f"{iou:.2f}"[2:]
        if kind == "50":
            drawn.append(f'<path class="area" d="M{left} {bottom}L{line}L{right} {bottom}Z"/>')
        drawn.append(f'<path class="line at{kind}" d="M{line}"/>')
    drawn.append(
        f'<text class="name50" x="{left + 12}" y="{bottom - 30}">overlap 0.50, solid</text>'
        f'<text class="name75" x="{left + 12}" y="{bottom - 13}">overlap 0.75, dashed</text>'
        f'<text x="{(left + right) / 2}" y="{bottom + 34}" text-anchor="middle">recall</text>'
        f'<text transform="translate(12 {(top + bottom) / 2}) rotate(-90)" '
        'text-anchor="middle">precision</text>'
    )
    return (
        '<svg class="plot" viewBox="0 0 450 292" role="img" '
        f'aria-label="Precision over recall">\n{chr(10).join(drawn)}\n</svg>'
    )


def _place(recall: float, precision: float) -> tuple[float, float]:
    left, top, right, bottom = _PLOT
    x, y = left + recall * (right - left), bottom - precision * (bottom - top)
    return round(x, 1), round(y, 1)


def picture_figure(picture: Picture) -> str:
    """Return a picture with its outlines as SVG, and its caption."""
    return page.picture_figure(
        picture.jpeg,
        picture.size,
        {"predicted": picture.predicted, "truth": picture.truth},
        caption=picture.caption,
        name=picture.name,
    )
