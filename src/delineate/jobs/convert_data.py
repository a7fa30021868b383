"""`delineate data convert`: a data set in another format, and what that has cost."""

import textwrap
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from delineate._files import check_apart
from delineate.data.annotated import StopOrSkip
from delineate.data.conversion import Conversion, convert, writable
from delineate.data.format_table import FORMATS
from delineate.data.formats import find_sources
from delineate.data.layouts import split_named
from delineate.data.sample import Dataset
from delineate.jobs.opening import Say, opened, plural

_SHOWN, _SHOWN_IDS = 30, 10  # losses, and ids of classes, in the text; --json has all


def convert_data(
    source: Path,
    out: Path,
    *,
    to: str,
    images: Path | None = None,
    format: str | None = None,
    on_error: StopOrSkip = "stop",
    strict: bool = False,
    say: Say,
) -> Conversion:
    """Convert a data set.

    Args:
        source: A data folder or file; a single file is the split that its name tells.
        out: A folder that is new or empty.
        to: Name of the format to write.
        images: Folder of the pictures, where it is not the usual one.
        format: Name of the source's format; None: found out.
        on_error: What broken records do.
        strict: Write nothing where an object would not come back exactly.
        say: Receives lines for the user.

    Raises:
        ConfigError: There is no such format, or it cannot be written.
        DataError: The source cannot be read, or `strict` and something would be lost.
        OutputError: The place cannot be written, is not empty, or lies in the source.
    """
    writable(to)
    check_apart(source, out)
    splits = opened(source, images=images, format=format, on_error=on_error, only=None, say=say)
    return convert(_as_told(source, format, splits, say), to, out, strict=strict)


def _as_told(
    source: Path, format: str | None, splits: Mapping[str, Dataset], say: Say
) -> Mapping[str, Dataset]:
    """Return the splits, a single file under the split that its name tells.

    To those who open it, it is "train", so that one can train with any file.
    """
    told = split_named(source.resolve().stem)
    if list(splits) != ["train"] or told in (None, "train"):
        return splits
    if find_sources(source, format)[1]["train"].path != source:
        return splits
    if source.is_file():
        return {told: splits["train"]}
    say(f"{source}: written as the split train: convert the folder above to keep {told}")
    return splits


def summary(result: Conversion, out: Path) -> str:
    """Return what became of the objects, to read: each that was lost or changed, and a total."""
    lines: list[str] = []
    found = [(split, loss) for split, losses in result.losses.items() for loss in losses]
    lines += [f"{split}: {loss}" for split, loss in found[:_SHOWN]]
    if len(found) > _SHOWN:
        lines.append(f"... and {len(found) - _SHOWN} more: --json lists all")
    if result.lost_classes:
        lines.append(f"classes that the result does not know: {', '.join(result.lost_classes)}")
    if others := [f"{old!r} is {new!r}" for n in result.renamed.values() for old, new in n.items()]:
        more = f" and {len(others) - 1} more (--json lists all)" if len(others) > 1 else ""
        lines.append(f"pictures that have another name now: {others[0]}{more}")
    lines += _renumbered_text(result)
    total = sum(result.objects.values())
    objects = plural(total, "object")
    if not total and result.exact:
        lines.append("no objects: nothing but pictures was written")
    elif result.exact:
        lines.append(f"{objects}: all come back exactly")
    else:
        counts = {kind: 0 for kind in ("missing", "mask", "class", "crowd", "extra")}
        for _, loss in found:
            counts[loss.kind] = counts.get(loss.kind, 0) + 1
        words = {
            "missing": "lost",
            "mask": "with another outline",
            "class": "of another class",
            "crowd": "whose crowd mark is lost",
            "extra": "too many",
            "image": "images lost",
            "stuff": "regions of stuff lost or changed",
            "federated": "images of which it is not known now which classes were looked for",
        }
        told = ", ".join(f"{count:,} {words[kind]}" for kind, count in counts.items() if count)
        ious = [loss.iou for _, loss in found if loss.kind == "mask"]
        worst = f"; smallest IoU {min(ious):.4f}" if ious else ""
        lines.append(f"{objects}: {told}{worst}")
    splits = ", ".join(f"{split} {count:,}" for split, count in result.images.items())
    lines.append(f"wrote {out} ({FORMATS[result.format].title}; images: {splits})")
    return "\n".join(lines)


def _renumbered_text(result: Conversion) -> list[str]:
    """Return a line about class ids that are others now, if there are any."""
    found = {name: ids for split in result.renumbered.values() for name, ids in split.items()}
    if not found:
        return []
    olds, news = (_ids(sorted(ids)) for ids in zip(*found.values(), strict=True))
    (name, (old, new)), *_ = found.items()
    return [f"class ids {olds} are {news} now ({name!r} {old} is {new}); names are as they were"]


def _ids(ids: Sequence[int]) -> str:
    """Return sorted ids to read."""
    if len(ids) > 2 and ids[-1] - ids[0] == len(ids) - 1:
        return f"{ids[0]} to {ids[-1]}"
    return ", ".join(map(str, ids[:_SHOWN_IDS])) + ", ..." * (len(ids) > _SHOWN_IDS)


def format_rows() -> list[dict[str, Any]]:
    """Return what there is to know of each format."""
    return [
        {
            "name": format.name,
            "title": format.title,
            "layout": format.layout,
            "writes": format.write is not None,
        }
        for format in FORMATS.values()
    ]


def format_table(rows: list[dict[str, Any]]) -> str:
    """Return the formats to read."""
    width = max(len(row["name"]) for row in rows)
    lines: list[str] = []
    for row in rows:
        kind = "read, write" if row["writes"] else "read"
        lines.append(f"{row['name']:{width}}  {row['title']} ({kind})")
        indent = " " * (width + 2)
        lines += textwrap.wrap(row["layout"], 98, initial_indent=indent, subsequent_indent=indent)
    return "\n".join(lines)
