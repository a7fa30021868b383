"""Which objects are pasted into a picture, and where."""

import math
from collections.abc import Callable
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np

from delineate.core.boxes import Size
from delineate.core.geometry import Geometry
from delineate.core.masks import Masks
from delineate.data.layers import Piece, Stack
from delineate.data.pasted.learnt import LEAST_AREA, Indices, Learnt, surroundings
from delineate.data.pasted.pasting import BLENDS, TAKES_ALONG, Paste
from delineate.data.sample import Dataset
from delineate.data.shapes import TAU

LEAST_SHARE = 0.5  # of a pasted object that must show
_TRIES = 12  # places tried for each object before a crowded picture makes do with fewer
_FARTHER = 0.3  # by so much each is farther from where such objects lie
_LENDERS = 6  # images that lend objects to one picture: each has to be read
_NEAREST = 6  # objects nearest in size of which one is taken
_SIZE_JITTER = 0.1  # standard deviation of the logarithm of the size
_SCALES = (0.5, 1.5)  # least and most that an object is shrunk and enlarged
_APART = (0.8, 1.05)  # of the sum of their radii, between two objects that touch


class Spot(NamedTuple):
    """A picture to be filled."""

    size: Size
    """(height, width)."""
    unit: float
    """Pixels of the short side of a real image here; sizes of objects are shares of it."""
    like: int
    """Index of the real image it shall take after."""
    lenders: Indices
    """Indices of the images whose objects suit the ground."""
    alike: bool
    """Whether the ground looks like those the objects come from."""
    wanted: int
    """Number of objects."""
    origin: dict[str, Any]
    """What the provenance of every object says."""


def lay_out(
    dataset: Dataset,
    masks_of: Callable[[int], Masks],
    learnt: Learnt,
    spot: Spot,
    rng: np.random.Generator,
) -> tuple[Stack, list[Paste]]:
    """Fill a picture; nothing is painted.

    Args:
        dataset: Where the objects come from.
        masks_of: The masks of one of its images; asked for anew for each object.
        learnt: What is known of them.
        spot: What is to be filled.
        rng: The only source of chance.

    Returns:
        The objects, and how each gets there; a crowded picture makes do with fewer than wanted.
    """
    stack = Stack(spot.size, least_share=LEAST_SHARE, least_area=LEAST_AREA)
    usable = np.flatnonzero(learnt.usable)
    models = learnt.within(spot.like)
    models = models[np.isin(learnt.label[models], learnt.label[usable]) & ~learnt.edge[models]]
    if not len(models):
        models = usable
    lenders = rng.permutation(spot.lenders)[:_LENDERS], spot.lenders
    together = float(learnt.touches[models].mean())
    pastes = []
    for model in models[rng.integers(len(models), size=spot.wanted)].tolist():
        side = float(learnt.size[model] * spot.unit * np.exp(rng.normal(0, _SIZE_JITTER)))
        of_class = usable[learnt.label[usable] == learnt.label[model]]
        chosen = _choose(learnt, of_class, lenders, side, rng)
        paste = _cut_out(masks_of, learnt, chosen, side, spot.alike, rng)
        name = dataset.records[int(learnt.image[chosen])].name
        known = spot.origin | {"source": name, "annotation": int(learnt.id[chosen])}
        for number in range(_TRIES):
            beside = len(stack) > 0 and rng.random() < together
            if beside:
                centre = _beside(stack, paste.side, rng)
            else:
                blur = 1 + _FARTHER * number
                centre = learnt.place_like(model, spot.size, rng, blur=blur)
            placed, piece = _placed(paste, centre, stack, int(learnt.label[model]), known)
            if (beside or not stack.touches(piece)) and stack.offer(piece):
                pastes.append(placed)
                break
    return stack, pastes


def _choose(
    learnt: Learnt,
    of_class: Indices,
    lenders: tuple[Indices, ...],
    side: float,
    rng: np.random.Generator,
) -> int:
    """Return an object of about the size wanted, of the first lot of images that has the class."""
    lent = of_class
    for images in lenders:
        if (here := np.isin(learnt.image[of_class], images)).any():
            lent = of_class[here]
            break
    order = np.argsort(np.abs(np.log(learnt.side[lent] / side)), kind="stable")
    return int(lent[order[rng.integers(min(_NEAREST, len(lent)))]])


def _cut_out(
    masks_of: Callable[[int], Masks],
    learnt: Learnt,
    object_: int,
    side: float,
    alike: bool,
    rng: np.random.Generator,
) -> Paste:
    """Cut an object out, with some of what is around it; scale, mirror and turn it."""
    crop, (x, y) = masks_of(int(learnt.image[object_])).crop(int(learnt.row[object_]))
    own = float(learnt.side[object_])
    room = surroundings(own) + 2
    height, width = crop.shape[0] + 2 * room, crop.shape[1] + 2 * room
    scale = float(np.clip(side / own, *_SCALES))
    turn = float(rng.uniform(-learnt.turn, learnt.turn))
    geometry = _turned((height, width), scale, turn, mirrored=rng.random() < 0.5)
    moved, (left, top) = geometry.bitmap_crop(crop, (room, room))
    mask = np.zeros(geometry.target, bool)
    mask[top : top + moved.shape[0], left : left + moved.shape[1]] = moved
    names = [n for n in BLENDS if n not in TAKES_ALONG or (alike and learnt.alone[object_])]
    shares = np.array([BLENDS[name] for name in names])
    return Paste(
        object_=object_,
        window=(x - room, y - room, x - room + width, y - room + height),
        geometry=geometry,
        mask=mask,
        side=own * scale,
        blend=names[int(rng.choice(len(names), p=shares / shares.sum()))],
    )


def _turned(size: Size, scale: float, degrees: float, *, mirrored: bool) -> Geometry:
    """Return the map of a whole window to the smallest patch that holds it."""
    angle = math.radians(degrees)
    cos, sin = scale * math.cos(angle), scale * math.sin(angle)
    height, width = size
    wide = math.ceil(abs(cos) * width + abs(sin) * height)
    tall = math.ceil(abs(sin) * width + abs(cos) * height)
    linear = np.array([[cos, -sin], [sin, cos]]) * ((-1, 1) if mirrored else (1, 1))
    shift = np.array([wide, tall]) / 2 - linear @ (width / 2, height / 2)
    return Geometry.affine(size, np.column_stack([linear, shift]), (tall, wide))


def _placed(
    paste: Paste, centre: tuple[float, float], stack: Stack, label: int, known: dict[str, Any]
) -> tuple[Paste, Piece]:
    """Move a cut-out object to a place; near others it takes nothing along."""
    height, width = paste.mask.shape
    origin = round(centre[0] - width / 2), round(centre[1] - height / 2)
    piece = Piece(label=label, mask=paste.mask, origin=origin, provenance=known)
    blend = paste.blend
    if blend in TAKES_ALONG and stack.touches(piece, surroundings(paste.side)):
        blend = "feather"
    (a, b), (c, d) = paste.geometry.matrix[:2, :2].tolist()
    change = {
        "blend": blend,
        "scale": round(paste.geometry.scale, 3),
        "turn": round(math.degrees(math.atan2(-b, d)), 1),
        "mirrored": a * d < b * c,
    }
    return paste._replace(origin=origin, blend=blend), replace(piece, provenance=known | change)


def _beside(stack: Stack, side: float, rng: np.random.Generator) -> tuple[float, float]:
    """Return a place at which an object would about touch another."""
    mate = stack.pieces[int(rng.integers(len(stack)))]
    other = math.sqrt(np.count_nonzero(mate.mask))
    apart = rng.uniform(*_APART) * (side + other) / math.sqrt(math.pi)
    towards = rng.random() * TAU
    x = mate.origin[0] + mate.mask.shape[1] / 2 + apart * math.cos(towards)
    y = mate.origin[1] + mate.mask.shape[0] / 2 + apart * math.sin(towards)
    return x, y
