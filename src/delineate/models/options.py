"""What the configurations of all families share, and the entries of the zoo that hold them."""

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

from delineate.core.classes import ClassMap
from delineate.core.preprocess import Preprocess
from delineate.errors import ConfigError, nearest


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """Base of the frozen dataclasses of plain values from which networks are built."""

    family: str
    """Key of `delineate.models.zoo.FAMILIES`; each subclass has its own as a literal default."""

    @property
    def anchor_strides(self) -> tuple[int, ...]:
        """Stride of each level of anchors, which has a tuple in ``anchor_sizes``; none without."""
        return ()

    @property
    def anchor_ratios_are_tall(self) -> bool:
        """Whether ``anchor_ratios`` are height over width, or width over height."""
        return True

    @property
    def stuff(self) -> ClassMap:
        """The classes of its head for stuff; none without."""
        return ClassMap((), ())

    def with_stuff(self, stuff: ClassMap) -> Self:
        """Return a copy with other classes of stuff.

        Raises:
            ConfigError: The family has no head for stuff.
        """
        raise ConfigError(
            f"stuff should be model for the family {self.family}, which has no head for stuff, but"
            " is auto: train a recipe of Mask R-CNN or YOLACT, or leave the option out."
        )

    def to_json(self) -> dict[str, Any]:
        """Return the values as JSON has them."""
        return dataclasses.asdict(self)

    @classmethod
    def from_json(cls, values: Mapping[str, object]) -> Self:
        """Build from `to_json`'s result, or from part of it.

        Raises:
            ConfigError: There is a key that is no option.
        """
        return cls().replace(**{key: _tuples(value) for key, value in values.items()})

    def replace(self, **changes: object) -> Self:
        """Return a copy with other values.

        Raises:
            ConfigError: A name is no option.
        """
        known = [field.name for field in dataclasses.fields(self)]
        for name in changes:
            if name not in known:
                raise ConfigError(
                    f"expected an option of {type(self).__name__}, got {name!r}: "
                    f"{nearest(name, known)}"
                )
        return dataclasses.replace(self, **changes)


@dataclass(frozen=True, slots=True, kw_only=True)
class StuffOptions(Options):
    """Options of the families upon whose feature pyramid a head for stuff may stand."""

    # There is a head where there are classes of stuff; their ids are none of the things'
    stuff_names: tuple[str, ...] = ()
    stuff_ids: tuple[int, ...] = ()
    stuff_channels: int = 128
    stuff_loss_weight: float = 0.5
    stuff_area: int = 4096  # pixels of the original image that stuff must have left

    @property
    def stuff(self) -> ClassMap:
        """The classes of its head for stuff; none without."""
        return ClassMap(self.stuff_names, self.stuff_ids)

    def with_stuff(self, stuff: ClassMap) -> Self:
        """Return a copy with other classes of stuff."""
        return self.replace(stuff_names=stuff.names, stuff_ids=stuff.source_ids)


OWN_SIZE = Preprocess(resize="factor", factor=1.0, contrast="stretch")
"""How images come into the small models of all families: at their own size, evenly exposed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ZooEntry:
    """A model by name: how its network is built, and what images it wants."""

    config: Options
    preprocess: Preprocess
    summary: str


def _tuples(value: object) -> object:
    """Turn the lists of JSON into tuples, at any depth."""
    return tuple(_tuples(item) for item in value) if isinstance(value, list | tuple) else value
