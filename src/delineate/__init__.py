"""Delineate: instance segmentation from the first label to production.

Names are loaded when first used, so that importing the package costs milliseconds and no torch.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from delineate.core.classes import ClassMap as ClassMap
    from delineate.core.draw import overlay as overlay
    from delineate.core.geometry import Geometry as Geometry
    from delineate.core.image import read_image as read_image
    from delineate.core.image import write_image as write_image
    from delineate.core.instances import Instances as Instances
    from delineate.core.masks import Masks as Masks
    from delineate.core.preprocess import Preprocess as Preprocess
    from delineate.data.formats import open_dataset as open_dataset
    from delineate.data.formats import open_splits as open_splits
    from delineate.data.sample import Dataset as Dataset
    from delineate.data.sample import Sample as Sample
    from delineate.data.split import split as split
    from delineate.data.synthetic import SyntheticScenes as SyntheticScenes
    from delineate.errors import DelineateError as DelineateError
    from delineate.errors import InputError as InputError
    from delineate.evaluate.coco import CocoMetric as CocoMetric
    from delineate.models.zoo import build as build
    from delineate.models.zoo import list_models as list_models
    from delineate.predict.predictor import Predictor as Predictor
    from delineate.train.config import TrainConfig as TrainConfig
    from delineate.train.config import with_value as with_value
    from delineate.train.loop import fit as fit
    from delineate.weights.file import save_model as save_model
    from delineate.weights.load import load as load

_HOME = {
    "ClassMap": "core.classes",
    "CocoMetric": "evaluate.coco",
    "Dataset": "data.sample",
    "DelineateError": "errors",
    "Geometry": "core.geometry",
    "InputError": "errors",
    "Instances": "core.instances",
    "Masks": "core.masks",
    "Predictor": "predict.predictor",
    "Preprocess": "core.preprocess",
    "Sample": "data.sample",
    "SyntheticScenes": "data.synthetic",
    "TrainConfig": "train.config",
    "build": "models.zoo",
    "fit": "train.loop",
    "list_models": "models.zoo",
    "load": "weights.load",
    "open_dataset": "data.formats",
    "open_splits": "data.formats",
    "overlay": "core.draw",
    "read_image": "core.image",
    "save_model": "weights.file",
    "split": "data.split",
    "with_value": "train.config",
    "write_image": "core.image",
}
__all__ = sorted(_HOME)
__version__ = "0.1.0"


def __getattr__(name: str) -> Any:  # noqa: ANN401 - any public name
    if name not in _HOME:
        raise AttributeError(f"module 'delineate' has no attribute {name!r}")
    return getattr(import_module(f"delineate.{_HOME[name]}"), name)


def __dir__() -> list[str]:
    return [*__all__, "__version__"]
