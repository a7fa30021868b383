"""The table of models, and what building from it takes."""

import pytest
import torch

from delineate.core.classes import ClassMap
from delineate.core.preprocess import Preprocess
from delineate.errors import ConfigError, ModelError
from delineate.models.mask_rcnn.config import MaskRCNNConfig
from delineate.models.zoo import FAMILIES, MODELS, build, list_models

NANO = "maskrcnn_nano"


def parameters(name: str, classes: int) -> int:
    with torch.device("meta"):
        return sum(p.numel() for p in build(name, classes=classes).parameters())


@pytest.mark.parametrize(
    ("name", "count"),
    [("maskrcnn_resnet50_fpn", 44_401_393), ("maskrcnn_resnet50_fpn_v2", 46_359_409)],
)
def test_as_many_parameters_as_torchvision_publishes(name, count):
    """90 ids of COCO and the background; statistics of frozen norms are no parameters."""
    assert parameters(name, classes=90) == count


@pytest.mark.parametrize(
    ("name", "count"),
    [
        ("detr_nano", 2_517_641),
        ("maskrcnn_nano", 3_092_563),
        ("maskrcnn_resnet101_fpn", 62_873_063),
        ("maskrcnn_resnet18_fpn", 30_907_879),
        ("maskrcnn_resnet50_c4", 35_109_411),
        ("maskrcnn_resnet50_fpn", 43_933_159),
        ("maskrcnn_resnet50_fpn_v2", 45_891_175),
        ("maskrcnn_vgg16_fpn", 34_668_647),
    ],
)
def test_networks_keep_their_size(name, count):
    assert parameters(name, classes=3) == count


def test_names():
    assert list_models() == sorted(MODELS)
    assert {name.partition("_")[0] for name in MODELS} == {"detr", "maskrcnn", "panoptic", "yolact"}
    assert all(entry.summary.endswith(".") for entry in MODELS.values())


def test_first_torchvision_model_has_eps_zero():
    assert build("maskrcnn_resnet50_fpn", classes=1).backbone.bn1.eps == 0


def test_classes_by_number_and_by_table():
    assert build(NANO, classes=2).classes.names == ("class 1", "class 2")
    assert build(NANO, classes=["cat", "dog"]).classes.names == ("cat", "dog")
    table = ClassMap.from_names(["cat", "dog"])
    assert build(NANO, classes=table).classes is table


def test_overrides_and_preprocess():
    own = Preprocess(min_size=100)
    model = build(NANO, classes=1, preprocess=own, rpn_convs=2)
    assert model.config == MODELS[NANO].config.replace(rpn_convs=2)
    assert model.preprocess is own
    assert build(NANO, classes=1).preprocess is MODELS[NANO].preprocess


@pytest.mark.parametrize("family", FAMILIES)
def test_a_configuration_brings_the_images_of_its_family(family):
    with torch.device("meta"):
        model = build(FAMILIES[family].config(), classes=2)
    published = {e.preprocess for e in MODELS.values() if e.config.family == family}
    assert model.preprocess in published


def test_a_configuration_is_enough():
    config = MODELS[NANO].config
    model = build(config, classes=1)
    assert type(model) is FAMILIES["mask_rcnn"].model
    assert type(model.config) is FAMILIES["mask_rcnn"].config is MaskRCNNConfig
    assert model.config == config


@pytest.mark.parametrize(
    ("name", "options", "error", "message"),
    [
        ("maskrcnn_resnet50", {}, ModelError, "'maskrcnn_resnet50'.*'maskrcnn_resnet50_fpn'"),
        ("zzz", {}, ModelError, "'zzz'.*choose one of detr_nano, "),
        (NANO, {"mask_conv": 1}, ConfigError, "'mask_conv'.*did you mean 'mask_convs'"),
        (NANO, {"backbone": "resnet19"}, ModelError, "'resnet19'.*'resnet18'"),
        (NANO, {"anchor_sizes": ((8,),)}, ConfigError, "4 tuples"),
    ],
)
def test_mistakes_name_what_was_meant(name, options, error, message):
    with pytest.raises(error, match=message):
        build(name, classes=1, **options)
