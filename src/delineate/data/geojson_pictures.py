"""Which picture a GeoJSON file is about.

SpaceNet's names have parts in common: ``buildings_AOI_2_Vegas_img1.geojson`` is about
``RGB-PanSharpen_AOI_2_Vegas_img1.tif``, and ``..._Buildings_2019_tile_7.geojson`` about
``..._PS-RGB_2019_tile_7.tif``, in folders beside that of the files.
"""

import re
from collections.abc import Iterator, Sequence
from pathlib import Path

from delineate.core.image import IMAGE_SUFFIXES
from delineate.data.pictures import Broken

_DIGITS = set("0123456789")
_LABELS = re.compile("geojson|label|annotation|vector|building", re.IGNORECASE)  # folders of files

Index = dict[str, list[Path]]


class Pictures:
    """Finds the pictures of files; every folder is listed once.

    Args:
        folders: In which they are looked for; none: in the folder of the file, in ``images/`` in
            it, then in the folders beside it, if they are in the data set or its own name says
            that it is for labels.
    """

    def __init__(self, folders: Sequence[Path]) -> None:
        self._folders = folders
        self._listed: dict[Path, tuple[Index, ...]] = {}
        self._beside: dict[Path, list[Path]] = {}

    def of(self, file: Path, top: Path, named: str | None) -> Path:
        """Return the picture of a file.

        Args:
            file: The file.
            top: The folder of the data set.
            named: How its content calls the picture.

        Raises:
            Broken: There is none, or several may be it.
        """
        rounds = [self._folders] if self._folders else list(self._rounds(file.parent, top))
        wanted = (named,) if named else ("", *_keys(file.stem))
        for near in rounds:
            for number, key in enumerate(wanted):
                indices = [self._indices(folder)[number] for folder in near]
                found = [path for index in indices for path in index.get(key, ())]
                if len(found) > 1:
                    raise Broken(
                        f"it may be about {found[0].parent.name}/{found[0].name} or "
                        f"{found[1].parent.name}/{found[1].name}",
                        "name the folder of the right pictures with --images",
                    )
                if found:
                    return found[0]
        by_name = [self._indices(folder)[0] for folder in rounds[0]]
        alone = [path for index in by_name for paths in index.values() for path in paths]
        if not named and len(alone) == 1:
            return alone[0]
        raise Broken(
            f"expected its picture, {named or f'such as {file.stem}.tif'}, beside it or in a "
            "folder beside its own, found none",
            "put it there, or name the folder of the pictures with --images",
        )

    def _rounds(self, own: Path, top: Path) -> Iterator[list[Path]]:
        """Yield the folders in which one looks first, then next."""
        yield [own, own / "images"]
        for place in (own, own.parent):
            if place.parent.is_relative_to(top) or _LABELS.search(place.name):
                yield self._inside(place.parent)

    def _inside(self, above: Path) -> list[Path]:
        if above not in self._beside:
            self._beside[above] = [f for f in sorted(above.iterdir()) if f.is_dir()]
        return self._beside[above]

    def _indices(self, folder: Path) -> tuple[Index, ...]:
        """Return the pictures of a folder by their names, and by each of their `_keys`."""
        if folder not in self._listed:
            indices: tuple[Index, ...] = ({}, {}, {}, {})
            for file in sorted(folder.iterdir()) if folder.is_dir() else ():
                if file.suffix.lower() in IMAGE_SUFFIXES:
                    for index, key in zip(indices, (file.name, *_keys(file.stem)), strict=True):
                        index.setdefault(key, []).append(file)
            for index in indices:
                index.pop("", None)
            self._listed[folder] = indices
        return self._listed[folder]


def _keys(stem: str) -> tuple[str, str, str]:
    """Return a name, the name without its first part, and those of its parts that have digits."""
    parts = stem.split("_")
    return stem, "_".join(parts[1:]), "_".join(part for part in parts if _DIGITS & set(part))
