"""What a division of a data set gave, in numbers and in words."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from delineate.core.classes import ClassMap
from delineate.core.sizes import SIZES
from delineate.core.text_table import ends, table
from delineate.jobs.opening import plural

_ENOUGH = 20  # objects of a class and size from which a deviation of their shares says something
_SHOWN = 24  # classes in the table


def counted_split(counts: npt.NDArray[np.int32], classes: ClassMap) -> dict[str, Any]:
    """Return the numbers of a split: images, objects, and those of each class."""
    return {
        "images": len(counts),
        "objects": int(counts.sum()),
        "classes": {
            name: {
                "images": int(counts[:, label].any(axis=1).sum()),
                "objects": int(counts[:, label].sum()),
                **dict(zip(SIZES, counts[:, label].sum(axis=0).tolist(), strict=True)),
            }
            for label, name in enumerate(classes.names)
        },
    }


def largest_deviation(
    counts: Mapping[str, npt.NDArray[np.int32]], shares: Mapping[str, float], classes: ClassMap
) -> dict[str, Any] | None:
    """Return where the share of the objects of a class and size is farthest from the wish.

    None: nowhere are objects enough to tell, or one part has all.
    """
    if len(counts) == 1:
        return None
    totals = np.stack([part.sum(axis=0) for part in counts.values()])
    whole = totals.sum(axis=0)
    got = totals / np.maximum(whole, 1)
    wished = np.array(list(shares.values()))[:, None, None]
    off = np.where(whole >= _ENOUGH, abs(got - wished), -1)
    part, label, size = np.unravel_index(int(np.argmax(off)), off.shape)
    if off[part, label, size] < 0:
        return None
    return {
        "split": list(counts)[part],
        "class": classes.name(int(label)),
        "size": SIZES[size],
        "objects": int(whole[label, size]),
        "wished": float(wished[part, 0, 0]),
        "got": round(float(got[part, label, size]), 4),
    }


def summary(result: Mapping[str, Any]) -> str:
    """Return in words what `split_data` returned."""
    splits = result["splits"]
    images = sum(s["images"] for s in splits.values())
    objects = sum(s["objects"] for s in splits.values())
    rows = [["", "images", "", "objects", ""]]
    rows += [
        [
            name,
            f"{s['images']:,}",
            f"{s['images'] / images:.1%}",
            f"{s['objects']:,}",
            f"{s['objects'] / max(objects, 1):.1%}",
        ]
        for name, s in splits.items()
    ]
    lines = [table(rows), "", _class_table(splits), "", *_remarks(result)]
    if len(splits) == 1:
        shown = f"{plural(images, 'image')} and {plural(objects, 'object')}"
        lines = [f"{next(iter(splits))} has all: {shown}, not divided", *_remarks(result)]
    where = f"written to {result['out']}"
    if result["pictures"] is not None:
        where += f" without pictures: open it with --images {result['pictures']}"
    return "\n".join([*lines, where])


def _class_table(splits: Mapping[str, Any]) -> str:
    totals = {
        name: sum(s["classes"][name]["objects"] for s in splits.values())
        for name in next(iter(splits.values()))["classes"]
    }
    rows = [
        [name, f"{n:,}", *(f"{s['classes'][name]['objects'] / n:.1%}" for s in splits.values())]
        for name, n in sorted(totals.items(), key=lambda item: -item[1])
        if n
    ]
    return table([["class", "objects", *splits], *ends(rows, _SHOWN)])


def _remarks(result: Mapping[str, Any]) -> list[str]:
    lines = []
    if (worst := result["largest_deviation"]) is not None:
        lines.append(
            f"largest deviation of objects: {worst['split']} has {worst['got']:.1%} of the "
            f"{worst['objects']} {worst['size']} objects of {worst['class']!r}, wished "
            f"{worst['wished']:.1%}"
        )
    if result["group_by"]:
        lines.append(
            f"kept together by {', '.join(result['group_by'])}: {plural(result['groups'], 'group')}"
            f", the largest of {plural(result['largest_group'], 'image')}"
        )
    if result["losses"]:
        lines.append(
            f"{plural(result['losses'], 'object')} are not exactly as before in this format"
        )
    splits = result["splits"]
    for name, s in splits.items():
        absent = [
            c
            for c, of_class in s["classes"].items()
            if not of_class["objects"] and any(o["classes"][c]["objects"] for o in splits.values())
        ]
        if absent:
            shown = ", ".join(map(repr, absent[:5])) + (" ..." if len(absent) > 5 else "")
            lines.append(
                f"{name} shows nothing of {len(absent)} class{'es' * (len(absent) > 1)}: {shown}"
            )
    return lines
