"""The most telling pictures of an evaluation: well found, wrongly found, and missed objects.

Images come one by one and most are forgotten at once: a gallery holds a fixed number of small
pictures, whatever the size of the data set.
"""

import bisect

import numpy as np

from delineate.core.classes import ClassMap
from delineate.core.image import ImageArray
from delineate.core.instances import Instances
from delineate.core.outlines import window_around
from delineate.evaluate.matching import Matches, match
from delineate.evaluate.pictures import Picture, Scene

_SAME_OBJECT = 0.5  # overlap from which a prediction is about an object, of whatever class
_TOUCHING = 0.1  # overlap below which it shows nothing of the object


class Gallery:
    """Collects pictures for a report while images are evaluated.

    Three kinds are kept, at most one picture of an image in each:

    - good: whole images in which most was found with the best outlines, by panoptic quality
      (Kirillov et al., 2019): summed IoU over found + half the false alarms + half the missed;
    - bad: the surest false alarm of an image: nothing there, a poor outline, a wrong class, or an
      object found twice;
    - missed: the largest object of an image that was not found.

    Args:
        classes: What the labels mean.
        count: Pictures kept of each kind.
        score_threshold: Predictions below it are neither shown nor counted.
        side: The longer side of a picture in pixels.
    """

    def __init__(
        self,
        classes: ClassMap,
        *,
        count: int = 6,
        score_threshold: float = 0.5,
        side: int = 420,
    ) -> None:
        self.score_threshold = score_threshold
        self._classes = classes
        self._side = side
        self._good, self._bad, self._missed = _Best(count), _Best(count), _Best(count)

    @property
    def good(self) -> tuple[Picture, ...]:
        """Images with the best outlines, best first."""
        return self._good.pictures

    @property
    def bad(self) -> tuple[Picture, ...]:
        """False alarms, the surest first."""
        return self._bad.pictures

    @property
    def missed(self) -> tuple[Picture, ...]:
        """Objects not found, the largest first (in shares of their image)."""
        return self._missed.pictures

    def add(self, name: str, image: ImageArray, truth: Instances, predicted: Instances) -> None:
        """Look at one image and keep what is more telling than what is kept already.

        Args:
            name: What captions call it.
            image: (height, width, 3) RGB.
            truth: Its annotated objects.
            predicted: What a model found in it, with scores.
        """
        assert predicted.scores is not None, "predictions carry scores"
        shown = predicted[predicted.scores >= self.score_threshold]
        scene = Scene(name=name, image=image, truth=truth, predicted=shown, classes=self._classes)
        matches = match(truth, shown)
        if matches.found.any():
            self._add_good(scene, matches)
        if matches.wrong.any():
            self._add_bad(scene, matches)
        if matches.missed.size:
            self._add_missed(scene, matches)

    def _add_good(self, scene: Scene, matches: Matches) -> None:
        overlaps = matches.overlap[matches.found]
        wrong, missed = int(matches.wrong.sum()), len(matches.missed)
        quality = float(overlaps.sum() / (len(overlaps) + (wrong + missed) / 2))
        if not self._good.admits(quality):
            return
        caption = f"{len(overlaps)} of {len(overlaps) + missed} found, "
        caption += f"mean overlap {overlaps.mean():.2f}"
        if wrong:
            caption += f", {wrong} false alarm{'s' * (wrong > 1)}"
        self._good.add(quality, scene.picture(caption, side=self._side))

    def _add_bad(self, scene: Scene, matches: Matches) -> None:
        assert scene.predicted.scores is not None, "predictions carry scores"
        i = int(np.argmax(np.where(matches.wrong, scene.predicted.scores, -1)))
        score = float(scene.predicted.scores[i])
        if not self._bad.admits(score):
            return
        label = int(scene.predicted.labels[i])
        caption = f"{self._classes.name(label)} {score:.2f}: {self._mistake(scene, matches, i)}"
        window = window_around(scene.predicted.boxes[i], scene.truth.image_size)
        self._bad.add(score, scene.picture(caption, side=self._side, window=window, predicted=i))

    def _add_missed(self, scene: Scene, matches: Matches) -> None:
        truth = scene.truth
        sides = truth.boxes[:, 2:] - truth.boxes[:, :2]
        areas = sides.prod(axis=1) if truth.masks is None else truth.masks.areas
        i = int(matches.missed[np.argmax(areas[matches.missed])])
        height, width = truth.image_size
        share = float(areas[i]) / (height * width)
        if not self._missed.admits(share):
            return
        objects = len(truth) if truth.crowd is None else int((~truth.crowd).sum())
        caption = (
            f"{self._classes.name(int(truth.labels[i]))} of {int(areas[i]):,} pixels: "
            f"{len(matches.missed)} of {objects} missed here"
        )
        window = window_around(truth.boxes[i], truth.image_size)
        self._missed.add(share, scene.picture(caption, side=self._side, window=window, truth=i))

    def _mistake(self, scene: Scene, matches: Matches, i: int) -> str:
        """Say in words what is wrong with prediction `i`."""
        overlap, nearest = float(matches.overlap[i]), int(matches.nearest[i])
        if overlap < _TOUCHING:
            return "nothing is annotated here"
        label = int(scene.truth.labels[nearest])
        if overlap < _SAME_OBJECT:
            return f"overlaps the annotated {self._classes.name(label)} by {overlap:.2f} only"
        if label == int(scene.predicted.labels[i]):
            return f"found twice (overlap {overlap:.2f})"
        return f"annotated as {self._classes.name(label)} (overlap {overlap:.2f})"


class _Best:
    """Keeps the few pictures with the highest values; of equal ones the earlier."""

    def __init__(self, count: int) -> None:
        self._count = count
        self._kept: list[tuple[float, Picture]] = []

    def admits(self, value: float) -> bool:
        """Return whether a picture of this value would be kept."""
        if len(self._kept) < self._count:
            return True
        return bool(self._kept) and value > self._kept[-1][0]

    def add(self, value: float, picture: Picture) -> None:
        """Keep a picture, and forget the last one if there are too many."""
        bisect.insort_right(self._kept, (value, picture), key=lambda item: -item[0])
        del self._kept[self._count :]

    @property
    def pictures(self) -> tuple[Picture, ...]:
        """What was kept, highest value first."""
        return tuple(picture for _, picture in self._kept)
