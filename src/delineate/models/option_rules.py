"""What is expected of options, and the rules that configurations of several families share."""

from collections.abc import Callable, Iterable, Sequence
from typing import Any

from delineate.core.panoptic import MOST_STUFF
from delineate.errors import ConfigError
from delineate.models.options import Options, StuffOptions

Rule = tuple[str, Callable[[Any], bool], tuple[str, ...]]
"""What is expected, whether a value is so, and the options of which it is expected."""

_STRIDES = {(4, 8, 16, 32)[first:last] for first in range(4) for last in range(first + 1, 5)}


def at_least(least: float, *names: str) -> Rule:
    """Return the rule of numbers from `least` on."""
    return f"at least {least}", lambda value: value >= least, names


def share(*names: str) -> Rule:
    """Return the rule of numbers from 0 to 1."""
    return "between 0 and 1", lambda value: 0 <= value <= 1, names


def positive(*names: str) -> Rule:
    """Return the rule of numbers above 0."""
    return "above 0", lambda value: value > 0, names


def strides(name: str) -> Rule:
    """Return the rule of the strides of feature maps."""
    wanted = "neighbours among (4, 8, 16, 32), in this order"
    return wanted, lambda value: tuple(value) in _STRIDES, (name,)


def _all_positive(values: Sequence[float]) -> bool:
    return len(values) > 0 and all(value > 0 for value in values)


BACKBONE: tuple[Rule, ...] = (
    at_least(0, "backbone_norm_eps"),
    (
        "five numbers from 1 on, of the stem and four stages",
        lambda value: len(value) == 5 and min(value) >= 1,
        ("slim_widths",),
    ),
    (
        "four numbers from 1 on, one for each stage",
        lambda value: len(value) == 4 and min(value) >= 1,
        ("slim_depths",),
    ),
)
"""Of the options that `delineate.models.backbones.build_backbone` takes."""

ANCHORS: tuple[Rule, ...] = (
    ("one or more numbers above 0", _all_positive, ("anchor_ratios",)),
    (
        "one or more numbers above 0 on each level",
        lambda value: all(map(_all_positive, value)),
        ("anchor_sizes",),
    ),
)
"""Of anchors; see `check_anchors` for how they fit the levels."""

STUFF: tuple[Rule, ...] = (
    at_least(0, "stuff_loss_weight", "stuff_area"),
    (
        "a multiple of 32 from 32 on",
        lambda value: value >= 32 and value % 32 == 0,
        ("stuff_channels",),
    ),
)
"""Of the head for stuff; see `check_stuff` for its classes."""


def check(options: Options, rules: Iterable[Rule]) -> None:
    """Raise `ConfigError` at the first value that is not what a rule expects."""
    for wanted, is_fine, names in rules:
        for name in names:
            if not is_fine(value := getattr(options, name)):
                raise ConfigError(f"expected `{name}` to be {wanted}, got {value!r}: change it.")


def check_order(options: Options, low: str, high: str) -> None:
    """Raise `ConfigError` unless one option is at most as large as another."""
    values = getattr(options, low), getattr(options, high)
    if values[0] > values[1]:
        raise ConfigError(
            f"expected `{low}` to be at most `{high}`, got {values[0]} and {values[1]}: swap the "
            "two."
        )


def check_stuff(options: StuffOptions) -> None:
    """Raise `ConfigError` unless every class of stuff has an id, and there are not too many."""
    names, ids = options.stuff_names, options.stuff_ids
    if len(ids) != len(names):
        raise ConfigError(
            f"expected as many `stuff_ids` as `stuff_names`, {len(names)}, got {len(ids)}: "
            "complete them."
        )
    if len(names) > MOST_STUFF:
        raise ConfigError(
            f"expected at most {MOST_STUFF} `stuff_names`, got {len(names)}: merge those that need "
            "not be told apart."
        )


def check_anchors(
    sizes: Sequence[Sequence[float]], strides: Sequence[int], *, levels_by: str
) -> None:
    """Raise `ConfigError` unless every level has anchors, and all equally many.

    Args:
        sizes: Of the anchors of each level.
        strides: Of the levels.
        levels_by: The option that decides, beside the backbone's strides, how many levels are.
    """
    if len(sizes) != len(strides):
        raise ConfigError(
            f"expected `anchor_sizes` to have {len(strides)} tuples, one for each level of "
            f"features, got {len(sizes)}: change it, `backbone_strides` or `{levels_by}`."
        )
    if len({len(level) for level in sizes}) != 1:
        raise ConfigError(
            "expected `anchor_sizes` to have equally many sizes on each level, got "
            f"{[len(level) for level in sizes]}: one head serves all levels."
        )
