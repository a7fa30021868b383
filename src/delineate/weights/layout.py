"""What we know of a foreign program's checkpoints: how to tell them, read them and write them."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from torch import Tensor

from delineate.core.classes import ClassMap
from delineate.core.preprocess import Preprocess
from delineate.models.api import SegModel

State = Mapping[str, Tensor]
"""A state dict: name of an entry -> its values."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """Which model a foreign state dict is of, as its names and shapes tell."""

    model: str
    """Name in the zoo."""
    classes: ClassMap
    """What the outputs mean; numbered where the program's own classes do not fit their count."""
    preprocess: Preprocess
    """How that program prepares images for such a model."""
    options: Mapping[str, Any] = field(default_factory=dict)
    """Options that differ from those of the zoo's entry."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """How one program calls the entries of one kind of model."""

    name: str
    """For example ``detectron2_maskrcnn``."""
    marks: tuple[str, ...]
    """Entries that every such checkpoint has, and together no checkpoint of another layout."""
    identify: Callable[[State], Identity]
    """Tells the model; raises `ModelError` where names or shapes are of none we have."""
    to_ours: Callable[[SegModel, State], dict[str, Tensor]]
    """Renames a state dict for a model that was built by its identity; strict, see `keymap`."""
    to_theirs: Callable[[SegModel], dict[str, Tensor]]
    """Renames back, bit for bit; raises `ModelError` where the program has no such model."""
