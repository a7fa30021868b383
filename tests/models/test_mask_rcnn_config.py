"""Plain values in, plain values out, and contradictions named."""

import dataclasses
import json
import re

import pytest

from delineate.errors import ConfigError
from delineate.models.mask_rcnn.config import RULES, MaskRCNNConfig
from delineate.models.zoo import MODELS


@pytest.mark.parametrize("name", sorted(MODELS))
def test_survives_json(name):
    config = MODELS[name].config
    assert type(config).from_json(json.loads(json.dumps(config.to_json()))) == config


def test_part_of_the_values_is_enough():
    assert MaskRCNNConfig.from_json({"rpn_convs": 2}) == MaskRCNNConfig(rpn_convs=2)


def test_unknown_option_names_the_nearest():
    with pytest.raises(ConfigError, match=r"'rpn_conv'.*did you mean 'rpn_convs'"):
        MaskRCNNConfig.from_json({"rpn_conv": 2})
    with pytest.raises(ConfigError, match=r"'score_treshold'.*'score_threshold'"):
        MaskRCNNConfig().replace(score_treshold=0.5)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"anchor_sizes": ((32,),)}, "5 tuples, one for each level of features, got 1"),
        ({"fpn_extra_level": False}, "4 tuples, one for each level of features, got 5"),
        ({"anchor_sizes": ((8, 16), (32,), (64,), (128,), (256,))}, r"\[2, 1, 1, 1, 1\]"),
        ({"neck": "none", "anchor_sizes": ((32,),) * 4}, r"\(16,\) where `neck` is 'none'"),
        (
            {
                "neck": "none",
                "backbone_strides": (16,),
                "anchor_sizes": ((32,),),
                "stuff_names": ("sky",),
                "stuff_ids": (9,),
            },
            "`neck` to be 'fpn' where there are `stuff_names`",
        ),
        ({"stuff_names": ("sky",)}, "as many `stuff_ids` as `stuff_names`, 1, got 0"),
    ],
)
def test_contradictions(change, message):
    with pytest.raises(ConfigError, match=message):
        MaskRCNNConfig().replace(**change)


@pytest.mark.parametrize(
    "change",
    [
        {"slim_widths": (24, 32, 64, 128)},
        {"slim_widths": (24, 32, 64, 128, 0)},
        {"slim_depths": (1,)},
        {"slim_depths": (1, 2, 2, -2)},
        {"fpn_channels": -4},
        {"anchor_ratios": ()},
        {"anchor_ratios": (1.0, -1.0)},
        {"anchor_sizes": ((),) * 5},
        {"anchor_sizes": ((32,), (64,), (0,), (256,), (512,))},
        {"box_fcs": 0},
        {"roi_samples": 0},
        {"rpn_positive_fraction": 1.5},
        {"roi_positive_fraction": 0.0},
        {"roi_positive_fraction": 1.0},  # the background's bias would be log 0
        {"nms_iou": 1.01},
        {"rpn_nms_iou": -0.1},
        {"score_threshold": float("nan")},
        {"backbone_strides": (8, 4, 16, 32)},
        {"backbone_strides": (4, 8, 12, 32)},
        {"backbone_strides": (4, 16, 32)},
        {"backbone_strides": ()},
        {"backbone_norm_eps": -1e-5},
        {"roi_sampling_ratio": -1},
        {"roi_canonical_size": 0},
        {"detections_per_image": 0},
    ],
    ids=str,
)
def test_values_out_of_range_are_named(change):
    [(name, value)] = change.items()
    message = f"expected `{name}` to be .*, got {re.escape(repr(value))}: "
    with pytest.raises(ConfigError, match=message):
        MaskRCNNConfig().replace(**change)


def test_matches_in_the_wrong_order():
    with pytest.raises(ConfigError, match=r"`rpn_match_low` to be at most .*0\.8 and 0\.7: swap"):
        MaskRCNNConfig(rpn_match_low=0.8)


def test_every_rule_names_options():
    names = [name for *_, names in RULES for name in names]
    assert set(names) <= {field.name for field in dataclasses.fields(MaskRCNNConfig)}
    assert len(names) == len(set(names))


def test_anchors_per_cell():
    assert MaskRCNNConfig().anchors_per_cell == 3
    assert MODELS["maskrcnn_resnet50_c4"].config.anchors_per_cell == 15
