"""What only the pixels of the pictures show. Every picture is decoded once."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

import numpy as np

from delineate.core.image import ImageArray, read_image, stored_bits
from delineate.data.sample import Dataset, ImageRecord
from delineate.errors import ImageError
from delineate.quality.findings import Finding, Place, place_of
from delineate.quality.view import Counted, silently

FEW = 0.2
"""Share up to which grey pictures among coloured ones, or the reverse, are strangers."""

BLANK = 2
"""Difference of the largest and the smallest value of each channel, of 255, up to which a picture
shows nothing."""

DARK = 32
"""Brightest value, of 255, of a 16-bit picture that was written for fewer bits: 12 give 15."""

_SHOWN = 5  # places


@dataclass(slots=True)
class _Seen:
    """What was seen in the pictures of a split."""

    grey: list[Place] = field(default_factory=list)
    coloured: list[Place] = field(default_factory=list)
    deep: list[Place] = field(default_factory=list)


def pixels(splits: Mapping[str, Dataset], counted: Counted = silently) -> Iterator[Finding]:
    """Find pictures that are damaged inside, blank, dark, or of another kind than the others."""
    for split, dataset in splits.items():
        seen = _Seen()
        for index in counted(len(dataset), f"read {split}"):
            yield from _look(split, dataset.records[index], seen)
        yield from _strangers(split, seen)
        if seen.deep:
            yield Finding(
                kind="deep_pictures",
                severity="note",
                place=Place(split=split),
                why=f"{len(seen.deep):,} pictures have 16 bits a channel, of which the upper 8 are "
                "read: what differs only in the lower ones is lost",
                fix="scale them to 8 bits so that what matters is seen",
                others=tuple(seen.deep[:_SHOWN]),
            )


def _look(split: str, record: ImageRecord, seen: _Seen) -> Iterator[Finding]:
    if record.path is None:
        return
    place = place_of(split, record)
    try:
        image = read_image(record.path)
        deep = stored_bits(record.path) > 8
    except ImageError as error:
        why, _, fix = str(error).replace(str(record.path), "its file").rpartition(": ")
        yield Finding(
            kind="unreadable_picture",
            severity="error",
            place=place,
            why=f"its header is sound and its pixels are not: {why}",
            fix=fix.rstrip("."),
        )
        return
    (seen.grey if _is_grey(image) else seen.coloured).append(place)
    if deep:
        seen.deep.append(place)
    brightest = int(image.max())
    if deep and 0 < brightest < DARK:
        yield Finding(
            kind="dark_picture",
            severity="warning",
            place=place,
            why=f"it has 16 bits a channel and uses {brightest + 1} of 256 brightnesses once the "
            "upper 8 are read, as data of 12 bits do: almost nothing is to be seen",
            fix="scale its values to the full range",
        )
    elif int(np.ptp(image, axis=(0, 1)).max()) <= BLANK:
        yield Finding(
            kind="blank_picture",
            severity="warning",
            place=place,
            why="all its pixels have the same colour, as after a failed export",
            fix="export it again, or leave it out",
        )


def _strangers(split: str, seen: _Seen) -> Iterator[Finding]:
    few, many = sorted((seen.grey, seen.coloured), key=len)
    if few and len(few) <= FEW * (len(few) + len(many)):
        kinds = ("grey", "coloured") if few is seen.grey else ("coloured", "grey")
        yield Finding(
            kind="grey_among_coloured",
            severity="note",
            place=Place(split=split),
            why=f"{len(few):,} pictures are {kinds[0]} among {len(many):,} {kinds[1]} ones, and "
            "a model may learn to tell them by that",
            fix="look whether they belong here",
            others=tuple(few[:_SHOWN]),
        )


def _is_grey(image: ImageArray) -> bool:
    """Tell whether a picture has no colour; a sixteenth of its pixels is looked at."""
    some = image[::4, ::4].astype(np.int16)
    return bool(np.abs(some - some[..., :1]).max() <= 2)
