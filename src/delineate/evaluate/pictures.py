"""Small pictures for reports: a part of an image, with truth and predictions as outlines."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from delineate.core.boxes import Size
from delineate.core.classes import ClassMap
from delineate.core.image import ImageArray
from delineate.core.instances import Instances
from delineate.core.outlines import Outline, Window, into_picture, jpeg, outlines


@dataclass(frozen=True, slots=True, kw_only=True)
class Picture:
    """A small picture with what is there and what was found.

    Attributes:
        jpeg: The picture as a JPEG file.
        size: (height, width) of the picture.
        name: The name of the image it comes from.
        caption: What it shows, in words.
        truth: The annotated objects, without crowd regions.
        predicted: The predictions.
    """

    jpeg: bytes
    size: Size
    name: str
    caption: str
    truth: tuple[Outline, ...]
    predicted: tuple[Outline, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Scene:
    """One evaluated image: its pixels, what is there and what was found."""

    name: str
    image: ImageArray
    truth: Instances
    predicted: Instances
    classes: ClassMap

    def picture(
        self,
        caption: str,
        *,
        side: int,
        window: Window | None = None,
        truth: int = -1,
        predicted: int = -1,
    ) -> Picture:
        """Take a picture of the scene.

        Args:
            caption: What it shows, in words.
            side: Its longer side in pixels; details are enlarged, whole images are not.
            window: The part of the image to show; by default all of it.
            truth: The annotated object it is about, -1 for none in particular.
            predicted: The prediction it is about.
        """
        geometry = into_picture(self.image.shape[:2], side, window)
        visible = self.truth if self.truth.crowd is None else self.truth[~self.truth.crowd]
        focus = -1 if truth < 0 else int((~_crowd(self.truth))[:truth].sum())
        return Picture(
            jpeg=jpeg(geometry.image(self.image)),
            size=geometry.target,
            name=self.name,
            caption=caption,
            truth=outlines(visible, geometry, self.classes, focus),
            predicted=outlines(self.predicted, geometry, self.classes, predicted),
        )


def _crowd(truth: Instances) -> npt.NDArray[np.bool_]:
    return np.zeros(len(truth), dtype=bool) if truth.crowd is None else truth.crowd
