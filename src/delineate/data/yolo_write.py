"""Write data sets in YOLO's format for segmentation.

    data.yaml                       names, and the folders of the splits
    images/train/a.jpg              labels/train/a.txt

Objects are traced along the edges of their pixels, so that reading gives back the very masks. Crowd
regions, which the format cannot say, are left out, as ultralytics' own converter does.
"""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
import yaml

from delineate._files import write_whole
from delineate.data.sample import Dataset
from delineate.data.writing import common_classes, masks_of, put_images
from delineate.data.yolo_pictures import label_of

Ring = npt.NDArray[np.float32]


def write_yolo(folder: Path, splits: Mapping[str, Dataset]) -> dict[str, list[str]]:
    """Write splits; see `delineate.data.formats.Writer`."""
    names = common_classes(splits).names
    for split, dataset in splits.items():
        pictures = folder / "images" / split
        put_images(dataset, pictures)
        for index, record in enumerate(dataset.records):
            target = label_of(pictures / record.name)
            target.parent.mkdir(parents=True, exist_ok=True)
            write_whole(target, "".join(_lines(dataset, index)).encode())
    # ultralytics wants both of these keys, whatever they say
    places = {split: f"images/{split}" if split in splits else None for split in ("train", "val")}
    places |= {split: f"images/{split}" for split in splits}
    content = {**places, "names": dict(enumerate(names))}
    text = yaml.safe_dump(content, allow_unicode=True, sort_keys=False, width=1000)
    write_whole(folder / "data.yaml", text.encode())
    return {split: [r.name for r in dataset.records] for split, dataset in splits.items()}


def _lines(dataset: Dataset, index: int) -> Iterator[str]:
    found, masks, crowd = masks_of(dataset, index)
    height, width = found.image_size
    for i in np.flatnonzero(~crowd).tolist():
        rings = masks.polygons(i)
        if rings:
            corners = (joined(rings) / (width, height)).ravel().tolist()
            yield f"{found.labels[i]} {' '.join(f'{v:.10g}' for v in corners)}\n"


def joined(rings: Sequence[Ring]) -> npt.NDArray[np.float64]:
    """Join outlines to one, over bridges without width that are walked there and back.

    Each outline is joined to the one before it, near to where they are nearest, as ultralytics'
    ``merge_multi_segment`` does: along the first to its bridge, over it, along the second, ...,
    around the last, and back along the rest of each.

    Args:
        rings: ``(k, 2)`` corners each, of parts and holes.

    Returns:
        ``(n, 2)`` corners. By the even-odd rule it encloses what its parts enclose.
    """
    there, back = [], []
    entry = 0
    for ring, following in zip(rings, [*rings[1:], None], strict=True):
        walk = np.roll(ring, -entry, axis=0).astype(np.float64)
        if len(rings) > 1:
            walk = np.append(walk, walk[:1], axis=0)
        leave = len(walk)
        if following is not None:
            leave, entry = _nearest(walk, following)
        there.append(walk[: leave + 1])
        back.append(walk[leave:])
    return np.concatenate([*there, *back[::-1]])


def _nearest(a: npt.NDArray[np.float64], b: Ring) -> tuple[int, int]:
    """Return a corner of each outline that are near to one another, if not the nearest of all."""
    j = 0
    for _ in range(3):
        i = int(((a - b[j]) ** 2).sum(axis=1).argmin())
        j = int(((b - a[i]) ** 2).sum(axis=1).argmin())
    return i, j
