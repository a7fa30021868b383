"""The DETRs of the zoo: an explicit table from name to configuration."""

from delineate.core.preprocess import Preprocess
from delineate.models.detr.config import DETRConfig
from delineate.models.options import ZooEntry

DETECTION = Preprocess(min_size=800, max_size=1333, rounding="detr", resample="pillow", divisor=1)
"""How images come into the published DETRs; a batch is padded to its largest image only."""

_R50 = DETRConfig()

MODELS: dict[str, ZooEntry] = {
    "detr_resnet50": ZooEntry(
        config=_R50,
        preprocess=DETECTION,
        summary="Set prediction with ResNet-50: no anchors, no suppression, stuff as well.",
    ),
    "detr_resnet101": ZooEntry(
        config=_R50.replace(backbone="resnet101"),
        preprocess=DETECTION,
        summary="DETR with the deeper ResNet-101.",
    ),
    "detr_resnet50_dc5": ZooEntry(
        config=_R50.replace(dilated=True),
        preprocess=DETECTION,
        summary="DETR at stride 16 (dilated last stage): better on small objects, twice the work.",
    ),
    "detr_resnet101_dc5": ZooEntry(
        config=_R50.replace(backbone="resnet101", dilated=True),
        preprocess=DETECTION,
        summary="DETR with ResNet-101 at stride 16.",
    ),
}
"""Name -> entry."""
