"""Which published weight files there are: one explicit table, `WEIGHTS`.

Nothing is fetched here. `delineate.weights.load.load` takes the names of this table.
"""

from dataclasses import dataclass

from delineate.core.classes import ClassMap
from delineate.errors import ModelError, nearest

_TORCH = "https://download.pytorch.org/models/"
_BSD = "BSD-3-Clause (torchvision); the terms of the images of {} may also apply to what was learnt"

# fmt: off
_COCO_NAMES = (
    "person", "bicycle", "car", "motorcycle", "airplane", "bus", "train", "truck", "boat",
    "traffic light", "fire hydrant", "N/A", "stop sign", "parking meter", "bench", "bird", "cat",
    "dog", "horse", "sheep", "cow", "elephant", "bear", "zebra", "giraffe", "N/A", "backpack",
    "umbrella", "N/A", "N/A", "handbag", "tie", "suitcase", "frisbee", "skis", "snowboard",
    "sports ball", "kite", "baseball bat", "baseball glove", "skateboard", "surfboard",
    "tennis racket", "bottle", "N/A", "wine glass", "cup", "fork", "knife", "spoon", "bowl",
    "banana", "apple", "sandwich", "orange", "broccoli", "carrot", "hot dog", "pizza", "donut",
    "cake", "chair", "couch", "potted plant", "bed", "N/A", "dining table", "N/A", "N/A", "toilet",
    "N/A", "tv", "laptop", "mouse", "remote", "keyboard", "cell phone", "microwave", "oven",
    "toaster", "sink", "refrigerator", "N/A", "book", "clock", "vase", "scissors", "teddy bear",
    "hair drier", "toothbrush",
)
# fmt: on

COCO_91 = ClassMap(
    names=tuple(f"N/A {i}" if n == "N/A" else n for i, n in enumerate(_COCO_NAMES, start=1)),
    source_ids=tuple(range(1, len(_COCO_NAMES) + 1)),
)
"""The 90 outputs (91 with background) of models trained on COCO's raw category ids.

Ten ids were never used. Their outputs exist all the same and take part in the softmax, so they
stay classes here, named "N/A 12" and so on: without them no score would be the published model's.
"""

COCO_80 = ClassMap(
    names=tuple(name for name in _COCO_NAMES if name != "N/A"),
    source_ids=tuple(i for i, name in enumerate(_COCO_NAMES, start=1) if name != "N/A"),
)
"""The 80 classes that COCO uses, without gaps: the outputs of YOLACT."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Published:
    """One published weight file.

    Attributes:
        url: Where it lies.
        sha256: The first digits of its SHA-256, those in the file's name. Its publisher states no
            more, and we do not state what we have not computed from the file.
        mebibytes: Its published size.
        layout: Which names its entries have: a key of `delineate.weights.torchvision.LAYOUTS`.
        licence: Terms of use.
        source: The recipe or paper.
        classes: What the outputs mean; None for a backbone.
        box_ap: Published AP of the boxes on COCO val2017, 0 to 1; None for a backbone.
        mask_ap: Published AP of the masks on COCO val2017.
        top1: Published ImageNet-1K accuracy of a backbone, 0 to 1.
    """

    url: str
    sha256: str
    mebibytes: float
    layout: str
    licence: str
    source: str
    classes: ClassMap | None = None
    box_ap: float | None = None
    mask_ap: float | None = None
    top1: float | None = None


def _resnet(file: str, mebibytes: float, top1: float, source: str) -> Published:
    return Published(
        url=f"{_TORCH}{file}",
        sha256=file.removesuffix(".pth").rpartition("-")[2],
        mebibytes=mebibytes,
        layout="torchvision_resnet",
        licence=_BSD.format("ImageNet-1K"),
        source=source,
        top1=top1,
    )


def _yolact(model: str, file: str, mebibytes: float, mask_ap: float) -> Published:
    """Return the record of a file of YOLACT's author, who states no digest and no AP of boxes.

    The AP is that on COCO test-dev2017; sizes follow from the entries, in 32 bits.
    """
    return Published(
        url=f"https://huggingface.co/dbolya/{model}/resolve/main/{file}_54_800000.pth",
        sha256="",
        mebibytes=mebibytes,
        layout="yolact_darknet" if "darknet" in file else "yolact",
        licence="MIT (dbolya/yolact); the terms of the images of COCO may also apply",
        source="https://github.com/dbolya/yolact",
        classes=COCO_80,
        mask_ap=mask_ap,
    )


_FIRST_RECIPE = "https://github.com/pytorch/vision/tree/main/references/classification#resnet"
_SECOND_RECIPE = "https://github.com/pytorch/vision/issues/3995#new-recipe"

WEIGHTS: dict[str, Published] = {
    "maskrcnn_resnet50_fpn:coco_v1": Published(
        url=_TORCH + "maskrcnn_resnet50_fpn_coco-bf2d0c1e.pth",
        sha256="bf2d0c1e",
        mebibytes=169.84,
        layout="torchvision_maskrcnn",
        licence=_BSD.format("COCO"),
        source="https://github.com/pytorch/vision/tree/main/references/detection#mask-r-cnn",
        classes=COCO_91,
        box_ap=0.379,
        mask_ap=0.346,
    ),
    "maskrcnn_resnet50_fpn_v2:coco_v1": Published(
        url=_TORCH + "maskrcnn_resnet50_fpn_v2_coco-73cbd019.pth",
        sha256="73cbd019",
        mebibytes=177.219,
        layout="torchvision_maskrcnn_v2",
        licence=_BSD.format("COCO"),
        source="https://github.com/pytorch/vision/pull/5773",
        classes=COCO_91,
        box_ap=0.474,
        mask_ap=0.418,
    ),
    "yolact_resnet50:coco": _yolact("yolact-resnet50", "yolact_resnet50", 119.1, 0.282),
    "yolact_darknet53:coco": _yolact("yolact-darknet53", "yolact_darknet53", 182.5, 0.287),
    "yolact_resnet101:coco": _yolact("yolact-base", "yolact_base", 191.7, 0.298),
    "yolact_resnet101_700:coco": _yolact("yolact-im700", "yolact_im700", 191.7, 0.312),
    "yolact_plus_resnet50:coco": _yolact(
        "yolact-plus-resnet50", "yolact_plus_resnet50", 129, 0.341
    ),
    "yolact_plus_resnet101:coco": _yolact("yolact-plus-base", "yolact_plus_base", 201, 0.346),
    "resnet18:imagenet1k_v1": _resnet("resnet18-f37072fd.pth", 44.661, 0.69758, _FIRST_RECIPE),
    "resnet34:imagenet1k_v1": _resnet("resnet34-b627a593.pth", 83.275, 0.73314, _FIRST_RECIPE),
    "resnet50:imagenet1k_v1": _resnet("resnet50-0676ba61.pth", 97.781, 0.76130, _FIRST_RECIPE),
    "resnet50:imagenet1k_v2": _resnet(
        "resnet50-11ad3fa6.pth",
        97.79,
        0.80858,
        "https://github.com/pytorch/vision/issues/3995#issuecomment-1013906621",
    ),
    "resnet101:imagenet1k_v1": _resnet("resnet101-63fe2227.pth", 170.511, 0.77374, _FIRST_RECIPE),
    "resnet101:imagenet1k_v2": _resnet("resnet101-cd907fc2.pth", 170.53, 0.81886, _SECOND_RECIPE),
    "resnet152:imagenet1k_v1": _resnet("resnet152-394f9c45.pth", 230.434, 0.78312, _FIRST_RECIPE),
    "resnet152:imagenet1k_v2": _resnet("resnet152-f82ba261.pth", 230.474, 0.82284, _SECOND_RECIPE),
}


def tags(name: str) -> list[str]:
    """Return the published `name:tag` of one model, sorted; none if it has no weights."""
    return sorted(spec for spec in WEIGHTS if spec.partition(":")[0] == name)


def find(spec: str) -> Published:
    """Return the record of `spec`, a ``name:tag``.

    Raises:
        ModelError: There is no such entry.
    """
    if spec in WEIGHTS:
        return WEIGHTS[spec]
    known = tags(spec.partition(":")[0])
    hint = f"choose one of {', '.join(known)}." if known else nearest(spec, WEIGHTS)
    raise ModelError(f"there are no published weights {spec!r}: {hint}")
