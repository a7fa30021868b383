"""All recipes by name."""

from collections.abc import Callable
from types import MappingProxyType

from delineate.errors import ConfigError, nearest
from delineate.recipes import detr, mask_rcnn, yolact
from delineate.train.config import TrainConfig

RECIPES: MappingProxyType[str, Callable[[], TrainConfig]] = MappingProxyType(
    {**mask_rcnn.RECIPES, **yolact.RECIPES, **detr.RECIPES}
)
"""Name -> recipe."""


def recipe_by_name(name: str) -> TrainConfig:
    """Return the config of a recipe.

    Raises:
        ConfigError: There is no recipe of that name.
    """
    if name not in RECIPES:
        raise ConfigError(f"unknown recipe {name!r}: {nearest(name, RECIPES)}")
    return RECIPES[name]()
