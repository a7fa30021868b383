"""Pictures that look like photographs, made by chance, and data sets of them as COCO files."""

import json
from collections.abc import Sequence
from functools import cache
from pathlib import Path

import cv2
import numpy as np
from PIL import Image

SIZE = (240, 320)


@cache
def photograph(seed: int, size: tuple[int, int] = SIZE) -> np.ndarray:
    """Blobs of all sizes and colours: the coarse ones decide what it looks like from afar."""
    rng = np.random.default_rng(seed)
    image = np.full((*size, 3), 128.0)
    for cells, contrast in ((3, 60), (6, 40), (14, 30), (40, 25), (120, 12)):
        noise = rng.normal(0, contrast, (cells, round(cells * size[1] / size[0]), 3))
        image += cv2.resize(noise, (size[1], size[0]), interpolation=cv2.INTER_CUBIC)
    return np.clip(image, 0, 255).astype(np.uint8)


def with_disc(image: np.ndarray, x: int, y: int, radius: int) -> np.ndarray:
    return cv2.circle(image.copy(), (x, y), radius, (250, 40, 30), -1)


def circle(x: float, y: float, radius: float, points: int = 40) -> list[float]:
    turn = np.linspace(0, 2 * np.pi, points, endpoint=False)
    return np.column_stack([x + radius * np.cos(turn), y + radius * np.sin(turn)]).ravel().tolist()


def write_set(
    folder: Path,
    split: str,
    pictures: Sequence[np.ndarray | bytes],
    outlines: Sequence[Sequence[object]],
    *,
    labels: Sequence[Sequence[int]] | None = None,
    classes: Sequence[str] = ("disc", "square"),
    sizes: Sequence[tuple[int, int]] | None = None,
) -> Path:
    """Write a split of a COCO folder; what is bytes is written as the file it is.

    Args:
        folder: Where.
        split: Its name.
        pictures: The images.
        outlines: Of each, the polygons (flat lists) or RLEs of its objects.
        labels: Of each, the classes of its objects; all 0 by default.
        classes: Their names.
        sizes: (height, width) of each; those of the arrays by default.
    """
    (folder / "images").mkdir(parents=True, exist_ok=True)
    images, annotations = [], []
    for i, (picture, objects) in enumerate(zip(pictures, outlines, strict=True)):
        name = f"{split}_{i:03d}.png"
        if isinstance(picture, bytes):
            (folder / "images" / name).write_bytes(picture)
            height, width = sizes[i] if sizes else SIZE
        else:
            Image.fromarray(picture).save(folder / "images" / name)
            height, width = picture.shape[:2]
        images.append({"id": i + 1, "file_name": name, "width": width, "height": height})
        for k, outline in enumerate(objects):
            annotations.append(
                {
                    "id": len(annotations) + 1,
                    "image_id": i + 1,
                    "category_id": (labels[i][k] if labels else 0) + 1,
                    "segmentation": [outline] if isinstance(outline, list) else outline,
                    "iscrowd": 0,
                }
            )
    content = {
        "images": images,
        "annotations": annotations,
        "categories": [{"id": i + 1, "name": name} for i, name in enumerate(classes)],
    }
    path = folder / f"{split}.json"
    path.write_text(json.dumps(content))
    return path
