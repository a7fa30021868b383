"""Are classes so rare that training should show them more often, and what would that change?"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from delineate.data.sampling import (
    LVIS_THRESHOLD,
    class_aware_weights,
    class_shares,
    repeat_factors,
    typical_frequency,
)

_IMBALANCED = 10.0  # times rarer than the most frequent class: what more repetition is worth
_WORTH = 1.5  # times the share that a way of sampling must give a class to be worth its while
_FEW = 5  # images of a class from which on showing them again and again teaches something


@dataclass(frozen=True, slots=True, kw_only=True)
class Sampling:
    """A way of showing images, and what it would change.

    Attributes:
        threshold: The share of images below which classes are repeated; None: there is none.
        epoch: Images shown in an epoch over images there are.
        most: How often the most repeated image is shown.
        shares: Expected share of the objects, class by class.
    """

    threshold: float | None
    epoch: float
    most: float
    shares: npt.NDArray[np.float64]

    def to_json(self, names: tuple[str, ...]) -> dict[str, Any]:
        """Return what JSON can hold."""
        return {
            "threshold": self.threshold,
            "epoch": round(self.epoch, 4),
            "most": round(self.most, 4),
            "shares": dict(zip(names, self.shares.round(6).tolist(), strict=True)),
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Balance:
    """How evenly the objects are spread over the classes.

    Attributes:
        names: The classes.
        objects: (c,) objects of each.
        images: (c,) images that show it.
        imbalance: Objects of the most frequent class over those of the rarest that occurs.
        effective_classes: How many equally frequent classes would be as hard to guess: the
            exponential of the entropy of `shares`.
        shares: (c,) share of the objects.
        lvis: Repeat factors with LVIS' threshold of 0.001.
        fitted: Repeat factors with the median frequency of the classes as threshold.
        class_aware: Class-aware sampling.
        advice: When to use which, in a sentence or two.
    """

    names: tuple[str, ...]
    objects: npt.NDArray[np.int64]
    images: npt.NDArray[np.int64]
    imbalance: float
    effective_classes: float
    shares: npt.NDArray[np.float64]
    lvis: Sampling
    fitted: Sampling
    class_aware: Sampling
    advice: str

    def to_json(self) -> dict[str, Any]:
        """Return what JSON can hold."""
        return {
            "imbalance": round(self.imbalance, 4),
            "effective_classes": round(self.effective_classes, 4),
            "repeat_factor_lvis": self.lvis.to_json(self.names),
            "repeat_factor": self.fitted.to_json(self.names),
            "class_aware": self.class_aware.to_json(self.names),
            "advice": self.advice,
        }


def balance(counts: npt.NDArray[np.int64], names: tuple[str, ...]) -> Balance:
    """Measure the balance of classes.

    Args:
        counts: (n, c) objects of each class in each image.
        names: The c classes.
    """
    objects, images = counts.sum(axis=0), (counts > 0).sum(axis=0)
    shares = class_shares(counts)
    occurring = shares[shares > 0]
    lvis, fitted = (_repeated(counts, t) for t in (LVIS_THRESHOLD, typical_frequency(counts)))
    weights = class_aware_weights(counts)
    aware = Sampling(
        threshold=None,
        epoch=1.0,
        most=float(weights.max(initial=0)),
        shares=class_shares(counts, weights),
    )
    return Balance(
        names=names,
        objects=objects,
        images=images,
        imbalance=float(occurring.max() / occurring.min()) if occurring.size else 1.0,
        effective_classes=float(np.exp(-(occurring * np.log(occurring)).sum())),
        shares=shares,
        lvis=lvis,
        fitted=fitted,
        class_aware=aware,
        advice=_advice(counts, names, fitted, aware),
    )


def _repeated(counts: npt.NDArray[np.int64], threshold: float) -> Sampling:
    factors = repeat_factors(counts, threshold)
    return Sampling(
        threshold=threshold,
        epoch=float(factors.mean()) if factors.size else 1.0,
        most=float(factors.max(initial=1)),
        shares=class_shares(counts, factors),
    )


def _advice(
    counts: npt.NDArray[np.int64], names: tuple[str, ...], fitted: Sampling, aware: Sampling
) -> str:
    objects, images, shares = counts.sum(axis=0), (counts > 0).sum(axis=0), class_shares(counts)
    occurring, seen = np.flatnonzero(objects), np.flatnonzero(images >= _FEW)
    if len(occurring) < 2:
        return "There is one class: nothing to balance." if len(occurring) else "No objects."
    candidates = seen if len(seen) > 1 else occurring
    rare = int(candidates[np.argmin(objects[candidates])])
    common = int(np.argmax(objects))
    times = objects[common] / objects[rare]
    digits = int(times < _IMBALANCED)  # 1.8 times, 500 times
    facts = (
        f"{names[rare]!r} has {percent(shares[rare])} of the objects, {times:,.{digits}f} times "
        f"fewer than {names[common]!r}"
    )
    repeated, drawn = fitted.shares[rare], aware.shares[rare]
    if times < _IMBALANCED:
        advice = f"Show every image once, the classes are balanced well enough: {facts}."
    elif max(repeated, drawn) < _WORTH * shares[rare]:
        beside = counts[counts[:, rare] > 0, common] > 0
        why = "most images that show it show the other, too"
        if beside.mean() < 0.5:
            why = "an image shows many more of the other than of it"
        advice = (
            f"Show every image once: {facts}, and other sampling would not change that (its share "
            f"would be {percent(max(repeated, drawn))}), for {why}."
        )
    elif repeated >= _WORTH * shares[rare]:
        advice = (
            f"{facts}: train with --set data.balance=repeat_factor; its share would rise to "
            f"{percent(repeated)}, in epochs {fitted.epoch:.1f} times as long."
        )
    else:
        advice = (
            f"{facts}: repeat factors would change little (its share would be "
            f"{percent(repeated)}); train with --set data.balance=class_aware, which raises it to "
            f"{percent(drawn)} by showing some images {aware.most:.0f} times as often."
        )
    return advice + _about_few(names, images)


def _about_few(names: tuple[str, ...], images: npt.NDArray[np.int64]) -> str:
    """Say which classes no sampling can help."""
    few = [names[k] for k in np.flatnonzero((images > 0) & (images < _FEW))]
    if not few:
        return ""
    shown = ", ".join(map(repr, few[:3])) + (f" and {len(few) - 3} more" if len(few) > 3 else "")
    return (
        f" Fewer than {_FEW} images show {shown}: more pictures would help there, the same ones "
        "again would not."
    )


def percent(share: float) -> str:
    """Return a share in percent with two digits that count."""
    return f"{100 * share:.2g}%" if share < 0.0995 else f"{100 * share:.0f}%"
