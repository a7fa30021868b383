"""The tables of detectron2's names against recorded key lists, in both directions."""

import json

import pytest
import torch

from delineate.models.zoo import build
from delineate.weights.layouts import recognise

NAMES = {
    "d2_mask_rcnn_R_50_FPN_3x": ("maskrcnn_resnet50_fpn", 44_343_216),
    "d2_mask_rcnn_R_101_FPN_3x": ("maskrcnn_resnet101_fpn", None),
    "d2_mask_rcnn_X_101_32x8d_FPN_3x": ("maskrcnn_resnext101_fpn", 107_427_760),
    "d2_mask_rcnn_R_50_C4_3x": ("maskrcnn_resnet50_c4", 35_909_612),
    "d2_mask_rcnn_R_50_DC5_3x": ("maskrcnn_resnet50_dc5", 172_353_516),
    "d2_panoptic_fpn_R_50_3x": ("panoptic_fpn_resnet50", 45_973_990),
    "d2_panoptic_fpn_R_101_3x": ("panoptic_fpn_resnet101", 64_913_894),
}


@pytest.mark.parametrize("name", NAMES)
def test_every_name_and_shape_there_and_back(goldens, name):
    record = json.loads((goldens / "keys" / f"{name}.json").read_text())
    with torch.device("meta"):
        theirs = {key: torch.empty(shape) for key, shape, *_ in record["keys"]}
        layout = recognise(theirs)
        identity = layout.identify(theirs)
        model = build(identity.model, classes=identity.classes, **identity.options)
    expected, parameters = NAMES[name]
    assert identity.model == expected
    ours = layout.to_ours(model, theirs)
    shapes = {key: value.shape for key, value in model.state_dict().items()}
    assert {key: value.shape for key, value in ours.items()} == shapes
    back = layout.to_theirs(model)
    assert {k: v.shape for k, v in back.items()} == {k: v.shape for k, v in theirs.items()}
    counted = sum(parameter.numel() for parameter in model.parameters())
    assert counted == record["params"] == (parameters or counted)
