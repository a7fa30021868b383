"""From every format to every other: what comes back exactly, and what is lost.

    python benchmarks/format_matrix.py [DATA]

DATA is a data set in any format; without it a small one that holds everything a format may lose:
holes, islands in holes, parts, single pixels, overlaps, a crowd, an empty picture, names with
spaces and signs. It is written in each format (rows), and what was read from there in each other
(columns); every object is compared with what the row's format held. A cell says how many objects
came back exactly, or how many were lost or changed and the smallest IoU. The first column compares
with the data set itself.
"""

import json
import sys
import tempfile
from pathlib import Path

from delineate.data.conversion import Conversion, convert
from delineate.data.format_table import FORMATS
from delineate.data.formats import open_splits
from delineate.errors import InputError
from machine import describe, save

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))
from rich_set import PLAIN, rich_set


def cell(result: Conversion) -> dict:
    """Sum up a conversion."""
    found = [loss for losses in result.losses.values() for loss in losses]
    ious = [loss.iou for loss in found if loss.kind == "mask"]
    kinds = {kind: sum(loss.kind == kind for loss in found) for kind in {f.kind for f in found}}
    return {"objects": sum(result.objects.values()), **kinds} | (
        {"smallest_iou": round(min(ious), 4)} if ious else {}
    )


def text(value: dict) -> str:
    """Return a cell of the table."""
    if "refused" in value:
        return "refused"
    words = {"missing": "lost", "mask": "changed", "class": "class", "crowd": "crowd lost"}
    words |= {"federated": "images' lists lost", "stuff": "stuff lost", "extra": "extra"}
    told = [f"{value[kind]} {word}" for kind, word in words.items() if value.get(kind)]
    told += [f"IoU {value['smallest_iou']}"] if "smallest_iou" in value else []
    return ", ".join(told) or "exact"


def main() -> None:
    """Convert, compare, print a table, and save it."""
    writable = [f.name for f in FORMATS.values() if f.write is not None]
    matrix: dict[str, dict[str, dict]] = {}
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        if len(sys.argv) > 1:
            original, name = open_splits(Path(sys.argv[1])), Path(sys.argv[1]).name
        else:
            original, name = rich_set(folder / "rich", PLAIN), "rich_set"
        for row in writable:
            matrix[row] = {}
            try:
                matrix[row]["original"] = cell(convert(original, row, folder / row))
            except InputError as error:
                matrix[row]["original"] = {"refused": str(error)}
                continue
            held = open_splits(folder / row, format=row)
            for column in writable:
                try:
                    result = convert(held, column, folder / f"{row}-{column}")
                    matrix[row][column] = cell(result)
                except InputError as error:
                    matrix[row][column] = {"refused": str(error)}
            print(f"{row}: {text(matrix[row]['original'])}", file=sys.stderr, flush=True)
    columns = ["original", *writable]
    print("| from \\ to | " + " | ".join(columns) + " |")
    print("|---" * (len(columns) + 1) + "|")
    for row, cells in matrix.items():
        told = [text(cells[column]) if column in cells else "" for column in columns]
        print(f"| {row} | " + " | ".join(told) + " |")
    target = "format_matrix" if name == "rich_set" else f"format_matrix_{name}"
    save(target, {**describe(), "data": name, "matrix": json.loads(json.dumps(matrix))})


if __name__ == "__main__":
    main()
