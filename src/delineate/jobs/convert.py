"""`delineate models convert`: another program's checkpoint becomes ours, or ours another's."""

from pathlib import Path
from typing import Any

from delineate.core.classes import ClassMap
from delineate.core.json_file import read_json
from delineate.errors import ConfigError, DataError
from delineate.weights.convert import convert, convert_back
from delineate.weights.load import BEST


def convert_file(file: Path, out: Path, *, to: str | None, classes: Path | None) -> dict[str, Any]:
    """Convert a checkpoint.

    Args:
        file: Another program's checkpoint; with `to`, one of ours, or the folder of a run.
        out: Where the result goes.
        to: The program to write for; None reads another's.
        classes: A JSON file with the classes of its outputs: a list of names, what
            `ClassMap.to_json` returns, or a COCO file.

    Raises:
        ConfigError: There are classes for one of our own checkpoints, which has them.
        DataError: The file of classes is none.
        ModelError: See `convert` and `convert_back`.
        OutputError: The place cannot be written.
    """
    if file.is_dir():
        file = file / BEST
    if to is not None:
        if classes is not None:
            raise ConfigError(
                f"expected --classes or --to, got both: {file} has its own classes; leave one out."
            )
        layout = convert_back(file, to, out)
        reason = f"Written as {layout.name}, whose program knows it by {', '.join(layout.marks)}."
        return {"file": str(file), "out": str(out), "layout": layout.name, "reason": reason}
    found = convert(file, out, classes=None if classes is None else read_classes(classes))
    return {
        "file": str(file),
        "out": str(out),
        "layout": found.layout,
        "reason": found.reason,
        "model": found.model,
        "published": found.published or None,
        "classes": len(found.classes),
        "sha256": found.sha256,
    }


def read_classes(path: Path) -> ClassMap:
    """Read a table of classes.

    Raises:
        DataError: The file is no JSON, or holds no classes.
    """
    value = read_json(path)
    if isinstance(value, list):
        return ClassMap.from_names(value)
    if isinstance(value, dict) and isinstance(value.get("categories"), list):
        return ClassMap.from_coco(value["categories"])
    if isinstance(value, dict):
        return ClassMap.from_json(value)
    raise DataError(
        f"{path}: expected a list of names, a class table or a COCO file, got {value!r:.40}: write "
        '["cat", "dog"].'
    )


def summary(result: dict[str, Any]) -> str:
    """Return `convert_file`'s answer to read."""
    lines = [result["reason"]]
    if "model" in result:
        kind = f"{result['model']}, {result['classes']} classes"
        known = f", published as {result['published']}" if result["published"] else ""
        lines.append(f"{kind}{known}; sha256 of the source {result['sha256']}")
    return "\n".join([*lines, f"wrote {result['out']}"])
