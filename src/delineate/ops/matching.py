"""Which object each anchor or proposal answers for, and which of them train the network."""

import torch
from torch import Tensor

BACKGROUND = -1
"""Match of a box that overlaps no object enough: it is a negative example."""
IGNORED = -2
"""Match of a box that overlaps an object neither enough nor little enough: it is no example."""


def match(quality: Tensor, *, high: float, low: float, keep_best: bool) -> Tensor:
    """Assign each candidate box to at most one object.

    Args:
        quality: ``(objects, candidates)`` IoU; may have no rows.
        high: From this overlap on, a candidate belongs to the object it overlaps most.
        low: Below this overlap with every object, a candidate is background.
        keep_best: Also assign the best candidates of each object (all of them, where several are
            equally good), however little they overlap. Such a candidate belongs to the object it
            overlaps most, which may be another one. A candidate that does not touch the object
            is never assigned to it.

    Returns:
        ``(candidates,)`` int64: index of the object, `BACKGROUND` or `IGNORED`.
    """
    objects, candidates = quality.shape
    if objects == 0 or candidates == 0:
        return torch.full((candidates,), BACKGROUND, dtype=torch.int64, device=quality.device)
    overlap, nearest = quality.max(dim=0)
    matched = nearest.masked_fill(overlap < high, IGNORED).masked_fill_(overlap < low, BACKGROUND)
    if keep_best:
        best = quality.max(dim=1).values.clamp_(min=torch.finfo(quality.dtype).tiny)
        matched = torch.where((quality == best[:, None]).any(dim=0), nearest, matched)
    return matched


def sample(
    matched: Tensor,
    *,
    count: int,
    positive_fraction: float,
    generator: torch.Generator | None = None,
) -> tuple[Tensor, Tensor]:
    """Choose the examples of one image at random: the only use of chance in a training step.

    Args:
        matched: ``(n,)`` result of `match`.
        count: Number of examples wanted.
        positive_fraction: At most this share of them are positive; negatives fill the rest.
        generator: Source of randomness, on the device of ``matched``; torch's default otherwise.

    Returns:
        Indices of the positive and of the negative examples, each ascending.
    """
    positive = torch.where(matched >= 0)[0]
    negative = torch.where(matched == BACKGROUND)[0]
    positives = min(len(positive), int(count * positive_fraction))
    negatives = min(len(negative), count - positives)
    return (
        _choose(positive, positives, generator),
        _choose(negative, negatives, generator),
    )


def _choose(indices: Tensor, count: int, generator: torch.Generator | None) -> Tensor:
    """Return ``count`` of ``indices`` without replacement, in ascending order."""
    order = torch.randperm(len(indices), generator=generator, device=indices.device)
    return indices[order[:count]].sort().values


def give_each_its_best(matched: Tensor, quality: Tensor) -> Tensor:
    """Assign to every object one candidate of its own, the pairs that overlap most first.

    Args:
        matched: ``(candidates,)`` result of `match`.
        quality: ``(objects, candidates)`` IoU. An object that no free candidate touches gets none.

    Returns:
        `matched` with these assignments in place of those it had (Bolya et al., YOLACT, 2019).
    """
    matched, quality = matched.clone(), quality.clone()
    if not quality.numel():
        return matched
    overlap, best = quality.max(dim=1)
    for _ in range(len(quality)):
        owner = int(overlap.argmax())
        if overlap[owner] <= 0:
            break
        candidate = best[owner].clone()
        matched[candidate] = owner
        quality[:, candidate] = 0
        overlap[owner] = -1
        rivals = torch.where((best == candidate) & (overlap > 0))[0]
        if len(rivals):
            overlap[rivals], best[rivals] = quality[rivals].max(dim=1)
    return matched
