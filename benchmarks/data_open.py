"""Opening a data set of COCO's size: ours against pycocotools and supervision.

    python benchmarks/data_open.py [--images 118287] [--objects 860001] [--rounds 3]

The annotations are made up, with COCO train2017's counts: 7.3 objects an image, 45 numbers an
outline, one object in a hundred a crowd in run lengths; about 450 MB of JSON. The pictures are
there, too, as links to a few files, because ours looks at the header and the end of each; the
others do not look (ours is also timed without). Every reading is a fresh process, the three take
turns, figures are medians; memory is the most that the process held.

supervision is no dependency: `pip install supervision` brings it, and it is left out without. It
decodes every outline to a bitmap of its image when it opens a data set, so it is measured on a
share of the images and both its time and its memory are also given for the whole, in proportion.
"""

import argparse
import importlib.util
import json
import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
from PIL import Image

from machine import describe, save

PROFILE = bytes(3144)  # as long as sRGB's, of which about half of COCO's pictures have one
SIZES = ((480, 640), (640, 480), (427, 640), (640, 640))
POINTS = 22.5  # of an outline, on average
SHARE = 0.01  # of the images, for what decodes all of them

OURS = (
    "from delineate.data.coco import read_coco as f; d = f({path!r}, images={images!r}); n = len(d)"
)
BARE = (
    "from delineate.data import coco; coco.check_images.__globals__['found'] = "
    "lambda record, folders: record; d = coco.read_coco({path!r}, images={images!r}); n = len(d)"
)
THEIRS = (
    "import contextlib, io\n"
    "from pycocotools.coco import COCO\n"
    "with contextlib.redirect_stdout(io.StringIO()):\n    d = COCO({path!r})\n"
    "n = len(d.imgs)"
)
SUPERVISION = (
    "import supervision as sv; d = sv.DetectionDataset.from_coco({images!r}, {path!r}, "
    "force_masks=True); n = len(d)"
)
MEASURE = """
import json, resource, sys, time
start = time.perf_counter()
{code}
seconds = time.perf_counter() - start
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
print(json.dumps({{"seconds": seconds, "megabytes": peak, "images": n}}))
"""


def make(folder: Path, images: int, objects: int, seed: int = 0) -> Path:
    """Write the annotations, and links to a few pictures for all images."""
    rng = np.random.default_rng(seed)
    pictures = folder / "images"
    pictures.mkdir(parents=True)
    for i, size in enumerate(SIZES):
        noise = rng.integers(0, 256, (*size, 3), dtype=np.uint8)
        picture = Image.fromarray(noise).resize((size[1], size[0]))
        picture.save(folder / f"{i}.jpg", quality=30, icc_profile=PROFILE if i % 2 else b"")
    names = [f"{i:012d}.jpg" for i in range(images)]
    for i, name in enumerate(names):
        os.link(folder / f"{i % len(SIZES)}.jpg", pictures / name)
    path = folder / "instances_train.json"
    with path.open("w") as file:
        listed = [
            {"id": i, "file_name": n, "height": SIZES[i % 4][0], "width": SIZES[i % 4][1]}
            for i, n in enumerate(names)
        ]
        file.write('{"info": {}, "licenses": [], "images": ' + json.dumps(listed))
        file.write(', "annotations": [')
        for i in range(objects):
            file.write((", " if i else "") + json.dumps(annotation(i, images, rng)))
        categories = [{"id": k, "name": f"class {k}"} for k in range(1, 81)]
        file.write('], "categories": ' + json.dumps(categories) + "}")
    return path


def annotation(i: int, images: int, rng: np.random.Generator) -> dict:
    """Make one object up: an outline, or, one in a hundred, a crowd of many runs."""
    owner = int(rng.integers(images))
    height, width = SIZES[owner % 4]
    x, y = rng.uniform(0.2, 0.8, 2) * (width, height)
    radius = rng.uniform(5, 90)
    if i % 100 == 99:
        counts = rng.integers(1, 40, 2 * 300).tolist()
        counts.append(height * width - sum(counts))
        segmentation: object = {"size": [height, width], "counts": counts}
    else:
        points = max(int(rng.poisson(POINTS)), 3)
        angles = np.sort(rng.uniform(0, 2 * np.pi, points))
        radii = radius * rng.uniform(0.7, 1.0, points)
        outline = np.stack([x + radii * np.cos(angles), y + radii * np.sin(angles)], axis=1)
        segmentation = [outline.round(2).ravel().tolist()]
    return {
        "segmentation": segmentation,
        "area": round(float(radius**2 * 2.5), 4),
        "iscrowd": int(i % 100 == 99),
        "image_id": owner,
        "bbox": [round(float(v), 2) for v in (x - radius, y - radius, 2 * radius, 2 * radius)],
        "category_id": int(rng.integers(1, 81)),
        "id": i,
    }


def measured(code: str, path: Path) -> dict:
    """Open the data set in a fresh process."""
    filled = code.format(path=str(path), images=str(path.parent / "images"))
    run = subprocess.run(
        [sys.executable, "-c", MEASURE.format(code=filled)], capture_output=True, text=True
    )
    if run.returncode:
        raise SystemExit(run.stderr)
    return json.loads(run.stdout)


def main() -> None:
    """Run all rounds and save the medians."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--images", type=int, default=118_287)
    parser.add_argument("--objects", type=int, default=860_001)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        whole = make(Path(folder) / "whole", options.images, options.objects)
        codes = {"delineate": OURS, "delineate, no pictures": BARE, "pycocotools": THEIRS}
        places = dict.fromkeys(codes, whole)
        if importlib.util.find_spec("supervision"):
            codes["supervision"] = SUPERVISION
            few = [max(round(SHARE * n), 1) for n in (options.images, options.objects)]
            places["supervision"] = make(Path(folder) / "part", *few)
        else:
            print("supervision is left out: pip install supervision brings it")
        rounds: dict[str, list[dict]] = {name: [] for name in codes}
        for number in range(options.rounds):
            for name, code in codes.items():
                result = measured(code, places[name])
                rounds[name].append(result)
                print(
                    f"round {number + 1}, {name}: {result['seconds']:.1f} s, "
                    f"{result['megabytes']:.0f} MB for {result['images']} images",
                    flush=True,
                )
        size = whole.stat().st_size
    medians = {
        name: {key: statistics.median(r[key] for r in runs) for key in ("seconds", "megabytes")}
        | {"images": runs[0]["images"]}
        for name, runs in rounds.items()
    }
    result = {
        "images": options.images,
        "objects": options.objects,
        "json_megabytes": round(size / 1e6),
        "rounds": options.rounds,
        "median": medians,
    }
    for name in medians:
        print(f"{name}: {medians[name]}")
    save("data_open", {"machine": describe("numpy", "pycocotools", "supervision"), **result})


if __name__ == "__main__":
    main()
