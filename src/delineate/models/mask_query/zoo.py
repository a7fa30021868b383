"""The mask-query models of the zoo: an explicit table from name to configuration."""

from delineate.core.preprocess import Preprocess
from delineate.models.mask_query.config import MaskQueryConfig
from delineate.models.options import ZooEntry

MODELS: dict[str, ZooEntry] = {
    "detr_nano": ZooEntry(
        config=MaskQueryConfig(),
        preprocess=Preprocess(resize="factor", factor=1.0, contrast="stretch"),
        summary="Set prediction from random weights on a CPU in minutes; ignores exposure.",
    ),
}
"""Name -> entry."""
