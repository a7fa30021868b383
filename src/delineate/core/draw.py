"""Pictures for people: objects drawn on their image, and many pictures on one sheet."""

from bisect import bisect_right
from collections.abc import Sequence
from functools import lru_cache
from typing import NamedTuple

import cv2
import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw, ImageFont

from delineate.core.boxes import area as box_area
from delineate.core.classes import ClassMap, colour
from delineate.core.image import ImageArray
from delineate.core.instances import Instances
from delineate.core.panoptic import Panoptic
from delineate.core.rle import Bitmap
from delineate.errors import DataError

_MOST_CHIPS = 40  # objects in a picture beyond which names would hide it
_PAPER, _INK, _FAINT = (250, 250, 248), (40, 40, 44), (228, 228, 224)
_Colour = tuple[int, int, int]
_Rectangle = tuple[int, int, int, int]  # x0, y0, x1, y1, ends exclusive


class _Shape(NamedTuple):
    """One object as it is drawn."""

    colour: _Colour
    crop: Bitmap  # (0, 0) if only its box is known
    origin: tuple[int, int]
    outlines: list[npt.NDArray[np.int32]]  # in 1/8 pixels, pixel centres at whole numbers


def overlay(
    image: ImageArray, instances: Instances, classes: ClassMap, *, alpha: float = 0.45
) -> ImageArray:
    """Draw objects on a copy of their image: filled, outlined, named.

    Large objects lie below small ones. With one class every object has its own colour, with several
    every class. Predictions show their score. Names are left out where they would hide more than
    they tell: in pictures of more than 40 objects, on objects smaller than their name, where there
    is no room beside another name, and for the truth where there is only one class.

    Args:
        image: ``(h, w, 3)`` uint8 RGB.
        instances: Objects of this image; without masks their boxes are drawn.
        classes: What the labels mean.
        alpha: Opacity of the fill, from 0 to 1.

    Raises:
        DataError: The image has another size than the instances'.
    """
    if image.shape != (*instances.image_size, 3):
        raise DataError(
            f"objects of an image of size {instances.image_size} are drawn on that image, and "
            f"one of shape {image.shape} came: pass the image they were found in, as RGB."
        )
    canvas = image.copy()
    shapes = [_shape(instances, i, classes) for i in range(len(instances))]
    areas = box_area(instances.boxes) if instances.masks is None else instances.masks.areas
    order = np.argsort(-areas, kind="stable").tolist()
    for i in order:
        _fill(canvas, shapes[i], alpha)
    for i in order:
        _outline(canvas, shapes[i])
    tells_something = len(classes) > 1 or instances.scores is not None
    if tells_something and len(instances) <= _MOST_CHIPS:
        _name(canvas, instances, classes, [shape.colour for shape in shapes])
    return canvas


def panoptic_overlay(image: ImageArray, panoptic: Panoptic, *, alpha: float = 0.5) -> ImageArray:
    """Draw the segments of an image on a copy of it: things each in a colour, stuff in flat tones.

    Stuff and crowds have the colour of their class, greyed, so that things stand out, which are
    outlined. The largest segments are named where they are widest, as far as there is room.

    Args:
        image: ``(h, w, 3)`` uint8 RGB.
        panoptic: Segments of this image; what is void stays as it is.
        alpha: Opacity of the fill, from 0 to 1.

    Raises:
        DataError: The image has another size than the segments'.
    """
    if image.shape != (*panoptic.image_size, 3):
        raise DataError(
            f"segments of an image of size {panoptic.image_size} are drawn on that image, and "
            f"one of shape {image.shape} came: pass the image they belong to, as RGB."
        )
    canvas = image.copy()
    masks = panoptic.masks()
    shapes: list[_Shape] = []
    for i, segment in enumerate(panoptic.segments):
        counted = panoptic.classes.is_thing(segment.label) and not segment.crowd
        own = colour(i) if counted else _greyed(colour(segment.label))
        shapes.append(_outlined(own, *masks.crop(i)))
        _fill(canvas, shapes[i], alpha)
    for segment, shape in zip(panoptic.segments, shapes, strict=True):
        if panoptic.classes.is_thing(segment.label) and not segment.crowd:
            _outline(canvas, shape)
    _name_segments(canvas, panoptic, shapes)
    return canvas


def sheet(
    images: Sequence[ImageArray], captions: Sequence[str], columns: int = 4, *, cell: int = 400
) -> ImageArray:
    """Put pictures side by side on paper, each with a line of text below.

    Args:
        images: ``(h, w, 3)`` uint8 RGB of any sizes; each is scaled to fit its cell.
        captions: One for each; what is too long is cut off.
        columns: Pictures in a row.
        cell: Width, and greatest height, of a picture on the sheet, in pixels.

    Raises:
        DataError: There is no picture, or not one caption for each.
    """
    if not images or len(images) != len(captions) or columns < 1:
        raise DataError(
            f"a sheet needs pictures, a caption for each and at least one column, and "
            f"{len(images)} pictures, {len(captions)} captions and {columns} columns came: give "
            "one caption for each picture."
        )
    columns = min(columns, len(images))
    gap, line = cell // 20, cell // 14
    scaled = [_fit(image, cell) for image in images]
    rows = [range(i, min(i + columns, len(images))) for i in range(0, len(images), columns)]
    heights = [max(scaled[i].shape[0] for i in row) for row in rows]
    width = columns * (cell + gap) + gap
    paper = np.full((sum(heights) + len(rows) * (line + gap) + gap, width, 3), _PAPER, np.uint8)
    top, places = gap, []
    for row, height in zip(rows, heights, strict=True):
        top += height
        for column, i in enumerate(row):
            h, w = scaled[i].shape[:2]
            middle = gap + column * (cell + gap) + cell // 2
            x, y = middle - w // 2, top - h
            paper[y - 1 : top + 1, x - 1 : x + w + 1] = _FAINT
            paper[y:top, x : x + w] = scaled[i]
            places.append((middle, top + line // 4))
        top += line + gap
    picture = Image.fromarray(paper)
    pen, font = ImageDraw.Draw(picture), _font(max(round(line * 0.55), 8))
    for place, caption in zip(places, captions, strict=True):
        pen.text(place, _shortened(caption, font, cell), fill=_INK, font=font, anchor="ma")
    return np.array(picture)


def _shape(instances: Instances, i: int, classes: ClassMap) -> _Shape:
    label = int(instances.labels[i])
    own = colour(i) if len(classes) == 1 else classes.colour(label)
    if instances.masks is None:
        x0, y0, x1, y1 = instances.boxes[i] - 0.5  # to pixel centres at whole numbers
        corners = np.array([[x0, y0], [x1, y0], [x1, y1], [x0, y1]])
        return _Shape(own, np.zeros((0, 0), bool), (0, 0), [np.rint(corners * 8).astype(np.int32)])
    return _outlined(own, *instances.masks.crop(i))


def _outlined(own: _Colour, crop: Bitmap, origin: tuple[int, int]) -> _Shape:
    if not crop.size:
        return _Shape(own, crop, origin, [])
    crop = np.ascontiguousarray(crop)
    lines, _ = cv2.findContours(
        crop.view(np.uint8), cv2.RETR_CCOMP, cv2.CHAIN_APPROX_SIMPLE, offset=origin
    )
    straight = [np.asarray(cv2.approxPolyDP(line, 0.6, True), np.int32) for line in lines]
    return _Shape(own, crop, origin, [line * 8 for line in straight])


def _fill(canvas: ImageArray, shape: _Shape, alpha: float) -> None:
    """Blend the colour into the pixels of one object."""
    (x0, y0), (h, w) = shape.origin, shape.crop.shape
    if not (h and w):
        return
    below = np.arange(256)[:, None]
    mixed = (below * (1 - alpha) + np.array(shape.colour) * alpha + 0.5).astype(np.uint8)
    region = canvas[y0 : y0 + h, x0 : x0 + w]
    region[:] = cv2.copyTo(cv2.LUT(region, mixed[None]), shape.crop.view(np.uint8), dst=region)


def _outline(canvas: ImageArray, shape: _Shape) -> None:
    """Draw the line around one object."""
    cv2.polylines(
        canvas,
        shape.outlines,
        isClosed=True,
        color=shape.colour,
        thickness=max(1, round(0.066 * min(canvas.shape[:2]) ** 0.5)),
        lineType=cv2.LINE_AA,
        shift=3,
    )


def _name(
    canvas: ImageArray, instances: Instances, classes: ClassMap, colours: Sequence[_Colour]
) -> None:
    """Put a chip with its name beside each object that has room for it, the surest first."""
    font = _font(max(11, round(0.7 * min(canvas.shape[:2]) ** 0.5)))
    areas = box_area(instances.boxes)
    importance = areas if instances.scores is None else instances.scores
    taken: list[_Rectangle] = []
    for i in np.argsort(-importance, kind="stable").tolist():
        text = classes.name(int(instances.labels[i]))
        if instances.scores is not None:
            text += f" {instances.scores[i]:.2f}"
        chip, opacity = _chip(text, colours[i], font)
        if chip.shape[0] * chip.shape[1] > areas[i]:
            continue
        place = _free_place(chip.shape[:2], instances.boxes[i].tolist(), canvas.shape[:2], taken)
        if place is not None:
            _put_chip(canvas, place, chip, opacity)
            taken.append(place)


def _put_chip(
    canvas: ImageArray,
    place: _Rectangle,
    chip: npt.NDArray[np.float32],
    opacity: npt.NDArray[np.float32],
) -> None:
    x0, y0, x1, y1 = place
    below = canvas[y0:y1, x0:x1]
    below[:] = below + (chip - below) * opacity + np.float32(0.5)


def _name_segments(canvas: ImageArray, panoptic: Panoptic, shapes: Sequence[_Shape]) -> None:
    """Put a chip with its name on each segment that is wide enough for it, the largest first."""
    font = _font(max(11, round(0.7 * min(canvas.shape[:2]) ** 0.5)))
    taken: list[_Rectangle] = []
    for i in sorted(range(len(shapes)), key=lambda i: -panoptic.segments[i].area)[:_MOST_CHIPS]:
        segment, shape = panoptic.segments[i], shapes[i]
        text = panoptic.classes.name(segment.label) + (" (crowd)" if segment.crowd else "")
        if segment.score is not None:
            text += f" {segment.score:.2f}"
        chip, opacity = _chip(text, shape.colour, font)
        (chip_h, chip_w), (h, w) = chip.shape[:2], canvas.shape[:2]
        if 3 * chip_h * chip_w > segment.area:
            continue
        x, y = _deepest(shape)
        left = min(max(x - chip_w // 2, 0), w - chip_w)
        top = min(max(y - chip_h // 2, 0), h - chip_h)
        place = left, top, left + chip_w, top + chip_h
        if left >= 0 and top >= 0 and not any(_overlap(place, other) for other in taken):
            _put_chip(canvas, place, chip, opacity)
            taken.append(place)


def _deepest(shape: _Shape) -> tuple[int, int]:
    """Return the column and row that lie farthest from everything outside of a shape."""
    padded = np.pad(shape.crop, 1).astype(np.uint8)
    depth = cv2.distanceTransform(padded, cv2.DIST_L2, 3)
    y, x = np.unravel_index(int(np.argmax(depth)), depth.shape)
    return shape.origin[0] + int(x) - 1, shape.origin[1] + int(y) - 1


def _greyed(own: _Colour) -> _Colour:
    """Return a colour a good part of the way to the grey that is as light."""
    grey = float(np.dot(own, (0.299, 0.587, 0.114)))
    red, green, blue = (round(value + (grey - value) * 0.3) for value in own)
    return red, green, blue


def _free_place(
    chip: tuple[int, int], box: Sequence[float], size: tuple[int, int], taken: Sequence[_Rectangle]
) -> _Rectangle | None:
    """Return where in the picture a chip beside a box overlaps no other, if anywhere."""
    (chip_h, chip_w), (h, w) = chip, size
    left, top, right, bottom = (round(edge) for edge in box)
    for x, y in (
        (left, top - chip_h),
        (left, top),
        (right - chip_w, top - chip_h),
        (right - chip_w, top),
        (left, bottom - chip_h),
        (left, bottom),
        ((left + right - chip_w) // 2, (top + bottom - chip_h) // 2),
    ):
        x, y = min(max(x, 0), w - chip_w), min(max(y, 0), h - chip_h)
        place = x, y, x + chip_w, y + chip_h
        if x >= 0 and y >= 0 and not any(_overlap(place, other) for other in taken):
            return place
    return None


def _overlap(a: _Rectangle, b: _Rectangle) -> bool:
    return a[0] < b[2] and b[0] < a[2] and a[1] < b[3] and b[1] < a[3]


def _chip(
    text: str, background: _Colour, font: ImageFont.FreeTypeFont | ImageFont.ImageFont
) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]:
    """Return a name on a rounded background: ``(h, w, 3)`` colours and ``(h, w, 1)`` opacity."""
    left, _, right, _ = font.getbbox(text)
    _, top, _, bottom = font.getbbox("Ág")
    pad = max(2, round((bottom - top) * 0.2))
    w, h = round(right - left) + 2 * pad + 2, round(bottom - top) + 2 * pad
    ink = Image.new("L", (w, h))
    ImageDraw.Draw(ink).text((pad + 1 - left, pad - top), text, fill=255, font=font)
    light = np.dot(background, (0.299, 0.587, 0.114)) > 130
    back = np.array(background, np.float32)
    letters = np.asarray(ink, np.float32)[..., None] / np.float32(255)
    chip = back + (np.float32(15 if light else 255) - back) * letters
    radius = 1.5 * pad
    across, down = (np.abs(np.arange(side) + 0.5 - side / 2) - side / 2 + radius for side in (w, h))
    outside = np.hypot(np.maximum(across, 0), np.maximum(down, 0)[:, None]) - radius
    opacity = np.clip(0.5 - outside, 0, 0.92).astype(np.float32)
    return chip, opacity[..., None]


def _fit(image: ImageArray, cell: int) -> ImageArray:
    """Scale a picture to the width or height of its cell, whichever it reaches first."""
    h, w = image.shape[:2]
    factor = min(cell / w, cell / h)
    size = max(round(w * factor), 1), max(round(h * factor), 1)
    how = cv2.INTER_AREA if factor < 1 else cv2.INTER_CUBIC
    return np.asarray(cv2.resize(image, size, interpolation=how), np.uint8)


def _shortened(text: str, font: ImageFont.FreeTypeFont | ImageFont.ImageFont, width: int) -> str:
    """Return as much of a text as fits."""
    text = " ".join(text.split())
    if font.getlength(text) <= width:
        return text

    def length(count: int) -> float:
        return font.getlength(text[:count] + "…")

    fits = bisect_right(range(len(text)), float(width), key=length)
    return text[: max(fits - 1, 0)] + "…"


@lru_cache(maxsize=16)
def _font(size: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    return ImageFont.load_default(size)
