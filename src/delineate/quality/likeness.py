"""Which pictures of many are the same picture: flipped, turned, re-compressed, brighter, cropped.

Three steps, each for what the one before has left. (1) The coarse light and dark of every picture,
the 63 lowest coefficients of its cosine transform, is compared with that of every other in all
eight positions of a square (Zauner, "Implementation and Benchmarking of Perceptual Image Hash
Functions", 2010, thresholds the same coefficients to bits). (2) Pictures that agree there are
compared cell by cell, each cell against its own mean, as SSIM does (Wang et al., 2004): pages of
one book and fields of one slide agree in the large and differ in every cell. (3) Those that still
differ are laid on one another (Evangelidis and Psarakis, ECC, 2008), for one may be cut or turned
a little, and compared again.

Step 1 takes the time of the square of n, in blocks of matrix products: 20 ns a pair on one core,
4 s for 20,000 pictures and 100 s for 100,000, which take longer to read. Step 3 takes up to 6 ms a
picture, where many agree in the large.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

import cv2
import numpy as np
import numpy.typing as npt

from delineate.quality.signatures import SIDE, Signatures

POSES = 8
"""Positions of a square: 4 for transposed, plus 2 for upside down, plus 1 for mirrored."""

_COEFFICIENTS = 8  # along an axis
_LEAST_CONTRAST = 1.5  # grey values; a flatter picture resembles nothing
_COARSE = 0.85  # correlation of coarse light and dark from which a pair is looked at
_BLOCK = 128
_PARTNERS = 16  # of a picture looked at cell by cell, the likest first
_LAID = 3  # of these, laid on it
_CELL = 8
_WHOLE = 0.9  # share of what goes on in the cells that two pictures must have in common
_WORST_CELL = 0.4  # difference in one cell, over what goes on in a cell on average: up to 0.13 in a
# copy of bad quality, from 0.5 on where an object of a hundredth of the picture has moved
_LOW_CELL = 0.3  # what the worst tenth of the cells have in common, each for itself: a bright
_QUIET = 2.0  # caption outshines all else. Not asked of cells of less contrast, in grey values
_MOST_STRETCH, _MOST_SHIFT = 0.15, 8.0  # of a picture that is laid on another; pixels of 64
_LEAST_COMMON = 0.5  # share of cells that two pictures must have in common

Pictures = npt.NDArray[np.float32]
"""(n, 64, 64)"""


@dataclass(frozen=True, slots=True)
class Pairs:
    """Pairs of pictures that are the same one.

    Attributes:
        first: (p,) positions.
        second: (p,) positions, each greater than that in `first`.
        pose: (p,) in which of the 8 `POSES` the first looks like the second.
        agreement: (p,) from 0.9 to 1.
        cropped: (p,) whether one had to be laid on the other: cut, shifted or turned a little.
        identical: (p,) whether their files are the same, byte for byte.
    """

    first: npt.NDArray[np.int64]
    second: npt.NDArray[np.int64]
    pose: npt.NDArray[np.int64]
    agreement: npt.NDArray[np.float32]
    cropped: npt.NDArray[np.bool_]
    identical: npt.NDArray[np.bool_]

    def __len__(self) -> int:
        return len(self.first)


class _Found(NamedTuple):
    first: npt.NDArray[np.int64]
    second: npt.NDArray[np.int64]
    pose: npt.NDArray[np.int64]
    agreement: npt.NDArray[np.float32]
    cropped: npt.NDArray[np.bool_]


def alike(signatures: Signatures) -> Pairs:
    """Return the pairs that are the same picture.

    Of many copies of one picture not every pair is named, but enough to join all of them.
    """
    same = _identical(signatures.digests)
    vectors = _coarse(signatures.thumbnails)
    parts = [_compared(signatures.thumbnails, *found) for found in _candidates(vectors)]
    found = _Found(*(np.concatenate(column) for column in zip(*parts, strict=True)))
    known = {tuple(pair) for pair in same.tolist()}
    pairs = zip(found.first.tolist(), found.second.tolist(), strict=True)
    new = np.array([pair not in known for pair in pairs], dtype=bool)
    count = len(same)
    return Pairs(
        np.concatenate([same[:, 0], found.first[new]]),
        np.concatenate([same[:, 1], found.second[new]]),
        np.concatenate([np.zeros(count, np.int64), found.pose[new]]),
        np.concatenate([np.ones(count, np.float32), found.agreement[new]]),
        np.concatenate([np.zeros(count, bool), found.cropped[new]]),
        np.concatenate([np.ones(count, bool), np.zeros(int(new.sum()), bool)]),
    )


def posed(pictures: npt.NDArray[np.uint8], pose: int) -> npt.NDArray[np.uint8]:
    """Return (..., s, s) pictures transposed, then upside down, then mirrored, as `pose` says."""
    if pose & 4:
        pictures = np.swapaxes(pictures, -1, -2)
    if pose & 2:
        pictures = pictures[..., ::-1, :]
    return pictures[..., ::-1] if pose & 1 else pictures


def _identical(digests: tuple[bytes, ...]) -> npt.NDArray[np.int64]:
    """Return (p, 2) neighbours among the files that are the same."""
    last: dict[bytes, int] = {}
    pairs = []
    for i, digest in enumerate(digests):
        if digest and digest in last:
            pairs.append((last[digest], i))
        last[digest] = i
    return np.array(pairs, dtype=np.int64).reshape(-1, 2)


# -- step 1 ------------------------------------------------------------------------------------


def _coarse(thumbnails: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
    """Return (n, 8, 8) the lowest coefficients of the cosine transform, of length 1, or 0."""
    places, waves = np.arange(SIDE) + 0.5, np.arange(_COEFFICIENTS)[:, None]
    basis = np.cos(np.pi / SIDE * waves * places).astype(np.float32) * np.float32(2 / SIDE)
    vectors = np.zeros((len(thumbnails), _COEFFICIENTS, _COEFFICIENTS), dtype=np.float32)
    for vector, picture in zip(vectors, thumbnails, strict=True):
        vector[:] = basis @ picture @ basis.T
    vectors[:, 0, 0] = 0
    flat = np.array([picture.std() for picture in thumbnails]) < _LEAST_CONTRAST
    length = np.linalg.norm(vectors, axis=(1, 2))
    vectors /= np.where(flat | (length == 0), np.inf, length)[:, None, None]
    return vectors


def _candidates(
    vectors: npt.NDArray[np.float32],
) -> Iterator[tuple[npt.NDArray[np.int64], npt.NDArray[np.int64], npt.NDArray[np.int64]]]:
    """Yield first, second and pose of pairs that agree in the large, the likest first."""
    count = _COEFFICIENTS**2
    turned = [_turned(vectors, pose).reshape(-1, count) for pose in range(POSES)]
    columns = turned[0].T
    for start in range(0, max(len(vectors), 1), _BLOCK):
        rows = slice(start, start + _BLOCK)
        best = turned[0][rows] @ columns[:, start:]
        for pose in range(1, POSES):
            np.maximum(best, turned[pose][rows] @ columns[:, start:], out=best)
        row, column = np.nonzero(np.triu(best >= _COARSE, 1))
        order = np.lexsort((-best[row, column], row))
        row, column = row[order], column[order]
        near = _rank(row) < _PARTNERS
        first, second = row[near] + start, column[near] + start
        likeness = [(turned[pose][first] * turned[0][second]).sum(axis=1) for pose in range(POSES)]
        yield first, second, np.argmax(likeness, axis=0)


def _turned(vectors: npt.NDArray[np.float32], pose: int) -> npt.NDArray[np.float32]:
    """Return the coefficients of the posed pictures: mirroring turns the sign of odd waves."""
    signs = np.where(np.arange(_COEFFICIENTS) % 2, -1, 1).astype(np.float32)
    turned = np.swapaxes(vectors, 1, 2) if pose & 4 else vectors
    return turned * (signs[:, None] if pose & 2 else 1) * (signs if pose & 1 else 1)


def _rank(sorted_rows: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """Return the place of each entry among those of the same row."""
    places = np.arange(len(sorted_rows))
    return places - np.searchsorted(sorted_rows, sorted_rows)


# -- steps 2 and 3 -----------------------------------------------------------------------------


def _compared(
    thumbnails: npt.NDArray[np.uint8],
    first: npt.NDArray[np.int64],
    second: npt.NDArray[np.int64],
    pose: npt.NDArray[np.int64],
) -> _Found:
    """Return which of these pairs are the same picture."""
    agreement = np.zeros(len(first), dtype=np.float32)
    cropped = np.zeros(len(first), dtype=bool)
    pictures = np.zeros((len(first), SIDE, SIDE), dtype=np.float32)
    for turn in range(POSES):
        chosen = pose == turn
        pictures[chosen] = posed(thumbnails[first[chosen]], turn)
    for start in range(0, len(first), _BLOCK):
        part = slice(start, start + _BLOCK)
        agreement[part] = _agreement(pictures[part], thumbnails[second[part]].astype(np.float32))
    for k in np.flatnonzero((agreement < _WHOLE) & (_rank(first) < _LAID)).tolist():
        agreement[k] = _agreement_when_laid(pictures[k], thumbnails[second[k]].astype(np.float32))
        cropped[k] = True
    same = agreement >= _WHOLE
    return _Found(first[same], second[same], pose[same], agreement[same], cropped[same])


def _agreement(
    a: Pictures, b: Pictures, common: npt.NDArray[np.bool_] | None = None
) -> npt.NDArray[np.float32]:
    """Return (n,) how far pictures agree in what goes on in their cells; 0 where one cell differs.

    Args:
        a: (n, 64, 64).
        b: (n, 64, 64); brightness and contrast may differ from those of `a`.
        common: (n, cells) which cells count; None: all.
    """
    one, other = _cells(a), _cells(b)
    if common is None:
        common = np.ones(one.shape[:2], dtype=bool)
    other = other * (_spread(one, common) / _spread(other, common))
    one, other = (cells - cells.mean(axis=2, keepdims=True) for cells in (one, other))
    difference = ((one - other) ** 2).mean(axis=2) * common
    energy = ((one**2).mean(axis=2) + (other**2).mean(axis=2)) * common
    total = energy.sum(axis=1).clip(1e-6)
    worst = difference.max(axis=1) * common.sum(axis=1) / total
    quiet = energy <= 2 * _QUIET**2
    each = np.where(quiet, 1, 1 - difference / energy.clip(1e-6))  # quiet ones sort last
    tenth = np.maximum((~quiet).sum(axis=1) // 10, 1) - 1
    low = np.take_along_axis(np.sort(each, axis=1), tenth[:, None], axis=1)[:, 0]
    sound = (worst <= _WORST_CELL) & (low >= _LOW_CELL)
    return np.where(sound, 1 - difference.sum(axis=1) / total, 0).astype(np.float32)


def _spread(
    cells: npt.NDArray[np.float32], common: npt.NDArray[np.bool_]
) -> npt.NDArray[np.float32]:
    """Return (n, 1, 1) the standard deviation of the pixels of the common cells."""
    share = (common / common.sum(axis=1, keepdims=True))[..., None] / cells.shape[2]
    mean = (cells * share).sum(axis=(1, 2), keepdims=True)
    variance = ((cells - mean) ** 2 * share).sum(axis=(1, 2), keepdims=True)
    return np.asarray(np.sqrt(variance).clip(1e-3), dtype=np.float32)


def _cells(pictures: npt.NDArray[np.generic]) -> npt.NDArray[np.float32]:
    """Return (n, cells, pixels)."""
    count, along = len(pictures), SIDE // _CELL
    cells = pictures.reshape(count, along, _CELL, along, _CELL).swapaxes(2, 3)
    return cells.reshape(count, along**2, _CELL**2).astype(np.float32)


def _agreement_when_laid(a: npt.NDArray[np.float32], b: npt.NDArray[np.float32]) -> float:
    """Return how far one picture agrees with another that is moved to fit; 0 where none fits."""
    until = (cv2.TERM_CRITERIA_EPS | cv2.TERM_CRITERIA_COUNT, 25, 1e-3)
    start = np.eye(2, 3, dtype=np.float32)
    try:
        _, matrix = cv2.findTransformECC(a, b, start, cv2.MOTION_AFFINE, until)
    except cv2.error:  # it does not converge
        return 0.0
    found = np.asarray(matrix, dtype=np.float32)
    stretch, shift = np.abs(found - np.eye(2, 3)).max(axis=0)[:2].max(), np.abs(found[:, 2]).max()
    if not (stretch <= _MOST_STRETCH and shift <= _MOST_SHIFT):
        return 0.0
    moved = _warped(b, found, cv2.BORDER_REFLECT)
    inside = _warped(np.ones_like(b), found, cv2.BORDER_CONSTANT) > 0.99
    common = _cells(inside[None]).min(axis=2) > 0
    if common.mean() < _LEAST_COMMON:
        return 0.0
    return float(_agreement(a[None], moved[None], common)[0])


def _warped(
    picture: npt.NDArray[np.float32], matrix: npt.NDArray[np.float32], border: int
) -> npt.NDArray[np.float32]:
    """Return what lies at `matrix` times each place."""
    how = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    moved = cv2.warpAffine(picture, matrix, (SIDE, SIDE), flags=how, borderMode=border)
    return np.asarray(moved, dtype=np.float32)
