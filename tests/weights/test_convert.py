"""Checkpoints of other programs into ours and back: bit for bit, with everything that matters."""

import json

import pytest
import torch

from delineate.core.classes import ClassMap
from delineate.errors import ConfigError, DataError, ModelError
from delineate.jobs.convert import convert_file, read_classes
from delineate.models.mask_rcnn.zoo import CONVENTIONS, DETECTRON2, PYRAMID
from delineate.models.zoo import build
from delineate.weights.convert import convert, convert_back
from delineate.weights.file import load_model, read_card, save_model

CASES = {
    "torchvision": ("maskrcnn_resnet50_fpn", {}),
    "detectron2": ("maskrcnn_resnet50_fpn", {**CONVENTIONS, **PYRAMID}),
    "yolact": ("yolact_resnet50", {}),
    "detr": ("detr_resnet50", {"masks": False}),
    "huggingface": ("detr_resnet50", {"masks": False}),
}


@pytest.mark.parametrize("program", CASES)
def test_there_and_back_is_bit_equal(tmp_path, program):
    name, options = CASES[program]
    torch.manual_seed(0)
    count = {"torchvision": 90, "detr": 91, "huggingface": 91}.get(program, 80)
    preprocess = DETECTRON2 if program == "detectron2" else None
    model = build(name, classes=count, preprocess=preprocess, **options)
    ours, theirs, again = (tmp_path / n for n in ("o.safetensors", "t.pth", "a.safetensors"))
    save_model(model, ours)
    convert_back(ours, program, theirs)
    found = convert(theirs, again)
    assert found.model == name
    assert "It is a checkpoint of" in found.reason
    twin = load_model(again)
    assert twin.config == model.config
    assert twin.preprocess == model.preprocess
    state = twin.state_dict()
    for key, value in model.state_dict().items():
        if not key.endswith("num_batches_tracked"):
            assert torch.equal(state[key], value), key
    card = read_card(again)
    assert card.extra["source_sha256"] == found.sha256
    assert found.sha256 in card.source


def test_classes_are_given_by_name(tmp_path):
    model = build("maskrcnn_resnet50_fpn", classes=2)
    ours, theirs, again = (tmp_path / n for n in ("o.safetensors", "t.pth", "a.safetensors"))
    save_model(model, ours)
    convert_back(ours, "torchvision", theirs)
    names = tmp_path / "names.json"
    names.write_text('["cat", "dog"]')
    result = convert_file(theirs, again, to=None, classes=names)
    assert result["classes"] == 2
    assert load_model(again).classes == ClassMap.from_names(["cat", "dog"])
    names.write_text('["cat"]')
    with pytest.raises(ModelError, match="expected 2 classes for this checkpoint, got 1"):
        convert_file(theirs, again, to=None, classes=names)


def test_what_no_program_made_is_one_sentence(tmp_path):
    file = tmp_path / "x.pth"
    torch.save({"a.weight": torch.zeros(2)}, file)
    with pytest.raises(ModelError, match=r"^[^\n]+$"):
        convert(file, tmp_path / "y.safetensors")
    assert not (tmp_path / "y.safetensors").exists()
    with pytest.raises(ModelError, match=r"ends in \.safetensors"):
        convert(file, tmp_path / "y.pth")


def test_models_a_program_does_not_have(tmp_path):
    ours = tmp_path / "o.safetensors"
    save_model(build("maskrcnn_nano", classes=1), ours)
    for program in CASES:
        with pytest.raises(ModelError, match="cannot be written for"):
            convert_back(ours, program, tmp_path / "t.pth")
    with pytest.raises(ModelError, match="choose one of torchvision"):
        convert_back(ours, "keras", tmp_path / "t.pth")
    with pytest.raises(ConfigError, match="--classes or --to"):
        convert_file(ours, tmp_path / "t.pth", to="detr", classes=ours)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["o.safetensors"]


@pytest.mark.parametrize(
    "value",
    [
        ["cat", "dog"],
        {"names": ["cat", "dog"], "source_ids": [1, 2]},
        {"categories": [{"id": 1, "name": "cat"}, {"id": 2, "name": "dog"}]},
    ],
)
def test_a_table_of_classes_in_three_spellings(tmp_path, value):
    file = tmp_path / "classes.json"
    file.write_text(json.dumps(value))
    assert read_classes(file) == ClassMap.from_names(["cat", "dog"])
    file.write_text("3")
    with pytest.raises(DataError, match="expected a list of names"):
        read_classes(file)
