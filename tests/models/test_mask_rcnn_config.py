"""Plain values in, plain values out, and contradictions named."""

import json

import pytest

from delineate.errors import ConfigError
from delineate.models.mask_rcnn.config import MaskRCNNConfig
from delineate.models.zoo import MODELS


@pytest.mark.parametrize("name", sorted(MODELS))
def test_survives_json(name):
    config = MODELS[name].config
    assert MaskRCNNConfig.from_json(json.loads(json.dumps(config.to_json()))) == config


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
    ],
)
def test_contradictions(change, message):
    with pytest.raises(ConfigError, match=message):
        MaskRCNNConfig().replace(**change)


def test_anchors_per_cell():
    assert MaskRCNNConfig().anchors_per_cell == 3
    assert MODELS["maskrcnn_resnet50_c4"].config.anchors_per_cell == 15
