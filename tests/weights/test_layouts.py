"""One table of the layouts of all programs: which one a state dict has, and why none or several."""

import re

import pytest
import torch

from delineate.core.classes import ClassMap
from delineate.errors import ModelError
from delineate.models.zoo import build
from delineate.weights.hub import WEIGHTS
from delineate.weights.layouts import LAYOUTS, build_from, layout_named, recognise


def test_names_are_unique_and_published_files_use_them():
    names = [layout.name for layout in LAYOUTS]
    assert len(set(names)) == len(names)
    assert {r.layout for r in WEIGHTS.values()} - {"torchvision_resnet"} <= set(names)


@pytest.mark.parametrize("layout", LAYOUTS, ids=lambda layout: layout.name)
def test_marks_tell_a_layout_from_all_others(layout):
    state = dict.fromkeys(layout.marks, torch.zeros(1))
    assert recognise(state) is layout
    for mark in layout.marks:
        with pytest.raises(ModelError, match="of none of them"):
            recognise({key: value for key, value in state.items() if key != mark})


def test_two_programs_in_one_file_are_refused():
    first, second = layout_named("torchvision_maskrcnn"), layout_named("facebook_detr")
    state = dict.fromkeys((*first.marks, *second.marks), torch.zeros(1))
    with pytest.raises(ModelError, match=r"several \(torchvision_maskrcnn has .*facebook_detr has"):
        recognise(state)


@pytest.mark.parametrize("state", [{}, {"conv.weight": torch.zeros(1)}], ids=["empty", "other"])
def test_nothing_known_is_refused(state):
    shown = next(iter(state), "no entries at all")
    with pytest.raises(ModelError, match=re.escape(shown)):
        recognise(state)


def test_there_and_back_is_bit_equal():
    torch.manual_seed(0)
    model = build("maskrcnn_resnet18_fpn", classes=90)
    layout = layout_named("torchvision_maskrcnn")
    theirs = layout.to_theirs(model)
    assert recognise(theirs) is layout
    again = build_from(theirs, layout)
    ours = model.state_dict()
    assert all(torch.equal(value, ours[key]) for key, value in again.state_dict().items())
    assert again.classes.name(17) == "dog"


def test_a_model_the_program_does_not_have_is_not_written():
    with pytest.raises(ModelError, match="background first"):
        layout_named("torchvision_maskrcnn").to_theirs(build("maskrcnn_nano", classes=2))


@pytest.mark.parametrize("name", ["yolact_resnet101_700", "detr_resnet101_dc5"])
def test_a_name_decides_what_entries_do_not_tell(name):
    options = {"masks": False} if name.startswith("detr") else {}
    model = build(name, classes=91 if options else 80, **options)
    layout = layout_named("facebook_detr" if options else "yolact")
    state = layout.to_theirs(model)
    assert layout.identify(state).model != name
    twin = build_from(state, layout, name=name)
    assert twin.preprocess == model.preprocess
    assert twin.config == model.config
    with pytest.raises(ModelError, match="classes for this checkpoint, got 2"):
        build_from(state, layout, name=name, classes=ClassMap.from_names(["a", "b"]))
