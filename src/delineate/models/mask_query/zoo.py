"""The mask-query models of the zoo: an explicit table from name to configuration."""

from delineate.models.mask_query.config import MaskQueryConfig
from delineate.models.options import OWN_SIZE, ZooEntry

MODELS: dict[str, ZooEntry] = {
    "detr_nano": ZooEntry(
        config=MaskQueryConfig(),
        preprocess=OWN_SIZE,
        summary="Set prediction from random weights on a CPU in minutes; ignores exposure.",
    ),
}
"""Name -> entry."""
