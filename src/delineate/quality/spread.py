"""How values are spread: quantiles, and counts between edges."""

from dataclasses import dataclass
from typing import Self

import numpy as np
import numpy.typing as npt


@dataclass(frozen=True, slots=True, kw_only=True)
class Spread:
    """How values are spread: their mean and some quantiles; all 0 where there is no value."""

    mean: float
    least: float
    q05: float
    q25: float
    median: float
    q75: float
    q95: float
    most: float

    @classmethod
    def of(cls, values: npt.ArrayLike) -> Self:
        """Summarise values."""
        array = np.asarray(values, dtype=np.float64)
        if not array.size:
            return cls(**dict.fromkeys(cls.__slots__, 0.0))
        quantiles = np.quantile(array, [0, 0.05, 0.25, 0.5, 0.75, 0.95, 1]).tolist()
        names = ("least", "q05", "q25", "median", "q75", "q95", "most")
        return cls(mean=float(array.mean()), **dict(zip(names, quantiles, strict=True)))


@dataclass(frozen=True, slots=True, kw_only=True)
class Histogram:
    """Numbers of values between edges; the last bin holds its upper edge, too."""

    edges: tuple[float, ...]
    counts: tuple[int, ...]

    @classmethod
    def of(cls, values: npt.ArrayLike, edges: npt.ArrayLike) -> Self:
        """Count values between edges."""
        counts, edges = np.histogram(np.asarray(values), np.asarray(edges, dtype=np.float64))
        return cls(edges=tuple(edges.tolist()), counts=tuple(counts.tolist()))


def whole_edges(values: npt.NDArray[np.int64], most: int = 30) -> npt.NDArray[np.int64]:
    """Return edges of at most `most` bins of equally many whole numbers, from 0 on."""
    top = int(values.max(initial=0))
    step = -(-(top + 1) // most)
    return np.arange(0, top + step + 1, step)


def size_edges(sides: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Return powers of the square root of 2 around the sizes there are, the first one of 2."""
    positive = sides[sides > 0]
    if not positive.size:
        return np.array([1.0, 2.0])
    low, high = 2 * np.floor(np.log2(positive.min())), np.floor(2 * np.log2(positive.max()))
    return np.asarray(2.0 ** (np.arange(low, high + 2) / 2))
