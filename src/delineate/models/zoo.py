"""The models there are: the families, and the tables of their models joined."""

from collections.abc import Sequence
from types import MappingProxyType
from typing import NamedTuple

from delineate.core.classes import ClassMap
from delineate.core.preprocess import Preprocess
from delineate.errors import ModelError, nearest
from delineate.models.api import SegModel
from delineate.models.detr import zoo as detr
from delineate.models.detr.config import DETRConfig
from delineate.models.detr.model import DETR
from delineate.models.mask_query import zoo as mask_query
from delineate.models.mask_query.config import MaskQueryConfig
from delineate.models.mask_query.model import MaskQuery
from delineate.models.mask_rcnn import zoo as mask_rcnn
from delineate.models.mask_rcnn.config import MaskRCNNConfig
from delineate.models.mask_rcnn.model import MaskRCNN
from delineate.models.options import OWN_SIZE, Options
from delineate.models.yolact import zoo as yolact
from delineate.models.yolact.config import YolactConfig
from delineate.models.yolact.model import Yolact


class Family(NamedTuple):
    """What makes a family of models."""

    config: type[Options]
    model: type[SegModel]
    preprocess: Preprocess
    """How images come in where only a configuration is given: as for the family's best known."""


FAMILIES: MappingProxyType[str, Family] = MappingProxyType(
    {
        MaskRCNN.family: Family(MaskRCNNConfig, MaskRCNN, mask_rcnn.DETECTION),
        DETR.family: Family(DETRConfig, DETR, detr.DETECTION),
        Yolact.family: Family(YolactConfig, Yolact, yolact.SQUARE_550),
        MaskQuery.family: Family(MaskQueryConfig, MaskQuery, OWN_SIZE),
    }
)
"""Name of a family -> its classes, and how images come in."""

ModelConfig = MaskRCNNConfig | DETRConfig | YolactConfig | MaskQueryConfig
"""The configuration of any family."""

MODELS = MappingProxyType({**mask_rcnn.MODELS, **detr.MODELS, **yolact.MODELS, **mask_query.MODELS})
"""Name -> entry."""


def list_models() -> list[str]:
    """Return the names that `build` knows."""
    return sorted(MODELS)


def build(
    name: str | Options,
    *,
    classes: ClassMap | Sequence[str] | int,
    preprocess: Preprocess | None = None,
    **overrides: object,
) -> SegModel:
    """Build a model with random weights.

    Args:
        name: A name of the zoo, or a configuration.
        classes: The classes it shall know, their names, or how many.
        preprocess: How images come in; the zoo entry's, or the family's for a configuration, where
            not given.
        **overrides: Values that replace those of the configuration.

    Raises:
        ModelError: The zoo has no such name.
        ConfigError: An override is no option, or contradicts another.
    """
    if isinstance(name, Options):
        config, default = name, FAMILIES[name.family].preprocess
    else:
        if name not in MODELS:
            raise ModelError(f"expected a model of the zoo, got {name!r}: {nearest(name, MODELS)}")
        config, default = MODELS[name].config, MODELS[name].preprocess
    if isinstance(classes, int):
        classes = [f"class {number}" for number in range(1, classes + 1)]
    if not isinstance(classes, ClassMap):
        classes = ClassMap.from_names(classes)
    return FAMILIES[config.family].model(
        config.replace(**overrides), classes, preprocess or default
    )
