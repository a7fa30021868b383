"""PanopticScenes: the things of synthetic scenes before sky, walls and grounds, all of it known."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from delineate.core.classes import ClassMap
from delineate.core.panoptic import Panoptic, Segment, areas_by_id
from delineate.core.panoptic_classes import PanopticClasses
from delineate.data.grounds import STUFF, paint_stuff, stuff_map
from delineate.data.painting import paint
from delineate.data.sample import Sample
from delineate.data.synthetic import RADII, SyntheticScenes


class PanopticScenes(SyntheticScenes):
    """Scenes whose every pixel belongs to a thing or to stuff.

    The things of scene `i` are those of `SyntheticScenes` with the same arguments, and `instances`
    gives the very same masks; behind them lie two to four regions of stuff instead of one nameless
    ground. There is no void. In `panoptic`, things have the ids 1 .. n in the order of `instances`,
    and the stuff that shows has those after them.

    Args:
        count: Number of scenes.
        size: (height, width) of each.
        seed: Another seed, other scenes.
        classes: Names of things out of `SHAPES`, in label order; all of them by default.
        objects: Fewest and most things in a scene.
        radii: Smallest and largest radius of a thing, as shares of the scene's short side.

    Raises:
        DataError: See `SyntheticScenes`.
    """

    def __init__(
        self,
        count: int,
        *,
        size: tuple[int, int] = (192, 192),
        seed: int = 0,
        classes: Sequence[str] | None = None,
        objects: tuple[int, int] = (4, 11),
        radii: tuple[float, float] = RADII,
    ) -> None:
        super().__init__(count, size=size, seed=seed, classes=classes, objects=objects, radii=radii)
        self.name = "synthetic panoptic"
        first = len(self.classes) + 1
        stuff = ClassMap(tuple(STUFF), tuple(range(first, first + len(STUFF))))
        self.panoptic_classes = PanopticClasses(things=self.classes, stuff=stuff)

    def __getitem__(self, index: int) -> Sample:
        record = self.records[index]
        rng, things, stack = self._lay_out(index)
        stuff, chance = self._stuff(index)
        return Sample(
            image=paint(things, self._size, rng, ground=paint_stuff(stuff, chance)),
            instances=stack.instances(),
            image_id=record.image_id,
            name=record.name,
            stuff=np.where(stack.owner < 0, stuff + 1, 0).astype(np.uint8),
        )

    def panoptic(self, index: int) -> Panoptic:
        """All segments of scene `index`, which is laid out but not painted."""
        _, things, stack = self._lay_out(index)
        stuff, _ = self._stuff(index)
        behind = stack.owner < 0
        shown = np.unique(stuff[behind])
        ids = np.where(behind, len(things) + 1 + np.searchsorted(shown, stuff), stack.owner + 1)
        labels = [thing.label for thing in things] + (len(self.classes) + shown).tolist()
        areas = areas_by_id(ids.astype(np.int32))
        return Panoptic(
            ids=ids,
            segments=tuple(
                Segment(id=i, label=label, area=areas[i]) for i, label in enumerate(labels, 1)
            ),
            classes=self.panoptic_classes,
        )

    def segment_areas(self, index: int) -> npt.NDArray[np.float64]:
        """(n,) pixels of each segment of scene `index`."""
        return np.array([s.area for s in self.panoptic(index).segments], np.float64)

    def _stuff(self, index: int) -> tuple[npt.NDArray[np.int32], np.random.Generator]:
        """Return the regions of a scene, and the chance that is left for their looks.

        It is not that of the things, which are to lie where they lie without stuff.
        """
        index = range(len(self))[index]
        rng = np.random.default_rng([self._seed, index, 1])
        return stuff_map(self._size, rng), rng
