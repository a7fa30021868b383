"""What objects are pasted on: the user's own pictures without their objects, others, or drawn ones.

A ground is asked for by its number; how large it is, and its mean colour, are known without
making it.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

import numpy as np
import numpy.typing as npt

from delineate.core.boxes import Size
from delineate.core.geometry import Geometry
from delineate.core.image import IMAGE_SUFFIXES, ImageArray, image_size, read_image
from delineate.data.grounds import STUFF
from delineate.data.painting import two_tones
from delineate.data.pasted.clearing import cleared
from delineate.data.pasted.learnt import Indices, Learnt
from delineate.data.pasted.looks import Looks, to_lab
from delineate.data.sample import Dataset
from delineate.data.synth import MADE
from delineate.errors import DataError

LONGEST = 1600
"""Pixels of the longer side of a ground; larger pictures are shrunk to it."""

_COVERED = 0.4  # share of an image that objects may cover
_DRAWN = 100_000  # as many as anybody needs


class Grounds(Protocol):
    """Pictures without objects."""

    def __len__(self) -> int: ...

    def size(self, number: int) -> Size:
        """(height, width) of a ground, at little cost."""
        ...

    def name(self, number: int) -> str:
        """Where a ground comes from."""
        ...

    def picture(self, number: int) -> ImageArray:
        """(height, width, 3) RGB."""
        ...

    def image(self, number: int) -> int | None:
        """The place in `Learnt.images` of the image that a ground was made of; None: of none."""
        ...

    def colour(self, number: int) -> npt.NDArray[np.float64] | None:
        """(3,) mean L*a*b*; None where it does not matter what is pasted there."""
        ...


class OwnGrounds:
    """The images of a labelled data set, their objects taken out.

    Args:
        dataset: The images.
        learnt: Which of them: those of which objects cover less than two fifths, or the least
            covered quarter.
        looks: Their colours.
        longest: Images whose longer side has more pixels are shrunk to it; None: none is.
    """

    def __init__(
        self, dataset: Dataset, learnt: Learnt, looks: Looks, longest: int | None = LONGEST
    ) -> None:
        self._dataset = dataset
        self._places = _sparse(dataset, learnt)
        self._images = learnt.images[self._places]
        self._looks = looks
        self._longest = longest

    def __len__(self) -> int:
        return len(self._images)

    def size(self, number: int) -> Size:
        """See `Grounds`."""
        return _shrunk(self._dataset.records[int(self._images[number])].size, self._longest).target

    def name(self, number: int) -> str:
        """See `Grounds`."""
        return self._dataset.records[int(self._images[number])].name

    def picture(self, number: int) -> ImageArray:
        """See `Grounds`."""
        sample = self._dataset[int(self._images[number])]
        masks = sample.instances.masks
        assert masks is not None
        shrunk = _shrunk(masks.size, self._longest)
        return cleared(shrunk.image(sample.image), masks.warp(shrunk))

    def image(self, number: int) -> int | None:
        """See `Grounds`."""
        return int(self._places[number])

    def colour(self, number: int) -> npt.NDArray[np.float64] | None:
        """See `Grounds`."""
        return np.asarray(self._looks.ground[self._places[number]], np.float64)


class FolderGrounds:
    """Pictures in a folder, none of which shows an object.

    Args:
        folder: The pictures lie directly in it.
        longest: Pictures whose longer side has more pixels are shrunk to it.

    Raises:
        DataError: There is no such folder, or no picture in it.
        ImageError: A picture cannot be read.
    """

    def __init__(self, folder: Path, longest: int = LONGEST) -> None:
        if not folder.is_dir():
            raise DataError(
                f"{folder}: expected a folder with pictures to paste on, found none there: check "
                "--backgrounds."
            )
        self._paths: Sequence[Path] = sorted(
            p for p in folder.iterdir() if p.suffix.lower() in IMAGE_SUFFIXES and p.is_file()
        )
        if not self._paths:
            raise DataError(
                f"{folder}: expected pictures to paste on ({', '.join(IMAGE_SUFFIXES)}), found "
                "none directly in it: name the folder that holds them."
            )
        self._shrunk = [_shrunk(image_size(path), longest) for path in self._paths]
        self._colours: dict[int, npt.NDArray[np.float64]] = {}

    def __len__(self) -> int:
        return len(self._paths)

    def size(self, number: int) -> Size:
        """See `Grounds`."""
        return self._shrunk[number].target

    def name(self, number: int) -> str:
        """See `Grounds`."""
        return self._paths[number].name

    def picture(self, number: int) -> ImageArray:
        """See `Grounds`."""
        return self._shrunk[number].image(read_image(self._paths[number]))

    def image(self, number: int) -> int | None:
        """See `Grounds`."""
        return None

    def colour(self, number: int) -> npt.NDArray[np.float64] | None:
        """See `Grounds`; the picture is read when it is first asked for."""
        if number not in self._colours:
            lab = to_lab(self.picture(number)[::4, ::4])
            self._colours[number] = np.asarray(lab.reshape(-1, 3).mean(axis=0), np.float64)
        return self._colours[number]


class DrawnGrounds:
    """Drawn stone, wood, cloth, sand, grass or asphalt, for want of pictures.

    Args:
        size: (height, width) of each.
        seed: Another seed, other grounds.
    """

    def __init__(self, size: Size, seed: int) -> None:
        self._of_size = size
        self._seed = seed

    def __len__(self) -> int:
        return _DRAWN

    def size(self, number: int) -> Size:
        """See `Grounds`."""
        return self._of_size

    def name(self, number: int) -> str:
        """See `Grounds`."""
        return f"drawn {self._seed} {number}"

    def picture(self, number: int) -> ImageArray:
        """See `Grounds`."""
        rng = np.random.default_rng([self._seed, number, 3, MADE])
        textures = (two_tones, two_tones, *(STUFF[name] for name in ("sand", "grass", "road")))
        tones = textures[int(rng.integers(len(textures)))](self._of_size, rng)
        return np.asarray(np.clip(tones + rng.normal(0, 2, tones.shape), 0, 255), np.uint8)

    def image(self, number: int) -> int | None:
        """See `Grounds`."""
        return None

    def colour(self, number: int) -> npt.NDArray[np.float64] | None:
        """See `Grounds`: nothing is known, and nothing is asked."""
        return None


class SomeGrounds:
    """Some of other grounds, so that two data sets need not share any.

    Args:
        grounds: All of them.
        numbers: (n,) those that are kept.
    """

    def __init__(self, grounds: Grounds, numbers: Indices) -> None:
        self._grounds = grounds
        self._numbers = numbers

    def __len__(self) -> int:
        return len(self._numbers)

    def size(self, number: int) -> Size:
        """See `Grounds`."""
        return self._grounds.size(int(self._numbers[number]))

    def name(self, number: int) -> str:
        """See `Grounds`."""
        return self._grounds.name(int(self._numbers[number]))

    def picture(self, number: int) -> ImageArray:
        """See `Grounds`."""
        return self._grounds.picture(int(self._numbers[number]))

    def image(self, number: int) -> int | None:
        """See `Grounds`."""
        return self._grounds.image(int(self._numbers[number]))

    def colour(self, number: int) -> npt.NDArray[np.float64] | None:
        """See `Grounds`."""
        return self._grounds.colour(int(self._numbers[number]))


def _sparse(dataset: Dataset, learnt: Learnt) -> Indices:
    """Return the places in `Learnt.images` of those images that have enough ground to go on with.

    What is cleared of very dense pictures repeats the little between their objects.
    """
    areas = [np.square(learnt.side[learnt.within(i)]).sum() for i in learnt.images.tolist()]
    pixels = [np.prod(dataset.records[i].size) for i in learnt.images.tolist()]
    covered = np.array(areas) / pixels
    return np.flatnonzero(covered <= max(_COVERED, float(np.quantile(covered, 0.25))))


def _shrunk(size: Size, longest: int | None) -> Geometry:
    """Return what brings a picture's longer side to at most `longest` pixels; None: any number."""
    factor = 1 if longest is None else min(longest / max(size), 1)
    return Geometry.resize(size, (max(round(size[0] * factor), 1), max(round(size[1] * factor), 1)))
