"""Panoptic images for everybody's tests: small, random, recorded, and as files.

truth = random_panoptic(seed)                    # rectangles, stuff, void, a crowd or two
path = tiny_coco_panoptic(tmp_path)              # val.json, val/*.png, images/*.png
for truth, found in golden_pairs(golden, classes):  # what the goldens of PQ hold
"""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from goldens import Golden
from PIL import Image

from delineate.core.classes import ClassMap
from delineate.core.panoptic import Panoptic, Segment, areas_by_id
from delineate.core.panoptic_classes import PanopticClasses

CLASSES = PanopticClasses(
    things=ClassMap(("cat", "dog"), (3, 8)), stuff=ClassMap(("sky", "road", "wall"), (5, 92, 100))
)


def panoptic(
    ids: Any,
    labels: dict[int, int],
    *,
    crowd: tuple[int, ...] = (),
    scores: dict[int, float] | None = None,
    classes: PanopticClasses = CLASSES,
) -> Panoptic:
    """Make a value from a map and the label of each id; areas are counted."""
    ids = np.asarray(ids, np.int32)
    areas = areas_by_id(ids)
    segments = tuple(
        Segment(id=i, label=label, area=areas[i], crowd=i in crowd, score=(scores or {}).get(i))
        for i, label in labels.items()
    )
    return Panoptic(ids=ids, segments=segments, classes=classes)


def random_panoptic(seed: int, size: tuple[int, int] = (24, 30)) -> Panoptic:
    """Rectangles of random classes over one another; some ids large, some void, some crowds.

    Scenes of seeds 2k and 2k + 1 differ a little only, so that about half of their segments match.
    """
    base, other = np.random.default_rng(seed // 2 + 2), np.random.default_rng(seed)
    ids = np.zeros(size, np.int32)
    labels: dict[int, int] = {}
    crowd = set[int]()
    for _ in range(14):
        y, x = (int(base.integers(0, side - 4)) for side in size)
        h, w = (int(v) for v in base.integers(4, 14, 2))
        label, is_crowd = int(base.integers(len(CLASSES))), base.random() < 0.25
        if seed % 2:
            y, x = y + int(other.integers(0, 3)), x + int(other.integers(0, 3))
            label = int(other.integers(len(CLASSES))) if other.random() < 0.15 else label
            is_crowd = False
        segment_id = int(other.integers(1, 1 << 24))
        ids[y : y + h, x : x + w] = segment_id
        labels[segment_id] = label
        if is_crowd:
            crowd.add(segment_id)
    seen = set(np.unique(ids).tolist())
    return panoptic(ids, {i: c for i, c in labels.items() if i in seen}, crowd=tuple(crowd))


def golden_pairs(golden: Golden, classes: PanopticClasses) -> Iterator[tuple[Panoptic, Panoptic]]:
    """Yield truth and prediction of each image of a golden of PQ."""
    count = sum(key.startswith("gt") and key.endswith(".id_map") for key in golden.file)
    for k in range(count):
        sides = []
        for side in ("gt", "pred"):
            records = golden.json(f"{side}{k}.segments_info")
            labels = {r["id"]: classes.label_of(r["category_id"]) for r in records}
            crowd = tuple(r["id"] for r in records if r.get("iscrowd"))
            sides.append(
                panoptic(golden[f"{side}{k}.id_map"], labels, crowd=crowd, classes=classes)
            )
        yield sides[0], sides[1]


def tiny_coco_panoptic(
    folder: Path, images: int = 3, *, name: str = "val", first_seed: int = 0
) -> Path:
    """Write random scenes as a data set by Pillow and json alone; return the path of its JSON.

    Image i (id 10 (i + 1)) is `random_panoptic(first_seed + 2 i)`; the last one is void.
    """
    (folder / "images").mkdir(parents=True, exist_ok=True)
    (folder / name).mkdir(exist_ok=True)
    content: dict[str, list[Any]] = {
        "images": [],
        "annotations": [],
        "categories": [
            {"id": i, "name": n, "isthing": int(CLASSES.is_thing(k)), "color": [0, 0, k]}
            for k, (i, n) in enumerate(zip(CLASSES.source_ids, CLASSES.names, strict=True))
        ],
    }
    for i in range(images):
        scene = random_panoptic(first_seed + 2 * i)
        if i == images - 1:
            scene = Panoptic.empty(scene.image_size, CLASSES)
        height, width = scene.image_size
        wide = scene.ids.astype(np.int64)
        colours = np.stack([wide % 256, wide // 256 % 256, wide // 65536], axis=-1)
        Image.fromarray(colours.astype(np.uint8)).save(folder / name / f"p{i}.png")
        grey = np.full((height, width, 3), 40 * i, np.uint8)
        Image.fromarray(grey).save(folder / "images" / f"p{i}.png")
        content["images"].append(
            {"id": 10 * (i + 1), "file_name": f"p{i}.png", "width": width, "height": height}
        )
        segments = [
            {
                "id": s.id,
                "category_id": CLASSES.source_id(s.label),
                "iscrowd": int(s.crowd),
                "area": s.area,
            }
            for s in scene.segments
        ]
        content["annotations"].append(
            {"image_id": 10 * (i + 1), "file_name": f"p{i}.png", "segments_info": segments}
        )
    path = folder / f"{name}.json"
    path.write_text(json.dumps(content))
    return path
