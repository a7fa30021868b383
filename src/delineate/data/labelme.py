"""Read the files of labelme: one JSON a picture, which lies beside it or within it.

The format: https://github.com/wkentaro/labelme, whose ``labelme2coco.py`` is followed: shapes of
the same label and group are one object, ``__ignore__`` is none, and ``labels.txt``, in the folder
or the one above, gives the order of classes. Regions to be ignored have the flag ``crowd``.
"""

import base64
import binascii
import os
import posixpath
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path, PurePath, PureWindowsPath
from typing import Any

from delineate.core.classes import ClassMap
from delineate.core.foreign import check_size
from delineate.core.image import IMAGE_SUFFIXES, ImageArray, read_image
from delineate.core.json_file import kind, read_json
from delineate.core.json_keys import first_mark, has_keys
from delineate.core.text_file import read_lines
from delineate.data.annotated import AnnotatedDataset, OnError
from delineate.data.collect import Listed
from delineate.data.file_trees import Page, find_tree, folder_of, read_tree
from delineate.data.labelme_shapes import BACKGROUND, IGNORED, pieces
from delineate.data.layouts import Source, Sources
from delineate.data.pictures import Broken, checked_size
from delineate.data.sample import ImageRecord
from delineate.errors import DataError

LABELS_FILE = "labels.txt"
"""Has the name of a class a line."""


def find_labelme(path: Path) -> Sources | None:
    """Find the splits of a labelme data set; see `delineate.data.formats.Format`."""
    return find_tree(path, ".json", is_labelme)


def is_labelme(path: Path) -> bool:
    """Tell by its keys whether a file is labelme's."""
    return first_mark(path) == "{" and has_keys(path, "shapes", "imagePath")


def read_labelme(
    source: Source, *, images: Path | str | None = None, on_error: OnError = "stop"
) -> AnnotatedDataset:
    """Open a folder of labelme files, with those in folders below it, or one file.

    Args:
        source: The folder or file.
        images: Folder of the pictures. By default each is where its file says, or beside its file,
            or the pixels that the file holds are taken.
        on_error: As for `delineate.data.formats.open_dataset`.

    Raises:
        DataError: As for `delineate.data.formats.open_dataset`.
    """
    held: dict[str, Path] = {}
    return read_tree(
        source,
        ".json",
        partial(_read_page, held=held),
        images=images,
        on_error=on_error,
        classes=_listed_classes(folder_of(source.path)),
        read_picture=_Held(held),
    )


@dataclass(frozen=True, slots=True)
class _Held:
    """Gives the pictures that files hold in themselves."""

    files: Mapping[str, Path]

    def __call__(self, record: ImageRecord) -> ImageArray:
        """Return the pixels of a picture."""
        return read_image(_decoded(read_json(self.files[record.name])["imageData"]))


# -- a file and its picture --------------------------------------------------------------------


def _read_page(file: Path, top: Path, folders: Sequence[Path], held: dict[str, Path]) -> Page:
    """Read a file; it is put into `held` by its picture's name if it holds the picture."""
    content = read_json(file)
    shapes = content.get("shapes") if isinstance(content, dict) else None
    if not isinstance(content, dict) or not isinstance(shapes, list):
        raise Broken(
            f"expected a file of labelme (an object with the list shapes), got {kind(content)}",
            "put it elsewhere",
        )
    image_path = content.get("imagePath")
    if not isinstance(image_path, str) or not image_path:
        raise Broken(f"it names no picture: imagePath is {kind(image_path)}", "name its picture")
    stated = (content.get("imageHeight"), content.get("imageWidth"))
    size = None if None in stated else check_size(stated)
    relative = _relative(file, image_path)
    name = _name(file, top, relative)
    places = [folder / place for folder in folders for place in (name, PurePath(name).name)]
    places = places or [file.parent / relative, file.parent / PurePath(relative).name]
    places = [place for place in places if place != file]
    if content.get("imageData") is None or any(map(os.path.lexists, places)):
        return Page(Listed(name, places, size), list(pieces(shapes)))
    if PurePath(name).suffix.lower() not in IMAGE_SUFFIXES:
        name = file.relative_to(top).with_suffix(".png").as_posix()
    size = checked_size(_decoded(content["imageData"]), size)
    held.setdefault(name, file)
    return Page(Listed(name, (), held=size), list(pieces(shapes)))


def _relative(file: Path, image_path: str) -> str:
    """Return where a picture is, seen from its file: labelme on Windows writes backslashes."""
    if not os.path.isabs(image_path) and os.path.lexists(file.parent / image_path):
        return image_path
    path = PureWindowsPath(image_path)
    return path.name if path.root or path.drive else path.as_posix()


def _name(file: Path, top: Path, relative: str) -> str:
    """Return what a picture is called, seen from the folder of the data set."""
    folder = file.parent.relative_to(top).as_posix()
    path = posixpath.normpath(posixpath.join(folder, relative))
    while path.startswith("../"):
        path = path.removeprefix("../")
    return path


def _decoded(data: Any) -> bytes:  # noqa: ANN401 - a stranger's JSON
    try:
        return base64.b64decode(data)
    except (binascii.Error, ValueError, TypeError):
        raise Broken("its imageData is no base64", "put its picture beside it") from None


# -- classes -----------------------------------------------------------------------------------


def _listed_classes(top: Path) -> ClassMap | None:
    """Return the classes that `LABELS_FILE` lists, in its order, if there is one."""
    file = next((f / LABELS_FILE for f in (top, top.parent) if (f / LABELS_FILE).is_file()), None)
    if file is None:
        return None
    names = [name for name in read_lines(file) if name not in (IGNORED, BACKGROUND)]
    try:
        return ClassMap.from_names(names)
    except DataError as error:
        raise DataError(f"{file}: {error}") from None
