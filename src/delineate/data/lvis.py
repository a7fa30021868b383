"""Read data sets in LVIS's format: COCO's, but that not every class is labelled in every image.

LVIS (Gupta, Dollár, Girshick: "LVIS: A Dataset for Large Vocabulary Instance Segmentation", 2019)
is *federated*: of each image it says which classes were looked for and not found
(``neg_category_ids``), and of which not all objects are labelled (``not_exhaustive_category_ids``);
of all others nothing is known. Images are named by ``coco_url``; there are no crowds.
https://www.lvisdataset.org/dataset
"""

from collections.abc import Mapping, Sequence
from functools import cache, partial
from pathlib import Path
from typing import Any

from delineate.core.foreign import all_whole
from delineate.core.json_file import kind
from delineate.core.json_keys import first_mark, has_keys
from delineate.data.annotated import AnnotatedDataset, OnError, check_on_error
from delineate.data.coco import dataset_of, picture_folders, streamed_content
from delineate.data.federated import Federated
from delineate.data.layouts import Source, Sources, files
from delineate.data.sample import Problem

NEGATIVE, UNEXHAUSTED = "neg_category_ids", "not_exhaustive_category_ids"
"""Keys of LVIS's images."""

JsonObject = Mapping[str, Any]


class LvisDataset(AnnotatedDataset):
    """A federated data set.

    Args:
        ids: Of each image by its id, the ids of its negative and of its unexhausted classes; those
            of broken categories are passed over.
        frequencies: Of each class by its id.
        parts: What `AnnotatedDataset` takes.

    Attributes:
        federated: What is known of its classes.
    """

    def __init__(
        self,
        *,
        ids: Mapping[int, tuple[Sequence[int], Sequence[int]]],
        frequencies: Mapping[int, str],
        **parts: Any,  # noqa: ANN401 - of several types
    ) -> None:
        super().__init__(**parts)
        label = {source_id: label for label, source_id in enumerate(self.classes.source_ids)}
        known = [ids[record.image_id] for record in self.records]
        self.federated = Federated(
            frequencies=tuple(frequencies.get(i, "") for i in self.classes.source_ids),
            negative=tuple(tuple(label[i] for i in ids if i in label) for ids, _ in known),
            unexhausted=tuple(tuple(label[i] for i in ids if i in label) for _, ids in known),
        )


def find_lvis(path: Path) -> Sources | None:
    """Find the splits of a data set in LVIS's format; see `delineate.data.formats.Format`."""
    return files(path, ".json", _is_lvis)


def _is_lvis(path: Path) -> bool:
    keys = ("images", "annotations", "categories", NEGATIVE, UNEXHAUSTED)
    return first_mark(path) == "{" and has_keys(path, *keys)


def read_lvis(
    source: Source, *, images: Path | str | None = None, on_error: OnError = "stop"
) -> LvisDataset:
    """Open a data set in LVIS's format.

    Args:
        source: Its JSON file.
        images: Folder of the pictures, with COCO's folders (``train2017``) or without. By default
            each is looked for in `images/` beside the file, then beside the file itself.
        on_error: As for `delineate.data.coco.read_coco`.

    Raises:
        DataError: As `delineate.data.coco.read_coco`.
    """
    check_on_error(on_error)
    path = source.path
    content = streamed_content(path)
    folders = picture_folders(path, images)
    content["images"] = _named(content["images"], folders)
    known = {c.get("id") for c in content["categories"] if isinstance(c.get("id"), int)}
    problems: list[Problem] = []
    ids = {}
    for image in content["images"]:
        if isinstance(image.get("id"), int):
            negative, unexhausted = (
                _ids(image, key, known, problems) for key in (NEGATIVE, UNEXHAUSTED)
            )
            ids[image["id"]] = (negative, unexhausted)
    frequencies = {
        category["id"]: category["frequency"]
        for category in content["categories"]
        if category.get("frequency") in ("r", "c", "f") and isinstance(category.get("id"), int)
    }
    make = partial(LvisDataset, ids=ids, frequencies=frequencies)
    dataset = dataset_of(path, content, folders, on_error, make=make, known=problems)
    assert isinstance(dataset, LvisDataset)
    return dataset


def _named(listed: Sequence[JsonObject], folders: Sequence[Path]) -> list[JsonObject]:
    """Name images by the path in their URL, or, where its folder is not there, by its end."""

    @cache
    def is_there(top: str) -> bool:
        return any((folder / top).is_dir() for folder in folders)

    named: list[JsonObject] = []
    for image in listed:
        url = image.get("coco_url")
        if not isinstance(url, str) or "://" not in url:
            named.append(image)  # version 0.5, or broken
            continue
        _, _, name = url.partition("://")[2].partition("/")
        top, _, rest = name.partition("/")
        named.append({**image, "file_name": name if not rest or is_there(top) else rest})
    return named


def _ids(image: JsonObject, key: str, known: set[Any], problems: list[Problem]) -> tuple[int, ...]:
    """Return the ids of classes that an image lists."""
    listed = image.get(key, [])
    if isinstance(listed, list) and all_whole(listed) and known.issuperset(listed):
        return tuple(dict.fromkeys(listed))
    strange = kind(listed)
    if isinstance(listed, list) and all_whole(listed):
        strange = f"{next(i for i in listed if i not in known)}, which is none"
    problems.append(
        Problem(
            where=f"image {image.get('id')}",
            why=f"expected ids of categories as {key!r}, got {strange}",
            fix="correct the list",
            action="the list left out",
        )
    )
    return ()
