"""Near-duplicates: which changed copies of real pictures are found, and how long it takes.

    python benchmarks/near_duplicates.py DATA... [--copies 8] [--time 5000 20000 100000]

DATA are folders in any known format. Of each, some pictures are changed in every way of `CHANGES`
and put beside the originals: a copy is found if it is joined to its original; a pair of pictures
that come from different ones is a false alarm. Times are those of the comparison alone, for parts
of these pictures cut out at random, a hundredth of them mirrored copies; reading is timed beside.
"""

import argparse
import io
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
from PIL import Image

from delineate.data.formats import open_splits
from delineate.quality.likeness import alike
from delineate.quality.signatures import SIDE, Signatures, _thumbnail, signatures
from machine import describe, save

Picture = np.ndarray


def _jpeg(image: Picture, quality: int) -> Picture:
    file = io.BytesIO()
    Image.fromarray(image).save(file, "JPEG", quality=quality)
    return np.array(Image.open(file))


def _cut(share: float) -> Callable[[Picture], Picture]:
    """Cut off so much of every side, twice as much on the left."""

    def cut(a: Picture) -> Picture:
        h, w = a.shape[:2]
        rows, columns = int(h * share / 3), int(w * share / 3)
        return a[rows : h - rows, 2 * columns : w - columns]

    return cut


def _turned(a: Picture) -> Picture:
    h, w = a.shape[:2]
    matrix = cv2.getRotationMatrix2D((w / 2, h / 2), 1.5, 1.03)
    return cv2.warpAffine(a, matrix, (w, h), borderMode=cv2.BORDER_REFLECT)


def _captioned(a: Picture) -> Picture:
    out = a.copy()
    out[: a.shape[0] // 14, : a.shape[1] // 3] = 255
    return out


CHANGES: dict[str, Callable[[Picture], Picture]] = {
    "JPEG of quality 30": lambda a: _jpeg(a, 30),
    "half the size": lambda a: cv2.resize(a, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA),
    "darker": lambda a: (a * 0.6).astype(np.uint8),
    "brighter, cut off at white": lambda a: np.clip(a * 1.15 + 15, 0, 255).astype(np.uint8),
    "gamma 0.7": lambda a: (255 * (a / 255) ** 0.7).astype(np.uint8),
    "noise of 12": lambda a: np.clip(
        a + np.random.default_rng(0).normal(0, 12, a.shape), 0, 255
    ).astype(np.uint8),
    "mirrored": lambda a: a[:, ::-1],
    "upside down": lambda a: a[::-1],
    "a quarter turn": lambda a: np.rot90(a),
    "transposed": lambda a: a.transpose(1, 0, 2),
    "mirrored, JPEG of quality 30": lambda a: _jpeg(np.ascontiguousarray(a[:, ::-1]), 30),
    "3% cut off": _cut(0.03),
    "6% cut off": _cut(0.06),
    "12% cut off": _cut(0.12),
    "mirrored, 6% cut off": lambda a: _cut(0.06)(a)[:, ::-1],
    "turned by 1.5 degrees": _turned,
    "a white caption": _captioned,
}


def found_and_false(images: list[Picture], copies: int) -> tuple[Counter, Counter, int]:
    """Return of each change how many copies were made and found, and the false alarms."""
    rng = np.random.default_rng(0)
    thumbnails, source, change_of = [_thumbnail(a) for a in images], list(range(len(images))), {}
    for name, change in CHANGES.items():
        for i in rng.permutation(len(images))[:copies].tolist():
            change_of[len(thumbnails)] = name
            source.append(i)
            thumbnails.append(_thumbnail(np.ascontiguousarray(change(images[i]))))
    pairs = alike(_signatures(np.array(thumbnails)))
    ends = list(zip(pairs.first.tolist(), pairs.second.tolist(), strict=True))
    group = list(range(len(thumbnails)))
    for i, j in ends:
        group = [group[i] if g == group[j] else g for g in group]
    made = Counter(change_of.values())
    found = Counter(n for k, n in change_of.items() if group[k] == group[source[k]])
    false = {(source[i], source[j]) for i, j in ends if source[i] != source[j]}
    return made, found, len(false)


def timed(images: list[Picture], count: int) -> dict[str, float]:
    """Compare so many parts of pictures."""
    rng = np.random.default_rng(0)
    greys = [cv2.cvtColor(a, cv2.COLOR_RGB2GRAY) for a in images]
    thumbnails = np.zeros((count, SIDE, SIDE), np.uint8)
    for thumbnail in thumbnails:
        grey = greys[rng.integers(len(greys))]
        h, w = grey.shape
        side = int(min(h, w) * rng.uniform(0.3, 0.6))
        y, x = rng.integers(0, h - side), rng.integers(0, w - side)
        part = grey[y : y + side, x : x + side]
        cv2.resize(part, (SIDE, SIDE), dst=thumbnail, interpolation=cv2.INTER_AREA)
    thumbnails[::100] = np.roll(thumbnails, 57, axis=0)[::100, :, ::-1]
    start = time.perf_counter()
    pairs = alike(_signatures(thumbnails))
    return {"seconds": round(time.perf_counter() - start, 1), "pairs": len(pairs)}


def _signatures(thumbnails: np.ndarray) -> Signatures:
    names = tuple(str(i).encode() for i in range(len(thumbnails)))
    return Signatures(names, thumbnails, np.zeros((len(thumbnails), 1), np.float32))


def main() -> None:
    """Measure, print and save."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", nargs="+", type=Path)
    parser.add_argument("--copies", type=int, default=8, help="of each change, in each folder")
    parser.add_argument("--most", type=int, default=120, help="pictures of a folder")
    parser.add_argument("--time", type=int, nargs="*", default=[5_000, 20_000])
    options = parser.parse_args()
    made, found, false, reading, everything = Counter(), Counter(), {}, {}, []
    for folder in options.data:
        datasets = list(open_splits(folder, on_error="skip").values())
        start = time.perf_counter()
        for dataset in datasets:
            signatures(dataset)
        total = sum(map(len, datasets))
        reading[folder.name] = round((time.perf_counter() - start) / total * 1e3, 1)
        places = [(dataset, i) for dataset in datasets for i in range(len(dataset))]
        images = [dataset[i].image for dataset, i in places[: options.most]]
        more, here, false[folder.name] = found_and_false(images, options.copies)
        made, found, everything = made + more, found + here, everything + images[:40]
    result = {
        "machine": describe("numpy", "opencv-python-headless", "pillow"),
        "found": {name: f"{found[name]} of {count}" for name, count in made.items()},
        "false_alarms": false,
        "milliseconds_to_read_a_picture": reading,
        "comparison": {str(count): timed(everything, count) for count in options.time},
    }
    for key in ("found", "false_alarms", "milliseconds_to_read_a_picture", "comparison"):
        print(key, *(f"  {name}: {value}" for name, value in result[key].items()), sep="\n")
    print(save("near_duplicates", result))


if __name__ == "__main__":
    main()
