"""The table of published weights against what torchvision itself states about its files."""

import re

import pytest
import torchvision.models as tv
from torchvision.models.detection import (
    MaskRCNN_ResNet50_FPN_V2_Weights,
    MaskRCNN_ResNet50_FPN_Weights,
)

from delineate.core.classes import ClassMap
from delineate.errors import ModelError
from delineate.models.zoo import MODELS
from delineate.weights.hub import COCO_91, WEIGHTS, find, tags
from delineate.weights.layouts import layout_named

THEIRS = {
    "maskrcnn_resnet50_fpn": MaskRCNN_ResNet50_FPN_Weights,
    "maskrcnn_resnet50_fpn_v2": MaskRCNN_ResNet50_FPN_V2_Weights,
    "resnet18": tv.ResNet18_Weights,
    "resnet34": tv.ResNet34_Weights,
    "resnet50": tv.ResNet50_Weights,
    "resnet101": tv.ResNet101_Weights,
    "resnet152": tv.ResNet152_Weights,
}


def percent(value: float | None) -> float | None:
    return None if value is None else pytest.approx(100 * value)


TORCHVISIONS = [s for s, record in WEIGHTS.items() if record.layout.startswith("torchvision")]


@pytest.mark.parametrize("spec", [s for s in TORCHVISIONS if s.partition(":")[0] in THEIRS])
def test_record_is_torchvision_s(spec):
    name, tag = spec.split(":")
    record, theirs = WEIGHTS[spec], THEIRS[name][tag.upper()]
    assert record.url == theirs.url
    assert re.fullmatch(rf".*-{record.sha256}\.pth", record.url)
    assert len(record.sha256) == 8
    assert record.mebibytes == theirs.meta["_file_size"]
    assert record.source == theirs.meta["recipe"]
    (metrics,) = theirs.meta["_metrics"].values()
    if record.classes is None:
        assert metrics["acc@1"] == percent(record.top1)
        assert (record.box_ap, record.mask_ap) == (None, None)
    else:
        assert metrics == {"box_map": percent(record.box_ap), "mask_map": percent(record.mask_ap)}
        assert name in MODELS
        assert layout_named(record.layout)
        assert record.classes is COCO_91
        assert record.top1 is None


def test_classes_are_torchvision_s_without_the_background():
    background, *theirs = MaskRCNN_ResNet50_FPN_Weights.COCO_V1.meta["categories"]
    assert background == "__background__"
    ours = [re.sub(r"^N/A \d+$", "N/A", name) for name in COCO_91.names]
    assert ours == theirs
    assert [COCO_91.source_id(label) for label in (0, 89)] == [1, 90]
    unused = [i for i, name in zip(COCO_91.source_ids, ours, strict=True) if name == "N/A"]
    assert unused == [12, 26, 29, 30, 45, 66, 68, 69, 71, 83]
    assert COCO_91.name(COCO_91.label_of(18)) == "dog"


def test_classes_of_coco_s_own_files_are_found_by_name():
    used = [
        i for i in COCO_91.source_ids if not COCO_91.name(COCO_91.label_of(i)).startswith("N/A")
    ]
    names = [COCO_91.name(COCO_91.label_of(i)) for i in used]
    assert len(names) == 80
    files = ClassMap(tuple(names), tuple(used))
    assert COCO_91.match(files).tolist() == [i - 1 for i in used]


def test_tags_of_a_name():
    assert tags("resnet50") == ["resnet50:imagenet1k_v1", "resnet50:imagenet1k_v2"]
    assert tags("resnet5") == []
    assert find("resnet18:imagenet1k_v1") is WEIGHTS["resnet18:imagenet1k_v1"]


@pytest.mark.parametrize(
    ("spec", "hint"),
    [
        ("resnet50:coco", "choose one of resnet50:imagenet1k_v1, resnet50:imagenet1k_v2"),
        ("resnet50", "choose one of resnet50:imagenet1k_v1"),
        ("maskrcnn_resnet5_fpn:coco_v1", "did you mean 'maskrcnn_resnet50_fpn:coco_v1'"),
        (":", "choose one of detr_resnet101:coco, "),
    ],
)
def test_unknown_weights(spec, hint):
    with pytest.raises(ModelError, match=hint):
        find(spec)
