"""The tables of torchvision's names against recorded key lists, in both directions."""

import json
import re

import pytest
import torch

from delineate.models.zoo import build
from delineate.weights.hub import COCO_91
from delineate.weights.keymap import to_ours, to_theirs
from delineate.weights.torchvision import MASKRCNN, MASKRCNN_2019, MASKRCNN_V2, resnet_table

OLD = [  # how the file of 2019 differs from today's names
    (r"^backbone\.fpn\.(inner|layer)_blocks\.(\d)\.0\.", r"backbone.fpn.\1_blocks.\2."),
    (r"^rpn\.head\.conv\.0\.0\.", "rpn.head.conv."),
    (r"^roi_heads\.mask_head\.0\.0\.", "roi_heads.mask_head.mask_fcn1."),
    (r"^roi_heads\.mask_head\.1\.0\.", "roi_heads.mask_head.mask_fcn2."),
    (r"^roi_heads\.mask_head\.2\.0\.", "roi_heads.mask_head.mask_fcn3."),
    (r"^roi_heads\.mask_head\.3\.0\.", "roi_heads.mask_head.mask_fcn4."),
]


def recorded(goldens, name: str) -> dict[str, tuple[int, ...]]:
    """Return the recorded names and shapes of one of torchvision's models."""
    record = json.loads((goldens / "keys" / f"torchvision_{name}.json").read_text())
    return {key: tuple(shape) for key, shape, *_ in record["keys"]}


def our_shapes(name: str, **options: object) -> dict[str, tuple[int, ...]]:
    with torch.device("meta"):
        model = build(name, classes=COCO_91, **options)
    return {key: tuple(value.shape) for key, value in model.state_dict().items()}


def spell_as_in_2019(key: str) -> str:
    for pattern, replacement in OLD:
        key = re.sub(pattern, replacement, key)
    return key


@pytest.mark.parametrize(
    ("name", "table"),
    [("maskrcnn_resnet50_fpn", MASKRCNN), ("maskrcnn_resnet50_fpn_v2", MASKRCNN_V2)],
)
def test_every_name_and_shape_there_and_back(goldens, name, table):
    theirs, ours = recorded(goldens, name), our_shapes(name)
    assert to_ours(theirs, table, ours) == ours
    counters = {k for k in theirs if k.endswith("num_batches_tracked") and table is MASKRCNN}
    back = {key: shape for key, shape in theirs.items() if key not in counters}
    assert to_theirs(ours, table, theirs) == back


def test_names_of_2019(goldens):
    theirs = recorded(goldens, "maskrcnn_resnet50_fpn")
    old = {
        spell_as_in_2019(key): shape
        for key, shape in theirs.items()
        if not key.endswith("num_batches_tracked")
    }
    assert len(old.keys() - theirs.keys()) == 26
    ours = our_shapes("maskrcnn_resnet50_fpn")
    assert to_ours(old, MASKRCNN_2019, ours) == ours
    assert to_theirs(ours, MASKRCNN_2019) == old


@pytest.mark.parametrize("depth", [50, 101])
@pytest.mark.parametrize("zoo_name", ["maskrcnn_resnet50_fpn", "maskrcnn_resnet50_c4"])
def test_backbones(goldens, depth, zoo_name):
    theirs = recorded(goldens, f"resnet{depth}")
    with torch.device("meta"):
        model = build(zoo_name, classes=1, backbone=f"resnet{depth}")
    wanted = {
        key: tuple(value.shape)
        for key, value in model.state_dict().items()
        if key.startswith(("backbone.", "roi_heads.box_head.layer4."))
    }
    assert to_ours(theirs, resnet_table(model.state_dict().keys()), wanted) == wanted
