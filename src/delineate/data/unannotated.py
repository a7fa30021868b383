"""Pictures without annotations, in formats that have one file of annotations for each picture.

Nobody has labelled such a picture yet, or its file was lost: nobody knows what it shows, so that it
is left out, and told. Other pictures lie beside annotated ones on purpose, such as masks and
thumbnails. They are passed over: those that have the name of another picture there but for the
suffix, and those whose name has a word such as ``mask``, unless annotated ones have it, too.
"""

import os
import re
from collections.abc import Iterator, Set
from pathlib import Path, PurePath

from delineate.core.image import IMAGE_SUFFIXES

_OTHERS = frozenset(
    (
        *("mask", "masks", "label", "labels", "annotated", "annotation", "annotations", "gt"),
        *("truth", "groundtruth", "seg", "segs", "segmented", "segmentation", "segmentations"),
        *("instance", "instances", "semantic", "panoptic", "color", "colors", "colour", "colours"),
        *("contour", "contours", "edges", "depth", "heatmap", "overlay", "overlays", "vis", "viz"),
        *("visualization", "visualisation", "pred", "preds", "prediction", "predictions"),
        *("preview", "previews", "thumb", "thumbs", "thumbnail", "thumbnails"),
        *("bin", "binarized", "nrm"),  # as OCRopus and OCR-D write them beside pages
    )
)
"""Words in the names of pictures, and of their folders, that are made from others."""

_WORD = re.compile(r"[A-Z]?[a-z]+|[A-Z]+")


def unannotated(folder: Path, told: Set[str], stems: Set[str] = frozenset()) -> Iterator[Path]:
    """Yield the pictures of a folder, in the order of their names, that have no annotations.

    Args:
        folder: Where pictures lie, some of them annotated. One that is not there (as where a link
            lies on the way to the pictures), or may not be listed, has none.
        told: Absolute paths of those that are.
        stems: Names without suffix of pictures that are annotated, or were to be.
    """
    pictures = [name for name in sorted(_names(folder)) if _is_picture(name)]
    annotated = {n for n in pictures if os.path.abspath(folder / n) in told}
    usual: set[str] = set().union(*map(_words, annotated))
    seen = {PurePath(name).stem for name in annotated} | stems
    for name in pictures:
        if name in annotated or (stem := PurePath(name).stem) in seen:
            continue
        if not is_made(name, usual):
            seen.add(stem)
            yield folder / name


def is_made(name: str, usual: Set[str] = frozenset()) -> bool:
    """Tell by its name whether a picture, or a folder of pictures, is made from others.

    Args:
        name: Its name.
        usual: Words that do not tell it.
    """
    return not _OTHERS.isdisjoint(_words(name) - usual)


def _names(folder: Path) -> list[str]:
    try:
        return os.listdir(folder)
    except OSError:
        return []


def _is_picture(name: str) -> bool:
    return not name.startswith(".") and name.lower().endswith(IMAGE_SUFFIXES)


def _words(name: str) -> set[str]:
    return {word.lower() for word in _WORD.findall(PurePath(name).stem)}
