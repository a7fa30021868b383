"""Deal groups of images out to parts, so that every part gets its share of every kind of object.

First by iterative stratification (K. Sechidis, G. Tsoumakas, I. Vlahavas, "On the Stratification of
Multi-Label Data", ECML PKDD 2011): the rarest kind is dealt out first, each time to the part that
still wants it most. It counts images that show a kind. Then groups of equally many images change
places wherever that brings the numbers of objects, too, nearer to what was wished.
"""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

Counts = npt.NDArray[np.float32]

_ROUNDS = 20  # of exchanges at most; most sets are at rest after five
_TURNS = 1000  # groups that look for a partner in a round
_PARTNERS = 256  # groups that one looks at


def deal(
    sizes: Counts,
    images: Counts,
    objects: Counts,
    shares: Sequence[float],
    rng: np.random.Generator,
) -> npt.NDArray[np.int64]:
    """Return the part of each group.

    Args:
        sizes: (g,) images of each group.
        images: (g, k) images of each group that show each kind of object.
        objects: (g, k) objects of each kind in each group.
        shares: The share of each part; they sum to 1.
        rng: Orders groups that are otherwise alike.
    """
    part_of = _deal_out(sizes, images, shares, rng)
    _exchange(part_of, sizes, np.concatenate([images, objects], axis=1), shares, rng)
    return part_of


def _deal_out(
    sizes: Counts, images: Counts, shares: Sequence[float], rng: np.random.Generator
) -> npt.NDArray[np.int64]:
    wanted_images = np.asarray(shares) * sizes.sum()
    wanted_kind = np.outer(shares, images.sum(axis=0))
    given = [0] * len(shares)
    part_of = np.full(len(sizes), -1)
    shows = images > 0
    remaining = shows.sum(axis=0)
    # Large groups first: they are the hardest to place.
    shuffled = rng.permutation(len(sizes))
    left = shuffled[np.argsort(-sizes[shuffled], kind="stable")]

    while len(left):
        if remaining.any():
            rarest = int(np.argmin(np.where(remaining > 0, remaining, len(sizes) + 1)))
            turn, wish = left[shows[left, rarest]], wanted_kind[:, rarest]
        else:
            turn, wish = left, wanted_images  # only images without any object remain
        for group in turn:
            spare = len(sizes) - sum(given) > given.count(0)  # else each goes to an empty part
            free = [part for part in range(len(shares)) if spare or not given[part]]
            part = max(free, key=lambda part: (wish[part], wanted_images[part]))
            part_of[group] = part
            given[part] += 1
            wanted_images[part] -= sizes[group]
            wanted_kind[part] -= images[group]
            remaining -= shows[group]
        left = left[part_of[left] < 0]
    return part_of


def _exchange(
    part_of: npt.NDArray[np.int64],
    sizes: Counts,
    counts: Counts,
    shares: Sequence[float],
    rng: np.random.Generator,
) -> None:
    """Let groups change places as long as that lowers chi-square of the parts against the wish.

    Chi-square is the sum over parts and columns of (count - wish)^2 / wish.
    """
    wish = np.outer(shares, counts.sum(axis=0)).clip(min=1e-9)
    excess = np.stack([counts[part_of == p].sum(axis=0) for p in range(len(shares))]) - wish
    alike = {size: np.flatnonzero(sizes == size) for size in np.unique(sizes)}
    for _ in range(_ROUNDS):
        moved = False
        for group in rng.permutation(len(sizes))[:_TURNS]:
            mine, partners = part_of[group], alike[sizes[group]]
            if len(partners) > _PARTNERS:
                partners = partners[rng.integers(len(partners), size=_PARTNERS)]
            partners = partners[part_of[partners] != mine]
            if not len(partners):
                continue
            theirs = part_of[partners]
            gained = counts[partners] - counts[group]  # by my part; theirs lose it
            change = (gained * (2 * excess[mine] + gained) / wish[mine]).sum(axis=1)
            change += (gained * (gained - 2 * excess[theirs]) / wish[theirs]).sum(axis=1)
            best = int(np.argmin(change))
            if change[best] < -1e-6:
                excess[mine] += gained[best]
                excess[theirs[best]] -= gained[best]
                part_of[group], part_of[partners[best]] = theirs[best], mine
                moved = True
        if not moved:
            return
