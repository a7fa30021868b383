"""Which published weight files there are: one explicit table, `WEIGHTS`.

Nothing is fetched here. `delineate.weights.load.load` takes the names of this table.
"""

from dataclasses import dataclass

from delineate.core.classes import ClassMap
from delineate.errors import ModelError, nearest
from delineate.weights.coco import COCO_80, COCO_91, COCO_IDS, COCO_PANOPTIC_IDS

_DETECTRON2 = "https://dl.fbaipublicfiles.com/detectron2/"
_DETR = "https://dl.fbaipublicfiles.com/detr/"
_TORCH = "https://download.pytorch.org/models/"
_BSD = "BSD-3-Clause (torchvision); the terms of the images of {} may also apply to what was learnt"


@dataclass(frozen=True, slots=True, kw_only=True)
class Published:
    """One published weight file.

    Attributes:
        url: Where it lies.
        sha256: The first digits of its SHA-256, those in the file's name. Its publisher states no
            more, and we do not state what we have not computed from the file.
        mebibytes: Its published size.
        layout: Which names its entries have: the name of a `Layout`, or ``torchvision_resnet``.
        licence: Terms of use.
        commercial: Whether these terms allow commercial use of the weights; what the terms of the
            images they were trained on mean for weights, nobody has settled.
        source: The recipe or paper.
        classes: What the outputs mean; None for a backbone.
        box_ap: Published AP of the boxes on COCO val2017, 0 to 1; None for a backbone.
        mask_ap: Published AP of the masks on COCO val2017.
        pq: Published panoptic quality on COCO val2017, 0 to 1.
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
    pq: float | None = None
    top1: float | None = None
    commercial: bool = True


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


def _detectron2(
    config: str,
    number: int,
    digits: str,
    mebibytes: float,
    layout: str,
    *,
    box_ap: float,
    mask_ap: float,
    pq: float | None = None,
) -> Published:
    """Return the record of a file of detectron2's zoo; its digits are no SHA-256 that it states.

    Sizes follow from the entries, in 32 bits. Of a Panoptic FPN `classes` are the things.
    """
    task = "COCO-InstanceSegmentation" if pq is None else "COCO-PanopticSegmentation"
    return Published(
        url=f"{_DETECTRON2}{task}/{config}/{number}/model_final_{digits}.pkl",
        sha256="",
        mebibytes=mebibytes,
        layout=layout,
        licence="CC-BY-SA-3.0 (detectron2's model zoo); the terms of the images of COCO may also "
        "apply to what was learnt",
        source="https://github.com/facebookresearch/detectron2/blob/main/MODEL_ZOO.md",
        classes=COCO_80,
        box_ap=box_ap,
        mask_ap=mask_ap,
        pq=pq,
    )


def _detr(
    file: str,
    mebibytes: float,
    box_ap: float,
    mask_ap: float | None = None,
    pq: float | None = None,
) -> Published:
    return Published(
        url=f"{_DETR}{file}",
        sha256=file.removesuffix(".pth").rpartition("-")[2],
        mebibytes=mebibytes,
        layout="facebook_detr" if pq is None else "facebook_detr_panoptic",
        licence="Apache-2.0 (facebookresearch); the terms of the images of COCO may also apply to "
        "what was learnt",
        source="https://github.com/facebookresearch/detr#model-zoo",
        classes=COCO_IDS if pq is None else COCO_PANOPTIC_IDS,
        box_ap=box_ap,
        mask_ap=mask_ap,
        pq=pq,
    )


_FIRST_RECIPE = "https://github.com/pytorch/vision/tree/main/references/classification#resnet"
_SECOND_RECIPE = "https://github.com/pytorch/vision/issues/3995#new-recipe"

_FPN = "detectron2_maskrcnn"

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
    "maskrcnn_resnet50_fpn:detectron2_1x": _detectron2(
        "mask_rcnn_R_50_FPN_1x", 137260431, "a54504", 169.6, _FPN, box_ap=0.386, mask_ap=0.352
    ),
    "maskrcnn_resnet50_fpn:detectron2_3x": _detectron2(
        "mask_rcnn_R_50_FPN_3x", 137849600, "f10217", 169.6, _FPN, box_ap=0.410, mask_ap=0.372
    ),
    "maskrcnn_resnet101_fpn:detectron2_3x": _detectron2(
        "mask_rcnn_R_101_FPN_3x", 138205316, "a3ec72", 242.2, _FPN, box_ap=0.429, mask_ap=0.386
    ),
    "maskrcnn_resnext101_fpn:detectron2_3x": _detectron2(
        "mask_rcnn_X_101_32x8d_FPN_3x",
        139653917,
        "2d9806",
        411.4,
        _FPN,
        box_ap=0.443,
        mask_ap=0.395,
    ),
    "maskrcnn_resnet50_c4:detectron2_3x": _detectron2(
        "mask_rcnn_R_50_C4_3x",
        137849525,
        "4ce675",
        137.4,
        f"{_FPN}_c4",
        box_ap=0.398,
        mask_ap=0.344,
    ),
    "maskrcnn_resnet50_dc5:detectron2_3x": _detectron2(
        "mask_rcnn_R_50_DC5_3x",
        137849551,
        "84107b",
        657.9,
        f"{_FPN}_dc5",
        box_ap=0.400,
        mask_ap=0.359,
    ),
    "panoptic_fpn_resnet50:detectron2_1x": _detectron2(
        "panoptic_fpn_R_50_1x",
        139514544,
        "dbfeb4",
        175.8,
        _FPN,
        box_ap=0.376,
        mask_ap=0.347,
        pq=0.394,
    ),
    "panoptic_fpn_resnet50:detectron2_3x": _detectron2(
        "panoptic_fpn_R_50_3x",
        139514569,
        "c10459",
        175.8,
        _FPN,
        box_ap=0.400,
        mask_ap=0.365,
        pq=0.415,
    ),
    "panoptic_fpn_resnet101:detectron2_3x": _detectron2(
        "panoptic_fpn_R_101_3x",
        139514519,
        "cafdb1",
        248.4,
        _FPN,
        box_ap=0.424,
        mask_ap=0.385,
        pq=0.430,
    ),
    "yolact_resnet50:coco": _yolact("yolact-resnet50", "yolact_resnet50", 119.1, 0.282),
    "yolact_darknet53:coco": _yolact("yolact-darknet53", "yolact_darknet53", 182.5, 0.287),
    "yolact_resnet101:coco": _yolact("yolact-base", "yolact_base", 191.7, 0.298),
    "yolact_resnet101_700:coco": _yolact("yolact-im700", "yolact_im700", 191.7, 0.312),
    "yolact_plus_resnet50:coco": _yolact(
        "yolact-plus-resnet50", "yolact_plus_resnet50", 129, 0.341
    ),
    "yolact_plus_resnet101:coco": _yolact("yolact-plus-base", "yolact_plus_base", 201, 0.346),
    "detr_resnet50:coco": _detr("detr-r50-e632da11.pth", 159, 0.420),
    "detr_resnet101:coco": _detr("detr-r101-2c7b67e5.pth", 232, 0.435),
    "detr_resnet50_dc5:coco": _detr("detr-r50-dc5-f0fb7ef5.pth", 159, 0.433),
    "detr_resnet101_dc5:coco": _detr("detr-r101-dc5-a2e86def.pth", 232, 0.449),
    "detr_resnet50:coco_panoptic": _detr(
        "detr-r50-panoptic-00ce5173.pth", 165, 0.388, mask_ap=0.311, pq=0.434
    ),
    "detr_resnet50_dc5:coco_panoptic": _detr(
        "detr-r50-dc5-panoptic-da08f1b1.pth", 165, 0.402, mask_ap=0.319, pq=0.446
    ),
    "detr_resnet101:coco_panoptic": _detr(
        "detr-r101-panoptic-40021d53.pth", 237, 0.401, mask_ap=0.330, pq=0.451
    ),
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
