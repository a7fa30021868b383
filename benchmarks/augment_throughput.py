r"""Augmentation of images with their instance masks: ours, torchvision's v2, albumentations.

    python benchmarks/augment_throughput.py DATA [DATA ...] [--images 4] [--rounds 5]

The pipeline of all three: fit into 512 pixels, zoom by 0.5 to 2, drawn evenly, rotate by up to 10
degrees, flip left and right, crop or pad to 512 x 512 blindly, change brightness, contrast,
saturation (0.2) and hue (0.02), all drawn anew for every image and round. They get the same decoded
pictures with the same objects, prepared in the form each likes best (ours: run lengths; theirs: one
dense uint8 mask an object, boxes and labels; albumentations takes more than a few masks faster as a
list than as one array), on one thread.
Theirs are run twice over: step by step as their guides show it, and with zoom, shift and rotation
as one affine map (`one_map`), which sees other parts of the picture but interpolates once, as ours
does; the ratio is to the fastest of the four. Ours makes boxes from the moved masks and drops
objects of which little is left; theirs move the boxes. Where a picture becomes smaller than half,
ours averages pixels first; theirs are asked not to antialias.

Contestants take turns image by image in one process. A contestant's time for an image is the median
of its rounds; images a second are those of all images together. Then the same in two processes at
once, whose images a second are added. Before anything is timed, all must agree on where the masks
of a fixed rotation, zoom and flip lie.

Albumentations (MIT) needs an environment of its own beside the project's, here the folder `peers`:

    python -m venv peers
    peers/bin/pip install --no-deps albumentations==2.0.8 albucore==0.0.24 \
        "stringzilla<4" "simsimd<7"
    python -c "import numpy, pathlib; print(pathlib.Path(numpy.__file__).parents[1])" \
        > $(echo peers/lib/python3*/site-packages)/project.pth
    PYTHONPATH=src peers/bin/python benchmarks/augment_throughput.py DATA

Without it the two others are compared, and the result says so.
"""

import argparse
import json
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import cv2
import numpy as np
import torch
from torchvision import tv_tensors
from torchvision.transforms import v2

from delineate.core.geometry import Geometry
from delineate.core.masks import Masks
from delineate.core.preprocess import Preprocess
from delineate.data.formats import open_splits
from delineate.data.sample import Sample
from delineate.transforms.augment import AugmentConfig, training
from delineate.transforms.base import Compose
from machine import describe, save

try:
    import albumentations
except ImportError:
    albumentations = None

SIDE, ZOOM, DEGREES, COLOUR, HUE = 512, (0.5, 2.0), 10.0, 0.2, 0.02
FEW = 4  # masks that albumentations takes faster as one array
ABSENT = "albumentations is not installed here: see the head of benchmarks/augment_throughput.py"


@dataclass(frozen=True)
class Case:
    """One image in the forms that the contestants take."""

    sample: Sample
    masks: np.ndarray | list[np.ndarray]
    """n times (height, width) uint8"""
    tensors: dict[str, torch.Tensor]


Seed = tuple[int, int, int]
"""Worker, round and image: no two changes draw the same numbers."""

Contestant = Callable[[Case, Seed], object]
"""Changes a case; those that draw from a generator of their own ignore the seed."""


def case_of(sample: Sample) -> Case:
    """Prepare an image."""
    found = sample.instances
    masks = found.masks.to_dense().astype(np.uint8)
    boxes = torch.tensor(found.boxes)
    tensors = {
        "image": tv_tensors.Image(torch.tensor(sample.image).permute(2, 0, 1).contiguous()),
        "boxes": tv_tensors.BoundingBoxes(boxes, format="XYXY", canvas_size=found.image_size),
        "masks": tv_tensors.Mask(torch.tensor(masks)),
        "labels": torch.tensor(found.labels),
    }
    return Case(sample, list(masks) if len(masks) > FEW else masks, tensors)


# -- the contestants -------------------------------------------------------------------------


def ours() -> Contestant:
    """Return the chain that training uses, but for windows: these ignore where objects are."""
    options = AugmentConfig(
        crop=SIDE,
        scale=ZOOM,
        large_scale=True,
        rotate=DEGREES,
        flip=0.5,
        brightness=COLOUR,
        contrast=COLOUR,
        saturation=COLOUR,
        hue=HUE,
    )
    rule = Preprocess(min_size=SIDE, max_size=SIDE)
    expose, warp, colour = training(options, preprocess=rule).transforms
    resize, jitter, *turns = warp.steps
    warp = replace(warp, steps=(resize, replace(jitter, near_object=0.0), *turns))
    chain = Compose((expose, warp, colour))
    return lambda case, seed: chain(case.sample, np.random.default_rng(seed))


def of_torchvision(*, one_map: bool) -> Contestant:
    """Return torchvision's chain, without antialiasing, which costs time."""
    linear = v2.InterpolationMode.BILINEAR
    steps = [
        v2.ScaleJitter((SIDE, SIDE), ZOOM, antialias=False),
        v2.RandomRotation(DEGREES, interpolation=linear),
        v2.RandomHorizontalFlip(),
        v2.RandomCrop(SIDE, pad_if_needed=True),
    ]
    affine = [
        v2.Resize(size=None, max_size=SIDE, antialias=False),
        v2.CenterCrop(SIDE),  # pads, too
        v2.RandomAffine(DEGREES, translate=(0.3, 0.3), scale=ZOOM, interpolation=linear),
        v2.RandomHorizontalFlip(),
    ]
    colour = v2.ColorJitter(COLOUR, COLOUR, COLOUR, HUE)
    chain = v2.Compose([*(affine if one_map else steps), colour, v2.SanitizeBoundingBoxes()])
    return lambda case, seed: chain(case.tensors)


def of_albumentations(*, one_map: bool, seed: int) -> Contestant:
    """Return albumentations' chain, which draws on and on from one seed."""
    a = albumentations
    steps = [
        a.LongestMaxSize(range(int(ZOOM[0] * SIDE), int(ZOOM[1] * SIDE) + 1)),
        a.Rotate((-DEGREES, DEGREES), p=1),
        a.HorizontalFlip(p=0.5),
        a.RandomCrop(SIDE, SIDE, pad_if_needed=True, pad_position="random"),
    ]
    affine = [
        a.LongestMaxSize(SIDE),
        a.PadIfNeeded(SIDE, SIDE),
        a.Affine(
            scale=ZOOM,
            translate_percent=(-0.3, 0.3),
            rotate=(-DEGREES, DEGREES),
            keep_ratio=True,
            p=1,
        ),
        a.HorizontalFlip(p=0.5),
    ]
    ends = (1 - COLOUR, 1 + COLOUR)
    colour = a.ColorJitter(ends, ends, ends, (-HUE, HUE), p=1)
    boxes = a.BboxParams("pascal_voc", label_fields=["labels"], min_visibility=0.25)
    chain = a.Compose([*(affine if one_map else steps), colour], bbox_params=boxes, seed=seed)

    def run(case: Case, seed: Seed) -> object:
        found = case.sample.instances
        return chain(
            image=case.sample.image, masks=case.masks, bboxes=found.boxes, labels=found.labels
        )

    return run


def contestants(worker: int) -> dict[str, Contestant]:
    """Return all that can be run here."""
    torch.manual_seed(worker)  # torchvision's
    found = {
        "delineate": ours(),
        "torchvision": of_torchvision(one_map=False),
        "torchvision one_map": of_torchvision(one_map=True),
    }
    if albumentations is not None:
        found["albumentations"] = of_albumentations(one_map=False, seed=worker)
        found["albumentations one_map"] = of_albumentations(one_map=True, seed=worker)
    return found


# -- do they mean the same? ------------------------------------------------------------------


def agreement(case: Case, degrees: float = 7.0, zoom: float = 0.9) -> dict[str, float]:
    """Return, of each, the median overlap of its masks with ours after one fixed change.

    Raises:
        SystemExit: One puts the masks elsewhere.
    """
    size = case.sample.instances.image_size
    middle = np.array([size[1] / 2, size[0] / 2])
    cos, sin = zoom * np.cos(np.deg2rad(degrees)), zoom * np.sin(np.deg2rad(degrees))
    linear = np.array([[cos, sin], [-sin, cos]])
    matrix = np.column_stack([linear, middle - linear @ middle])
    geometry = Geometry.affine(size, matrix, size).then(Geometry.flip(size))
    wanted = case.sample.instances.masks.warp(geometry)
    turned = v2.functional.affine(
        case.tensors["masks"], angle=-degrees, translate=[0, 0], scale=zoom, shear=[0, 0]
    )
    found = {"torchvision": v2.functional.horizontal_flip(turned).numpy()}
    if albumentations is not None:
        turn = albumentations.Affine(scale=zoom, rotate=(degrees, degrees), p=1)
        chain = albumentations.Compose([turn, albumentations.HorizontalFlip(p=1)])
        found["albumentations"] = chain(image=case.sample.image, masks=case.masks)["masks"]
    overlaps = {}
    for name, masks in found.items():
        theirs = Masks.from_bitmaps(list(masks), size)
        ious = np.diag(wanted.iou(theirs))[wanted.areas > 100]
        overlaps[name] = round(float(np.median(ious)), 4)
        if overlaps[name] < 0.95:
            raise SystemExit(f"{name} puts the masks elsewhere: {overlaps}")
    return overlaps


# -- the clock -------------------------------------------------------------------------------


def time_all(cases: list[Case], rounds: int, worker: int) -> dict[str, list[list[float]]]:
    """Return seconds by contestant, image and round; the contestants take turns."""
    runs = contestants(worker)
    times: dict[str, list[list[float]]] = {name: [[] for _ in cases] for name in runs}
    names = list(runs)
    for number in range(rounds + 1):  # the first round warms up
        for i, case in enumerate(cases):
            for name in names:
                start = time.perf_counter()
                runs[name](case, (worker, number, i))
                spent = time.perf_counter() - start
                if number:
                    times[name][i].append(spent)
            names = names[1:] + names[:1]
    return times


def images_per_second(times: list[list[float]]) -> float:
    """Return how many images are made in a second, each in the median of its rounds."""
    return len(times) / sum(statistics.median(rounds) for rounds in times)


def open_cases(folder: Path, images: int) -> list[Case]:
    """Return images of a data set, at equal distances."""
    splits = open_splits(folder, on_error="skip")
    dataset = splits.get("train") or next(iter(splits.values()))
    chosen = np.linspace(0, len(dataset) - 1, images).round().astype(int)
    return [case_of(dataset[i]) for i in sorted(set(chosen.tolist()))]


def measure(folder: Path, images: int, rounds: int) -> dict:
    """Measure one data set: in this process, then in two at once."""
    cases = open_cases(folder, images)
    agreed = agreement(max(cases, key=lambda case: len(case.masks)))
    alone = {k: images_per_second(v) for k, v in time_all(cases, rounds, 0).items()}
    command = [sys.executable, __file__, str(folder)]
    command += ["--images", str(images), "--rounds", str(rounds), "--worker"]
    workers = [
        subprocess.Popen([*command, number], stdout=subprocess.PIPE, text=True) for number in "12"
    ]
    answers = [json.loads(worker.communicate()[0].splitlines()[-1]) for worker in workers]
    together = {name: sum(answer[name] for answer in answers) for name in alone}
    sizes = [case.sample.instances.image_size for case in cases]
    return {
        "images": len(cases),
        "median_size": np.median(sizes, axis=0).astype(int).tolist(),
        "objects_per_image": round(float(np.mean([len(case.masks) for case in cases])), 1),
        "mask_overlap_with_ours": agreed,
        "one_process": summary(alone),
        "two_processes": summary(together),
    }


def summary(speeds: dict[str, float]) -> dict:
    """Return images a second, and how much faster ours is than each, and than the fastest."""
    own = speeds["delineate"]
    peers = {name: speed for name, speed in speeds.items() if name != "delineate"}
    steps = {name: speed for name, speed in peers.items() if "one_map" not in name}
    return {
        "images_per_second": {name: round(speed, 1) for name, speed in speeds.items()},
        "times_faster_than": {name: round(own / speed, 2) for name, speed in peers.items()},
        "times_faster_than_the_fastest_by_steps": round(own / max(steps.values()), 2),
        "times_faster_than_the_fastest": round(own / max(peers.values()), 2),
    }


def main() -> None:
    """Measure and write ``results/augment_throughput.json``."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", type=Path, nargs="+")
    parser.add_argument("--images", type=int, default=4)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--worker", type=int, help="print images a second, as JSON; its number")
    options = parser.parse_args()
    torch.set_num_threads(1)
    cv2.setNumThreads(0)
    if options.worker is not None:
        cases = open_cases(options.data[0], options.images)
        times = time_all(cases, options.rounds, options.worker)
        print(json.dumps({name: images_per_second(spent) for name, spent in times.items()}))
        return
    if albumentations is None:
        print(ABSENT, file=sys.stderr)
    packages = ("numpy", "opencv-python-headless", "torch", "torchvision", "albumentations")
    result = {
        "pipeline": {"side": SIDE, "zoom": ZOOM, "degrees": DEGREES, "colour": COLOUR, "hue": HUE},
        "rounds": options.rounds,
        "left_out": [ABSENT] if albumentations is None else [],
        "machine": describe(*packages),
        "data": {},
    }
    for folder in options.data:
        found = measure(folder, options.images, options.rounds)
        result["data"][folder.name] = found
        print(folder.name, json.dumps(found, indent=1))
    print(save("augment_throughput", result))


if __name__ == "__main__":
    main()
