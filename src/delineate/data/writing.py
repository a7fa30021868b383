"""What writers of formats share: pictures put into a folder, masks and classes made sure of."""

import contextlib
import io
from collections.abc import Iterable, Mapping
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image

from delineate._files import output_error
from delineate.core.classes import ClassMap
from delineate.core.instances import Instances
from delineate.core.masks import Masks
from delineate.core.rle import Bitmap
from delineate.data.coco_write import put_image
from delineate.data.sample import Dataset
from delineate.errors import DataError


def put_images(dataset: Dataset, folder: Path) -> None:
    """Copy or make all pictures of a data set; where that fails, none is left.

    Raises:
        OutputError: The folder cannot be written to.
    """
    with contextlib.ExitStack() as undo:
        for index in range(len(dataset)):
            put_image(dataset, index, folder, undo)
        undo.pop_all()


def put_bytes(path: Path, data: bytes) -> None:
    """Write one of thousands of small files, without waiting for the disk; make its folder.

    Raises:
        OutputError: The place cannot be written.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    except OSError as error:
        raise output_error(path, error) from error


def put_lines(path: Path, lines: Iterable[str]) -> None:
    """Write one of many small files of text; see `put_bytes`."""
    put_bytes(path, "".join(f"{line}\n" for line in lines).encode())


def check_names(splits: Mapping[str, Dataset]) -> None:
    """Make sure that names can be written as text: a file's may be bytes that are no UTF-8.

    Raises:
        DataError: One cannot.
    """
    for dataset in splits.values():
        for name in (*dataset.classes.names, *(record.name for record in dataset.records)):
            try:
                name.encode()
            except UnicodeEncodeError:
                raise DataError(
                    f"{dataset.name}: expected names in UTF-8, got {name!r}: rename it."
                ) from None


def put_png(path: Path, values: Bitmap | npt.NDArray[np.uint8] | npt.NDArray[np.uint16]) -> None:
    """Write a mask or a map as a PNG of 1, 8 or 16 bits; see `put_bytes`.

    Args:
        path: Where.
        values: ``(h, w)``.

    Raises:
        OutputError: The place cannot be written.
    """
    encoded = io.BytesIO()
    Image.fromarray(values).save(encoded, "PNG", compress_level=1)
    put_bytes(path, encoded.getvalue())


def masks_of(dataset: Dataset, index: int) -> tuple[Instances, Masks, npt.NDArray[np.bool_]]:
    """Return the instances of an image, their masks, and which of them are crowds.

    Raises:
        DataError: There are boxes only.
    """
    found = dataset.instances(index)
    if found.masks is None:
        raise DataError(
            f"{dataset.name}: expected masks, but image {dataset.records[index].name!r} has boxes "
            "only: no format of masks can hold it."
        )
    crowd = np.zeros(len(found), dtype=bool) if found.crowd is None else found.crowd
    return found, found.masks, crowd


def common_classes(splits: Mapping[str, Dataset]) -> ClassMap:
    """Return the classes of all splits, for a format that has one list of them.

    Raises:
        DataError: They differ from split to split.
    """
    first, *others = splits
    classes = splits[first].classes
    for other in others:
        if splits[other].classes.names != classes.names:
            raise DataError(
                f"expected splits of the same classes, but those of {first!r} are "
                f"{_some(classes)}, and those of {other!r} {_some(splits[other].classes)}: give "
                "both the same list, in the same order."
            )
    return classes


def _some(classes: ClassMap) -> str:
    return ", ".join(classes.names[:5]) + ("..." if len(classes) > 5 else "")
