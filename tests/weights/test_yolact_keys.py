"""The names of dbolya/yolact: strict, both ways, and what old files have besides."""

import json

import pytest
import torch

from delineate.errors import ModelError
from delineate.models.zoo import build
from delineate.weights.hub import COCO_80, WEIGHTS
from delineate.weights.yolact import LAYOUTS

BY_NAME = {layout.name: layout for layout in LAYOUTS}
FILES = {  # name of a list of entries -> the model it is read as, and its published parameters
    "yolact_base": ("yolact_resnet101", 50_136_511 + 20_560),
    "yolact_im400": ("yolact_resnet101", 50_136_511 + 20_560),
    "yolact_im700": ("yolact_resnet101", 50_136_511 + 20_560),
    "yolact_resnet50": ("yolact_resnet50", 31_144_383 + 20_560),
    "yolact_resnet50_pascal": ("yolact_resnet50", 30_734_623),
    "yolact_darknet53": ("yolact_darknet53", 47_762_527 + 20_560),
    "yolact_plus_resnet50": ("yolact_plus_resnet50", None),
    "yolact_plus_base": ("yolact_plus_resnet101", 52_571_142),
}


def layout_of(state):
    (layout,) = (layout for layout in LAYOUTS if all(mark in state for mark in layout.marks))
    return layout


def recorded(goldens, name, device="meta"):
    record = json.loads((goldens / "keys" / f"{name}.json").read_text())
    return {
        key: torch.zeros(shape, dtype=getattr(torch, kind), device=device)
        for key, shape, kind in record["keys"]
    }


def built(identity):
    with torch.device("meta"):
        return build(
            identity.model,
            classes=identity.classes,
            preprocess=identity.preprocess,
            **identity.options,
        )


@pytest.mark.parametrize("name", FILES)
def test_recorded_entries_map_strictly(goldens, name):
    state = recorded(goldens, name)
    layout = layout_of(state)
    identity = layout.identify(state)
    model = built(identity)
    ours = layout.to_ours(model, state)
    expected, parameters = FILES[name]
    assert identity.model == expected
    shapes = {key: value.shape for key, value in model.state_dict().items()}
    assert {key: value.shape for key, value in ours.items()} == shapes
    back = layout.to_theirs(model)
    assert {key: value.shape for key, value in back.items()} == {
        key: value.shape for key, value in state.items()
    }
    if parameters is not None:
        assert sum(p.numel() for p in model.parameters()) == parameters


def test_there_and_back_is_bit_equal():
    torch.manual_seed(0)
    model = build("yolact_plus_resnet50", classes=2)
    layout = BY_NAME["yolact"]
    again = layout.to_ours(model, layout.to_theirs(model))
    state = model.state_dict()
    assert again.keys() == state.keys()
    assert all(torch.equal(again[key], value) for key, value in state.items())


def test_what_old_files_hold_twice_is_left_out(goldens):
    state = recorded(goldens, "yolact_resnet50")
    old = {
        key.replace("backbone.layers.0.", "backbone.layer1."): value
        for key, value in state.items()
        if key.startswith("backbone.layers.0.")
    }
    old |= {"fpn.downsample_layers.2.weight": torch.zeros(1), "fpn.downsample_layers.2.bias": 0}
    layout = BY_NAME["yolact"]
    model = built(layout.identify(state))
    assert layout.to_ours(model, state | old) == layout.to_ours(model, state)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda state: state.pop("proto_net.8.bias"), "missing: proto.after.0.bias"),
        (lambda state: state.update({"proto_net.9.bias": 0}), "unused: proto_net.9.bias"),
    ],
)
def test_other_entries_are_told(goldens, change, message):
    state = recorded(goldens, "yolact_resnet50")
    model = built(BY_NAME["yolact"].identify(state))
    change(state)
    with pytest.raises(ModelError, match=message):
        BY_NAME["yolact"].to_ours(model, state)


def test_models_of_none_of_ours(goldens):
    state = recorded(goldens, "yolact_resnet50")
    shallow = {key: v for key, v in state.items() if not key.startswith("backbone.layers.2.5.")}
    with pytest.raises(ModelError, match="5 blocks"):
        BY_NAME["yolact"].identify(shallow)
    del state["semantic_seg_conv.weight"]
    with pytest.raises(ModelError, match="semantic_seg_conv"):
        BY_NAME["yolact"].identify(state)
    with torch.device("meta"):
        model = build("maskrcnn_nano", classes=1)
    with pytest.raises(ModelError, match="mask_rcnn"):
        BY_NAME["yolact"].to_theirs(model)


def test_classes_are_those_of_coco_without_gaps(goldens):
    state = recorded(goldens, "yolact_resnet50")
    identity = BY_NAME["yolact"].identify(state)
    assert identity.classes is COCO_80
    assert len(COCO_80) == 80
    assert (COCO_80.name(11), COCO_80.source_id(11)) == ("stop sign", 13)
    pascal = BY_NAME["yolact"].identify(recorded(goldens, "yolact_resnet50_pascal"))
    assert pascal.classes.name(14) == "person"
    assert pascal.options["square_anchors"] is False


def test_published_files_name_a_layout_and_a_model():
    published = {spec: file for spec, file in WEIGHTS.items() if spec.startswith("yolact")}
    assert len(published) == 6
    for spec, file in published.items():
        assert file.layout in BY_NAME
        with torch.device("meta"):
            model = build(spec.partition(":")[0], classes=file.classes)
        entries = sum(value.numel() for value in model.state_dict().values())
        assert file.mebibytes == pytest.approx(4 * entries / 2**20, abs=1)


@pytest.mark.parametrize("name", ["yolact_resnet50", "yolact_darknet53"])
def test_frozen_norms_take_all_but_the_counters(goldens, name):
    state = recorded(goldens, name)
    layout = layout_of(state)
    with torch.device("meta"):
        model = build(name, classes=80, backbone_norm="frozen")
    ours = layout.to_ours(model, state)
    assert ours.keys() == model.state_dict().keys()
    assert len(ours) == sum(not key.endswith("num_batches_tracked") for key in state)
