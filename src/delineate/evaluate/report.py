"""An evaluation as text for people."""

from delineate.core.text_table import ends, table
from delineate.evaluate.coco_result import BEYOND, ClassScore, CocoResult, IouType

KINDS: dict[IouType, str] = {"segm": "masks", "bbox": "boxes"}


def text_report(result: CocoResult, *, limit: int = 20) -> str:
    """Return aligned tables for a terminal: the COCO numbers, then the classes.

    Args:
        result: The evaluation.
        limit: Where there are more classes with objects, only the best and the worst are listed.
    """
    names = list(next(iter(result.scores.values())))
    head = ["", *names]
    rows = [
        [KINDS[kind], *(number(scores[name]) for name in names)]
        for kind, scores in result.scores.items()
    ]
    parts = [table([head, *rows]), f"{counts(result)} {_EXPLANATION}"]
    if result.crowded:
        parts.append(crowding(result))
    if len(result.per_class) > 1:
        parts.append(_class_table(result, limit))
    return "\n\n".join(parts)


_EXPLANATION = "(s, m, l: small, medium, large objects; -: no such objects)"


def counts(result: CocoResult) -> str:
    """Return how much was evaluated, in words."""
    return (
        f"{result.images:,} images, {result.truths:,} objects, {result.predictions:,} predictions"
    )


def crowding(result: CocoResult) -> str:
    """Return what the limit of predictions costs where images hold more objects than that."""
    percent = 1000 * result.countable // result.truths / 10  # rounded down, so never 100
    return (
        f"images with more than {result.limit} objects of a class: {result.crowded:,} of "
        f"{result.images:,}, with up to {result.densest:,}. Only the {result.limit} best "
        f"predictions count there, so no more than {percent:.1f}% of all objects can be found; "
        f"--max-dets {result.densest} counts all." + _beyond(result)
    )


def _beyond(result: CocoResult) -> str:
    found = "; ".join(
        f"{KINDS[kind]} AP {number(scores['AP'])}, AP50 {number(scores['AP50'])}"
        for kind, scores in result.beyond.items()
        if scores["AP"] != result.scores[kind]["AP"]
    )
    return f" Counting up to {BEYOND:,}: {found}." if found else ""


def without_objects(count: int) -> str:
    """Return how many classes a table leaves out because there is nothing of them."""
    if count == 1:
        return "1 class without objects here is not listed"
    return f"{count} classes without objects here are not listed"


def number(value: float) -> str:
    """Return a fraction with three decimals, or ``-`` where it is undefined."""
    return "-" if value < 0 else f"{value:.3f}"


def ranked(result: CocoResult) -> list[tuple[str, ClassScore]]:
    """Return the classes, best AP first; those without any object last."""
    return sorted(result.per_class.items(), key=lambda item: -item[1].ap)


def _class_table(result: CocoResult, limit: int) -> str:
    rows = [
        [name, f"{score.truths:,}", number(score.ap), number(score.ap50), number(score.ar)]
        for name, score in ranked(result)
        if score.truths
    ]
    unseen = len(result.per_class) - len(rows)
    heading = ["class", "objects", "AP", "AP50", "AR"]
    text = table([heading, *ends(rows, limit)])
    return text + (f"\n{without_objects(unseen)}" if unseen else "")
