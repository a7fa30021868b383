"""What a gallery holds of an image: a small picture, its objects as outlines, and its findings."""

import io
import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

import cv2
import numpy as np
import numpy.typing as npt
from PIL import Image

from delineate.core import boxes as box
from delineate.core.boxes import Size
from delineate.core.image import ImageArray
from delineate.core.instances import Instances
from delineate.core.outlines import into_picture
from delineate.core.sizes import size_of
from delineate.data.sample import Dataset
from delineate.errors import DataError
from delineate.quality.findings import Finding

LONG = 1000
"""The longer side of an image in the coordinates of its outlines."""

_SIDE = 256  # pixels of the longer side of a small picture
_LEAST_AREA = 4.0  # square units; smaller parts and holes are left out of outlines
_WEBP = {"quality": 75, "method": 2}


@dataclass(frozen=True, slots=True)
class Entry:
    """An image of a gallery.

    Attributes:
        webp: The small picture as a WebP file; empty where the image cannot be read.
        told: What the page knows of it, ready for JSON.
    """

    webp: bytes
    told: dict[str, Any]


def entry(
    dataset: Dataset,
    index: int,
    *,
    split: str,
    number: int,
    findings: Sequence[tuple[int, Finding]],
    home: Path,
    outlines: int,
) -> Entry:
    """Look at one image.

    An object is told as label * 8 + size * 2 + crowd, the largest first; the page knows that.

    Args:
        dataset: Where it is.
        index: Its position.
        split: The name of the split.
        number: And its number.
        findings: What was found in it, with the number of each kind.
        home: The folder of the page, to which the path of the picture is relative.
        outlines: How many objects are outlined at most.
    """
    record, instances = dataset.records[index], dataset.instances(index)
    areas = box.area(instances.boxes) if instances.masks is None else instances.masks.areas
    order = np.argsort(-areas, kind="stable")
    crowd = np.zeros(len(order), np.int64) if instances.crowd is None else instances.crowd
    codes = instances.labels * 8 + size_of(dataset.areas(index)) * 2 + crowd
    height, width = record.size
    told: dict[str, Any] = {
        "name": record.name,
        "split": number,
        "width": width,
        "height": height,
        "path": "" if record.path is None else relative_address(record.path, home),
        "objects": codes[order].tolist(),
        "outlines": [outline(instances, i) for i in order[:outlines].tolist()],
        "findings": [
            _told(finding, kind, (split, record.image_id), order, record.size)
            for kind, finding in findings
        ],
    }
    try:
        return Entry(_webp(dataset[index].image), told)
    except DataError as error:
        return Entry(b"", {**told, "broken": str(error)})


def outline(instances: Instances, i: int) -> str:
    """Return the outline of an object as the `d` of an SVG path; without masks, its box.

    Coordinates are whole units, `LONG` to the longer side of the image; lines are straightened by
    up to a unit or most of a pixel.
    """
    scale = LONG / max(instances.image_size)
    rings: Iterable[npt.NDArray[np.float32]]
    if instances.masks is None:
        rings = [instances.boxes[i][[[0, 1], [2, 1], [2, 3], [0, 3]]]]
    else:
        rings = instances.masks.polygons(i)
    return "".join(_ring(ring * np.float32(scale), max(0.72 * scale, 1.0)) for ring in rings)


def _ring(points: npt.NDArray[np.float32], tolerance: float) -> str:
    if abs(cv2.contourArea(points)) < _LEAST_AREA:
        return ""
    corners = np.rint(cv2.approxPolyDP(points, tolerance, True)[:, 0]).astype(np.int64)
    (x, y), steps = corners[0].tolist(), np.diff(corners, axis=0).ravel().tolist()
    return f"M{x} {y}l{' '.join(map(str, steps))}z".replace(" -", "-")


def relative_address(path: Path, home: Path) -> str:
    """Return how a page in `home` links to a file; empty where it cannot (another drive)."""
    try:
        way = os.path.relpath(path.absolute(), home.absolute())
    except ValueError:
        return ""
    return quote(os.fsencode(Path(way).as_posix()), safe="/")


def _webp(image: ImageArray) -> bytes:
    height, width = into_picture(image.shape[:2], _SIDE).target
    small = cv2.resize(image, (width, height), interpolation=cv2.INTER_AREA)
    file = io.BytesIO()
    Image.fromarray(np.asarray(small, np.uint8)).save(file, "WEBP", **_WEBP)
    return file.getvalue()


def _told(
    finding: Finding,
    kind: int,
    image: tuple[str, int],
    order: npt.NDArray[np.int64],
    size: Size,
) -> dict[str, Any]:
    """Return a finding as the page tells it: its objects by their place in `order`."""
    place = np.argsort(order)
    here = [p for p in (finding.place, *finding.others) if (p.split, p.image_id) == image]
    told: dict[str, Any] = {
        "kind": kind,
        "text": f"{finding.why}: {finding.fix}.",
        "objects": [int(place[i]) for p in here for i in p.objects if i < len(place)],
    }
    if here and here[0].box is not None:
        x0, y0, x1, y1 = (value * LONG / max(size) for value in here[0].box)
        told["box"] = [round(v, 1) for v in (x0, y0, x1 - x0, y1 - y0)]
    return told
