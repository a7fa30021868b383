"""Write any data set as "CVAT for images 1.1": a folder for each split, which is a task of CVAT.

To open one, make a task of its pictures with its labels, and upload its ``annotations.xml``. Masks
are CVAT's, exact with holes and parts; what lies above is in a higher layer. A project with subsets
would be one file, but CVAT drops all masks when it imports one.
"""

import contextlib
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from xml.sax.saxutils import escape, quoteattr

import numpy as np
import numpy.typing as npt

from delineate._files import writing_whole
from delineate.data.coco_write import put_image
from delineate.data.cvat_shapes import CROWD
from delineate.data.sample import Dataset
from delineate.data.writing import masks_of
from delineate.errors import DataError

_SUBSETS = {"train": "Train", "val": "Validation", "test": "Test"}  # what CVAT calls them
_NOT_IN_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_CROWD_ATTRIBUTE = (
    f"<attribute><name>{CROWD}</name><mutable>False</mutable><input_type>checkbox</input_type>"
    "<default_value>false</default_value><values></values></attribute>"
)


def write_cvat(folder: Path, splits: Mapping[str, Dataset]) -> dict[str, list[str]]:
    """Write each split into a folder of its name; see `delineate.data.formats.Writer`.

    Raises:
        DataError: A name has characters that XML cannot hold, or an image has no masks.
    """
    for task, (split, dataset) in enumerate(splits.items(), start=1):
        for name in (*dataset.classes.names, *(record.name for record in dataset.records)):
            if _NOT_IN_XML.search(name):
                raise DataError(
                    f"{dataset.name}: expected names that XML can hold, got {name!r}: rename it."
                )
        with contextlib.ExitStack() as undo:
            for index in range(len(dataset)):
                put_image(dataset, index, folder / split / "images", undo)
            with writing_whole(folder / split / "annotations.xml") as file:
                for line in _lines(dataset, split, task):
                    file.write(f"{line}\n".encode())
            undo.pop_all()
    return {split: [r.name for r in dataset.records] for split, dataset in splits.items()}


def _lines(dataset: Dataset, split: str, task: int) -> Iterator[str]:
    yield '<?xml version="1.0" encoding="utf-8"?>'
    yield "<annotations>"
    yield "  <version>1.1</version>"
    yield "  <meta>"
    yield "    <task>"
    yield f"      <id>{task}</id>"
    yield f"      <name>{escape(split)}</name>"
    yield f"      <size>{len(dataset)}</size>"
    yield "      <mode>annotation</mode>"
    yield f"      <subset>{escape(_SUBSETS.get(split, split))}</subset>"
    yield "      <labels>"
    crowds = (dataset.instances(index).crowd for index in range(len(dataset)))
    attribute = _CROWD_ATTRIBUTE if any(c is not None and c.any() for c in crowds) else ""
    for label, name in enumerate(dataset.classes.names):
        colour = "#{:02x}{:02x}{:02x}".format(*dataset.classes.colour(label))
        yield (
            f"        <label><name>{escape(name)}</name><color>{colour}</color><type>any</type>"
            f"<attributes>{attribute}</attributes></label>"
        )
    yield "      </labels>"
    yield "    </task>"
    yield "  </meta>"
    for index in range(len(dataset)):
        yield from _image(dataset, index)
    yield "</annotations>"


def _image(dataset: Dataset, index: int) -> Iterator[str]:
    record = dataset.records[index]
    height, width = record.size
    name = quoteattr(record.name)
    yield f'  <image id="{index}" name={name} width="{width}" height="{height}">'
    yield from _masks(dataset, index)
    yield "  </image>"


def _masks(dataset: Dataset, index: int) -> Iterator[str]:
    """Yield the masks of an image; one without pixels is none."""
    instances, masks, crowd = masks_of(dataset, index)
    for i, label in enumerate(instances.labels.tolist()):
        crop, (left, top) = masks.crop(i)
        if not crop.size:
            continue
        height, width = crop.shape
        yield (
            f'    <mask label={quoteattr(dataset.classes.names[label])} source="manual" '
            f'occluded="0" rle="{_rle(crop)}" left="{left}" top="{top}" width="{width}" '
            f'height="{height}" z_order="{i}">'
        )
        if crowd[i]:
            yield f'      <attribute name="{CROWD}">true</attribute>'
        yield "    </mask>"


def _rle(crop: npt.NDArray[np.bool_]) -> str:
    """Return the lengths of background, foreground, background ... row by row."""
    pixels = crop.ravel()
    turns = np.flatnonzero(np.diff(pixels, prepend=False))
    lengths = np.diff([0, *turns.tolist(), pixels.size])
    return ", ".join(map(str, lengths.tolist()))
