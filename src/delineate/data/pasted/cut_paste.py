"""CutPaste: endless pictures made of the user's own labelled objects.

A made picture takes after a real one: it has about as many objects, of its classes and sizes, as
close together. Each is another object of the class, of about that size, turned, mirrored and laid
where such objects lie, on a ground that suits it, in colours that suit that.
"""

from collections.abc import Sequence

import numpy as np

from delineate.core.boxes import Size
from delineate.core.classes import ClassMap
from delineate.core.geometry import Geometry
from delineate.core.image import ImageArray
from delineate.core.masks import Masks
from delineate.data.layers import blend
from delineate.data.pasted.grounds import LONGEST, Grounds, OwnGrounds
from delineate.data.pasted.layout import Spot, lay_out
from delineate.data.pasted.learnt import learn
from delineate.data.pasted.looks import look_at, suitable
from delineate.data.pasted.pasting import TAKES_ALONG, Paste, Wear, cut, lay, shadow
from delineate.data.pasted.shelf import ROOM, Shelf
from delineate.data.sample import Dataset
from delineate.data.synth import Laid, SynthDataset
from delineate.errors import DataError, nearest

LEAST_SIDE = 32
_OWN = 0.5  # share of pictures that take after the very image that is their ground
_COUNT = (0.75, 1.25)  # least and most objects, in shares of those of the real image
_WORN = {True: (0.6, 1.0), False: (0.0, 0.6)}  # how far colours are matched, by `Looks.coupled`


class CutPaste(SynthDataset):
    """Made pictures of cut-out and pasted objects, with exact visible and whole masks.

    At least half of each object shows. Objects are taken as whole that neither touch the border of
    their image nor share much of their outline with others, and none of those that hold others:
    what is pasted along would have no label.

    Args:
        dataset: Labelled objects; at most 1,000 of its images, spread evenly, are looked at.
        count: Number of pictures.
        grounds: What the objects are pasted on; None: the images of `dataset`, objects taken out.
        longest: Pixels of the longer side to which larger of these images are shrunk; None: none
            is, so that objects keep the size in pixels that they have in real images.
        size: (height, width) of each; None: that of its ground. A ground of another size is scaled
            until it covers the picture, and cut.
        classes: Names of those classes that are pasted; None: all. Objects of others are taken
            out of the grounds, too.
        objects: Fewest and most objects; None: about as many as real images have.
        seed: Another seed, other pictures.
        first: Number of the first picture.

    Raises:
        DataError: There is nothing to cut out, a class is unknown, or a number makes no sense.
    """

    def __init__(
        self,
        dataset: Dataset,
        count: int,
        *,
        grounds: Grounds | None = None,
        longest: int | None = LONGEST,
        size: Size | None = None,
        classes: Sequence[str] | None = None,
        objects: tuple[int, int] | None = None,
        seed: int = 0,
        first: int = 0,
    ) -> None:
        labels = _labels(dataset.classes, classes)
        table = ClassMap(
            tuple(dataset.classes.names[label] for label in labels),
            tuple(dataset.classes.source_ids[label] for label in labels),
        )
        super().__init__(f"{dataset.name} cut and pasted", table, count, seed, first)
        if size is not None and min(size) < LEAST_SIDE:
            raise DataError(
                f"expected pictures of at least {LEAST_SIDE} x {LEAST_SIDE} pixels to paste on, "
                f"got {size[1]} x {size[0]}: ask for larger ones."
            )
        if objects is not None and not 0 <= objects[0] <= objects[1]:
            raise DataError(
                f"expected 0 <= fewest <= most objects, got {objects[0]} and {objects[1]}: swap or "
                "raise them."
            )
        self.learnt = learn(dataset, labels)
        self.looks = look_at(dataset, self.learnt)
        self._dataset = dataset
        self._grounds = grounds or OwnGrounds(dataset, self.learnt, self.looks, longest)
        self._of_size = size
        self._objects = objects
        self._sources = Shelf(self._source, _picture_bytes)
        self._outlines = Shelf(self._masks, _mask_bytes, ROOM // 4)
        self._cleared = Shelf(self._grounds.picture, _picture_bytes)

    def _source(self, image: int) -> ImageArray:
        return self._dataset[image].image

    def _masks(self, image: int) -> Masks:
        masks = self._dataset.instances(image).masks
        assert masks is not None
        return masks

    def _size(self, number: int) -> Size:
        return self._of_size or self._grounds.size(self._ground(number)[0])

    def _ground(self, number: int) -> tuple[int, tuple[float, float]]:
        """Return the number of a picture's ground, and which part of it is taken."""
        rng = self._chance(number, 2)
        return int(rng.integers(len(self._grounds))), (rng.random(), rng.random())

    def _fit(self, number: int) -> Geometry:
        """Return the map from a picture's ground to the picture."""
        ground, part = self._ground(number)
        own = self._grounds.size(ground)
        if self._of_size is None:
            return Geometry.identity(own)
        height, width = self._of_size
        factor = max(height / own[0], width / own[1])
        whole = max(round(factor * own[0]), height), max(round(factor * own[1]), width)
        top = int((whole[0] - height + 1) * part[0])
        left = int((whole[1] - width + 1) * part[1])
        window = left, top, left + width, top + height
        return Geometry.resize(own, whole).then(Geometry.crop(whole, window))

    def _lay_out(self, number: int) -> Laid:
        rng, fit, ground = self._chance(number), self._fit(number), self._ground(number)[0]
        own, colour = self._grounds.image(ground), self._grounds.colour(ground)
        lenders = self.learnt.images
        if colour is not None:
            lenders = lenders[suitable(self.looks, colour, own)]
        as_is = own is not None and rng.random() < _OWN
        like = self.learnt.images[own] if as_is else lenders[rng.integers(len(lenders))]
        spot = Spot(
            size=fit.target,
            unit=fit.scale * min(fit.source),
            like=int(like),
            lenders=lenders,
            alike=own is not None and self.looks.coupled,
            wanted=self._count_like(int(like), rng),
            origin={
                "method": "cut_paste",
                "seed": self._seed,
                "image": number,
                "background": self._grounds.name(ground),
            },
        )
        stack, pastes = lay_out(self._dataset, self._outlines, self.learnt, spot, rng)

        def paint() -> ImageArray:
            rng = self._chance(number, 1)
            canvas = fit.image(self._cleared(ground)).astype(np.float32)
            for paste in pastes:
                image = self._sources(int(self.learnt.image[paste.object_]))
                wear = self._wear(paste, own, rng)
                if self.looks.shade and paste.blend not in TAKES_ALONG:  # else it is on what came
                    blend(canvas, shadow(paste, self.looks.shade))
                blend(canvas, lay(paste, cut(image, paste.window), canvas, wear))
            return np.asarray(np.clip(canvas + 0.5, 0, 255), np.uint8)

        return stack, paint

    def _count_like(self, image: int, rng: np.random.Generator) -> int:
        if self._objects is not None:
            return int(rng.integers(self._objects[0], self._objects[1] + 1))
        return round(len(self.learnt.within(image)) * rng.uniform(*_COUNT))

    def _wear(self, paste: Paste, ground: int | None, rng: np.random.Generator) -> Wear | None:
        """Return the colours of an object of the class that lay on this very ground, if one did."""
        if ground is None:
            return None
        here = self.learnt.within(int(self.learnt.images[ground]))
        here = here[self.learnt.label[here] == self.learnt.label[paste.object_]]
        if not len(here):
            return None
        model = int(here[rng.integers(len(here))])
        came_from = np.searchsorted(self.learnt.images, self.learnt.image[paste.object_])
        lightness = self.looks.ground[[came_from, ground], 0].tolist()
        return Wear(
            mean=self.looks.mean[model],
            contrast=float(self.looks.contrast[model]),
            share=rng.uniform(*_WORN[self.looks.coupled]),
            grounds=(lightness[0], lightness[1]) if self.looks.coupled else None,
        )


def _picture_bytes(picture: ImageArray) -> int:
    return picture.nbytes


def _mask_bytes(masks: Masks) -> int:
    return sum(runs.nbytes for runs in masks.runs)


def _labels(known: ClassMap, names: Sequence[str] | None) -> list[int]:
    """Return the labels of classes by name, in the order of the table."""
    for name in names or ():
        if name not in known.names:
            raise DataError(
                f"no class of the objects is called {name!r}: {nearest(name, known.names)}"
            )
    return [label for label, name in enumerate(known.names) if names is None or name in names]
