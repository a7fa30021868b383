"""One picture, answered by several models: as instances, as classes of pixels, as segments.

    python benchmarks/answers.py photo.jpg RUN [RUN ...] --out answers.jpg

A row a model, which may be a run folder, a checkpoint or ``name:tag``. `benchmarks/families.py DATA
--keep RUNS` trains one of each family.
"""

import argparse
from pathlib import Path

import numpy as np

from delineate import Predictor, load, read_image
from delineate.core.classes import ClassMap
from delineate.core.draw import overlay, panoptic_overlay, sheet
from delineate.core.image import ImageArray, write_image
from delineate.core.panoptic import Panoptic, Segment, areas_by_id, to_semantic
from delineate.core.panoptic_classes import PanopticClasses

_SURE = 0.5
_CELL = 480


def classes_of_pixels(whole: Panoptic) -> Panoptic:
    """Return one segment a class, as if all classes were stuff."""
    ids = to_semantic(whole) + 1
    return Panoptic(
        ids=ids,
        segments=tuple(Segment(id=i, label=i - 1, area=n) for i, n in areas_by_id(ids).items()),
        classes=PanopticClasses(things=ClassMap((), ()), stuff=whole.classes.joint),
    )


def answers(image: ImageArray, model: str) -> list[ImageArray]:
    """Return the three answers of a model, drawn."""
    find = Predictor(load(model), score_threshold=_SURE)
    whole = find.panoptic(image)
    return [
        overlay(image, find(image), find.classes),
        panoptic_overlay(image, classes_of_pixels(whole)),
        panoptic_overlay(image, whole),
    ]


def main() -> None:
    """Ask each model, put the answers on one sheet."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("picture", type=Path)
    parser.add_argument("models", nargs="+")
    parser.add_argument("--out", type=Path, default=Path("answers.jpg"))
    options = parser.parse_args()
    image = np.ascontiguousarray(read_image(options.picture))
    pictures, captions = list[ImageArray](), list[str]()
    for model in options.models:
        pictures += answers(image, model)
        name = Path(model).name
        captions += [f"{name}: {kind}" for kind in ("instances", "semantic", "panoptic")]
    write_image(options.out, sheet(pictures, captions, columns=3, cell=_CELL))
    print(options.out)


if __name__ == "__main__":
    main()
