"""Small generated data sets for everybody's tests: real PNG files, masks known exactly.

    path = tiny_coco(tmp_path)                      # tmp_path/train.json, tmp_path/images/*.png
    scenes = tiny_scenes()                          # the same pictures and masks as arrays
    with edited(path) as content:                   # plant a fault
        del content["annotations"][0]["segmentation"]

Ids have gaps on purpose: images 10, 20, ..., categories 3, 7, ..., annotations 101, 104, ...
"""

import contextlib
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import hotcoco.mask
import numpy as np
from PIL import Image

Spelling = Literal["string", "counts", "polygons", "flat"]

CLASSES = ("disc", "box")


@dataclass
class Scene:
    """One picture and its objects: disjoint, wholly visible, brighter than the ground."""

    image: np.ndarray  # (h, w, 3) uint8
    bitmaps: list[np.ndarray]  # (h, w) bool each
    labels: list[int]
    crowd: list[bool]


def tiny_scenes(
    images: int = 4,
    classes: Sequence[str] = CLASSES,
    *,
    size: tuple[int, int] = (48, 64),
    objects: int = 3,
    crowd: bool = False,
    empty: bool = False,
    seed: int = 0,
) -> list[Scene]:
    """Draw pictures; classes alternate between a round and a rectangular shape.

    Args:
        images: How many pictures.
        classes: Their names; each object is of one of them in turn, so every class occurs.
        size: (height, width) of each.
        objects: Objects in each picture.
        crowd: Add a crowd region, a strip at the bottom, to the first picture.
        empty: Let the last picture show nothing.
        seed: Another seed, other places and sizes.
    """
    rng = np.random.default_rng(seed)
    scenes = [_draw(i, len(classes), size, objects, rng) for i in range(images)]
    if crowd:
        strip = np.zeros(size, bool)
        strip[-3:, 2:-2] = True
        scenes[0].bitmaps.append(strip)
        scenes[0].labels.append(0)
        scenes[0].crowd.append(True)
        scenes[0].image[strip] = 200
    if empty:
        ground = rng.integers(20, 60, (*size, 3), dtype=np.uint8)
        scenes[-1] = Scene(ground, [], [], [])
    return scenes


def tiny_coco(
    folder: Path,
    images: int = 4,
    classes: Sequence[str] = CLASSES,
    *,
    name: str = "train",
    spelling: Spelling = "string",
    size: tuple[int, int] = (48, 64),
    objects: int = 3,
    crowd: bool = False,
    empty: bool = False,
    seed: int = 0,
) -> Path:
    """Write what `tiny_scenes` draws as a COCO data set; return the path of its JSON.

    Args:
        folder: Receives `name`.json and images/.
        images: As for `tiny_scenes`, like all that is not named here.
        classes: As for `tiny_scenes`.
        name: The split; it is part of the pictures' names too, so splits can share a folder.
        spelling: How masks are written: RLE with a "string" or with a list of "counts",
            "polygons", or one "flat" polygon. Crowd regions always have a list of counts.
        size: As for `tiny_scenes`.
        objects: As for `tiny_scenes`.
        crowd: As for `tiny_scenes`.
        empty: As for `tiny_scenes`.
        seed: As for `tiny_scenes`.
    """
    scenes = tiny_scenes(
        images, classes, size=size, objects=objects, crowd=crowd, empty=empty, seed=seed
    )
    content: dict[str, list[dict[str, Any]]] = {
        "images": [],
        "annotations": [],
        "categories": [{"id": 3 + 4 * i, "name": word} for i, word in enumerate(classes)],
    }
    (folder / "images").mkdir(parents=True, exist_ok=True)
    for i, scene in enumerate(scenes):
        file_name = f"{name}_{i:02d}.png"
        Image.fromarray(scene.image).save(folder / "images" / file_name)
        height, width = size
        content["images"].append(
            {"id": 10 * (i + 1), "file_name": file_name, "width": width, "height": height}
        )
        for bitmap, label, is_crowd in zip(scene.bitmaps, scene.labels, scene.crowd, strict=True):
            content["annotations"].append(
                {
                    "id": 101 + 3 * len(content["annotations"]),
                    "image_id": 10 * (i + 1),
                    "category_id": 3 + 4 * label,
                    "segmentation": segmentation(bitmap, "counts" if is_crowd else spelling),
                    "area": int(bitmap.sum()),
                    "bbox": _xywh(bitmap),
                    "iscrowd": int(is_crowd),
                }
            )
    path = folder / f"{name}.json"
    path.write_text(json.dumps(content))
    return path


@contextlib.contextmanager
def edited(path: Path) -> Iterator[Any]:
    """Give the content of a JSON file to be changed, and write it back."""
    content = json.loads(path.read_text())
    yield content
    path.write_text(json.dumps(content))


def segmentation(bitmap: np.ndarray, spelling: Spelling) -> Any:
    """Write a bitmap in one of COCO's spellings.

    Polygons are for shapes that have no gap in any column; they rasterise to the very bitmap.
    """
    if spelling == "string":
        rle = hotcoco.mask.encode(np.asfortranarray(bitmap, np.uint8))
        return {"size": list(bitmap.shape), "counts": rle["counts"].decode()}
    if spelling == "counts":
        pixels = bitmap.ravel(order="F")
        turns = np.flatnonzero(np.diff(pixels, prepend=False)).tolist()
        counts = np.diff([0, *turns, pixels.size]).tolist()
        return {"size": list(bitmap.shape), "counts": counts}
    outline = _staircase(bitmap)
    return outline if spelling == "flat" else [outline]


def _draw(
    number: int, classes: int, size: tuple[int, int], objects: int, rng: np.random.Generator
) -> Scene:
    """Put each object into a cell of its own."""
    height, width = size
    image = rng.integers(20, 60, (*size, 3), dtype=np.uint8)
    rows = 1 if objects <= 3 else 2
    columns = max(1, -(-objects // rows))
    cell_h, cell_w = (height - 4) // rows, width // columns  # 4 rows are left for a crowd
    scene = Scene(image, [], [], [])
    for k in range(objects):
        label = (number + k) % classes
        radius = min(cell_h, cell_w) // 2 - 1 - int(rng.integers(0, 3))
        x = k % columns * cell_w + cell_w // 2 + int(rng.integers(-1, 2))
        y = k // columns * cell_h + cell_h // 2 + int(rng.integers(-1, 2))
        bitmap = _shape(label, (x, y), radius, size)
        image[bitmap] = np.array([(230, 120, 60), (60, 150, 230)][label % 2]) + 5 * k
        scene.bitmaps.append(bitmap)
        scene.labels.append(label)
        scene.crowd.append(False)
    return scene


def _shape(label: int, centre: tuple[int, int], radius: int, size: tuple[int, int]) -> np.ndarray:
    dy, dx = np.mgrid[: size[0], : size[1]].astype(float)
    dx, dy = dx - centre[0], dy - centre[1]
    if label % 2 == 0:
        return dx * dx + dy * dy <= radius * radius
    return (abs(dx) <= radius) & (abs(dy) <= max(1, radius - 2))


def _staircase(bitmap: np.ndarray) -> list[int]:
    """Walk along the pixels' edges: the upper side to the right, the lower side back."""
    columns = np.flatnonzero(bitmap.any(axis=0)).tolist()
    upper = [int(np.flatnonzero(bitmap[:, x])[0]) for x in columns]
    lower = [int(np.flatnonzero(bitmap[:, x])[-1]) + 1 for x in columns]
    there = [v for x, y in zip(columns, upper, strict=True) for v in (x, y, x + 1, y)]
    back = [v for x, y in zip(columns, lower, strict=True) for v in (y, x, y, x + 1)]
    return there + back[::-1]


def _xywh(bitmap: np.ndarray) -> list[int]:
    ys, xs = np.nonzero(bitmap)
    return [
        int(xs.min()),
        int(ys.min()),
        int(xs.max() - xs.min()) + 1,
        int(ys.max() - ys.min()) + 1,
    ]
