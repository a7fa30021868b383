"""Samples whose pixels say where they come from, for tests of what makes one out of several."""

import numpy as np

from delineate.core.instances import Instances
from delineate.core.masks import Masks
from delineate.data.sample import Sample


def coded_image(size, source):
    """Each pixel is (row, column, source): all below 100, so that none is the fill, 114."""
    assert max(size) < 100 > source
    rows, columns = np.mgrid[: size[0], : size[1]]
    return np.stack([rows, columns, np.full(size, source)], axis=2).astype(np.uint8)


def random_sample(rng, source, *, size=(40, 50), objects=6, crowd=True, stuff=True):
    """Blobs, rectangles, overlapping and nested, in a coded image; label = 10 x source + number."""
    rows, columns = np.mgrid[: size[0], : size[1]] + 0.5
    bitmaps = []
    for number in range(objects):
        y, x = rng.uniform(0, 1, 2) * size
        h, w = rng.uniform(0.05, 0.45, 2) * size
        if number % 2:
            bitmaps.append((abs(rows - y) < h) & (abs(columns - x) < w))
        else:
            bitmaps.append(((rows - y) / h) ** 2 + ((columns - x) / w) ** 2 < 1)
    masks = Masks.from_bitmaps(bitmaps, size)
    return Sample(
        image=coded_image(size, source),
        instances=Instances(
            image_size=size,
            boxes=masks.boxes(),
            labels=10 * source + np.arange(objects),
            masks=masks,
            ids=np.arange(objects),
            crowd=rng.random(objects) < 0.3 if crowd else None,
        ),
        image_id=source,
        name=str(source),
        stuff=rng.integers(0, 4, size, dtype=np.uint8) if stuff else None,
    )


def tight_box(bitmap):
    """The box around the pixels of a bitmap, found the slow way."""
    rows, columns = np.nonzero(bitmap)
    return [columns.min(), rows.min(), columns.max() + 1, rows.max() + 1]


def no_others(rng):
    raise AssertionError("no other sample is needed")
