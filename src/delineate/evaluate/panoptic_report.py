"""A panoptic evaluation as text for people."""

from delineate.core.text_table import ends, table
from delineate.evaluate.panoptic import PanopticResult
from delineate.evaluate.report import number, without_objects
from delineate.evaluate.semantic import SemanticResult


def panoptic_text(
    result: PanopticResult, semantic: SemanticResult | None = None, *, limit: int = 20
) -> str:
    """Return aligned tables for a terminal: the groups, then the classes, the best first.

    Args:
        result: The evaluation of segments.
        semantic: That of the pixels' classes, to be told beside it.
        limit: Where more classes occur, only the best and the worst are listed.
    """
    rows = [
        [name, number(group.pq), number(group.sq), number(group.rq), str(group.n)]
        for name, group in result.groups.items()
    ]
    told = f"{result.images:,} image{'s' * (result.images != 1)}"
    if semantic is not None:
        told += f"; classes of pixels: mIoU {number(semantic.miou)}, "
        told += f"accuracy {number(semantic.accuracy)}"
    return "\n\n".join(
        [table([["", "PQ", "SQ", "RQ", "classes"], *rows]), told, _class_table(result, limit)]
    )


def _class_table(result: PanopticResult, limit: int) -> str:
    best = sorted(result.per_class.items(), key=lambda item: -item[1].pq)
    things = set(result.classes.things.names)
    rows = [
        [
            name,
            "thing" if name in things else "stuff",
            *(number(value) for value in (quality.pq, quality.sq, quality.rq)),
            *(f"{count:,}" for count in (quality.tp, quality.fp, quality.fn)),
        ]
        for name, quality in best
        if quality.defined
    ]
    unseen = len(best) - len(rows)
    heading = ["class", "", "PQ", "SQ", "RQ", "matched", "wrong", "missed"]
    text = table([heading, *ends(rows, limit)])
    return text + (f"\n{without_objects(unseen)}" if unseen else "")
