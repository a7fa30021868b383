"""What is remembered of every picture of a data set, so that any two can be compared quickly.

A signature is the digest of the file, a grey picture of 64 x 64, and a few numbers for colours and
texture: 4.2 KB. Making it is the cost of everything that compares pictures, so pictures are read
at reduced size where their format can (JPEG: about four times as fast) and by several threads.
"""

import hashlib
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import NamedTuple

import cv2
import numpy as np
import numpy.typing as npt

from delineate.core.image import ImageArray, read_image
from delineate.data.sample import Dataset
from delineate.errors import ImageError
from delineate.quality.view import Counted, silently

SIDE = 64
"""Height and width of the grey pictures."""

_READ = 4 * SIDE  # a picture is reduced to this before it is blurred
_BLUR = 2.4  # pixels of that: fine print must not alias, or a copy cut by a line looks different
_LOOK = 128  # side of the picture whose colours and texture are measured
_LIGHTNESS = (0.05, 0.25, 0.5, 0.75, 0.95)  # quantiles
_SCALES = 3
_NUMBERS = len(_LIGHTNESS) + 4 + 2 * _SCALES  # of a look
_THREADS = 2


@dataclass(frozen=True, slots=True)
class Signatures:
    """The signatures of n pictures.

    Attributes:
        digests: Of the n files; empty where a picture cannot be read.
        thumbnails: (n, 64, 64) uint8, the whole pictures in grey, stretched to squares.
        looks: (n, d) float32: lightness, colour and texture, for comparing at a distance.
    """

    digests: tuple[bytes, ...]
    thumbnails: npt.NDArray[np.uint8]
    looks: npt.NDArray[np.float32]

    def __len__(self) -> int:
        return len(self.digests)

    @classmethod
    def cat(cls, parts: Iterable["Signatures"]) -> "Signatures":
        """Join the signatures of several data sets, in their order; at least one."""
        parts = list(parts)
        return cls(
            tuple(digest for part in parts for digest in part.digests),
            np.concatenate([part.thumbnails for part in parts]),
            np.concatenate([part.looks for part in parts]),
        )


Known = Mapping[str, Signatures]
"""The signatures of each split by its name."""


class _Signature(NamedTuple):
    digest: bytes
    thumbnail: npt.NDArray[np.uint8]
    look: npt.NDArray[np.float32]


def signatures(dataset: Dataset, *, counted: Counted = silently) -> Signatures:
    """Read every picture of a data set once.

    A picture that has no file resembles none, nor does one that cannot be read: that it is broken
    is for other checks to say.

    Args:
        dataset: Its pictures are read from their files.
        counted: Shows how far it is.
    """
    with ThreadPoolExecutor(_THREADS) as pool:
        made = pool.map(lambda i: _signature(dataset, i), range(len(dataset)))
        known = [next(made) for _ in counted(len(dataset), f"look at {dataset.name}")]
    return Signatures(
        tuple(signature.digest for signature in known),
        np.array([s.thumbnail for s in known], dtype=np.uint8).reshape(-1, SIDE, SIDE),
        np.array([s.look for s in known], dtype=np.float32).reshape(-1, _NUMBERS),
    )


def signatures_of(splits: Mapping[str, Dataset], *, counted: Counted = silently) -> Known:
    """Read every picture of several splits once; see `signatures`."""
    return {split: signatures(dataset, counted=counted) for split, dataset in splits.items()}


def _signature(dataset: Dataset, index: int) -> _Signature:
    path = dataset.records[index].path
    try:
        content = b"" if path is None else path.read_bytes()
        image = read_image(content, at_least=_READ)
    except (ImageError, OSError):
        nothing = np.zeros((_READ, _READ, 3), np.uint8)
        return _Signature(b"", _thumbnail(nothing), _look(nothing))
    digest = hashlib.blake2b(content, digest_size=16).digest()
    return _Signature(digest, _thumbnail(image), _look(image))


def _thumbnail(image: ImageArray) -> npt.NDArray[np.uint8]:
    grey = cv2.cvtColor(_resized(image, _READ), cv2.COLOR_RGB2GRAY).astype(np.float32)
    blurred = cv2.GaussianBlur(grey, (0, 0), _BLUR)
    small = cv2.resize(blurred, (SIDE, SIDE), interpolation=cv2.INTER_AREA)
    return np.asarray(np.clip(small + 0.5, 0, 255), dtype=np.uint8)


def _look(image: ImageArray) -> npt.NDArray[np.float32]:
    """Return lightness, colours (CIE Lab) and how much goes on at three scales."""
    lab = cv2.cvtColor(_resized(image, _LOOK).astype(np.float32) / 255, cv2.COLOR_RGB2LAB)
    lightness, colours = lab[..., 0], lab[..., 1:].reshape(-1, 2)
    numbers = [*np.quantile(lightness, _LIGHTNESS), *colours.mean(axis=0), *colours.std(axis=0)]
    for _ in range(_SCALES):
        steps = np.hypot(np.diff(lightness[:, 1:], axis=0), np.diff(lightness[1:], axis=1))
        busy = np.log1p(steps) * 20  # to about the range of the others
        numbers += [busy.mean(), np.quantile(busy, 0.95)]
        lightness = cv2.pyrDown(lightness)
    return np.array(numbers, dtype=np.float32)


def _resized(image: ImageArray, side: int) -> ImageArray:
    return np.asarray(cv2.resize(image, (side, side), interpolation=cv2.INTER_AREA), np.uint8)
