"""Our checkpoints: there and back, and one sentence for every way in which a file is wrong."""

import errno
import json
import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file

from delineate.core.classes import ClassMap
from delineate.errors import ModelError, OutputError
from delineate.models.api import SegModel
from delineate.models.zoo import MODELS, build
from delineate.weights.file import fill, load_model, read_card, save_model

CLASSES = ClassMap(names=("cat", "dog", "Käfer"), source_ids=(17, 18, 4))


def tiny_model(**overrides: object) -> SegModel:
    small = {
        "slim_widths": (8, 8, 8, 16, 16),
        "slim_depths": (1, 1, 1, 1),
        "fpn_channels": 8,
        "box_fc_width": 16,
        "mask_channels": 8,
    }
    torch.manual_seed(0)
    preprocess = replace(MODELS["maskrcnn_nano"].preprocess, mean=(0.1, 0.2, 0.3))
    return build("maskrcnn_nano", classes=CLASSES, preprocess=preprocess, **small | overrides)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "model.safetensors"
    save_model(tiny_model(), path, name="tiny", licence="CC0-1.0", extra={"AP": 0.5})
    return path


def rewrite(path: Path, change: Callable[[dict, dict], None]) -> None:
    """Change the metadata and the tensors of a checkpoint."""
    with safe_open(path, framework="pt") as file:
        card = json.loads(file.metadata()["delineate"])
    tensors = load_file(path)
    change(card, tensors)
    save_file(tensors, path, {"delineate": json.dumps(card)})


def test_there_and_back(path):
    model = tiny_model()
    loaded = load_model(path)
    assert (loaded.config, loaded.classes) == (model.config, CLASSES)
    assert loaded.preprocess == model.preprocess
    assert not loaded.training
    state = loaded.state_dict()
    assert state.keys() == model.state_dict().keys()
    assert all(torch.equal(state[key], value) for key, value in model.state_dict().items())
    card = read_card(path)
    assert (card.family, card.name, card.licence, card.source) == (
        "mask_rcnn",
        "tiny",
        "CC0-1.0",
        "",
    )
    assert card.extra == {"AP": 0.5}


def test_loaded_model_detects_the_same(path):
    model = tiny_model(score_threshold=0.0).eval()
    save_model(model, path)
    images, sizes = torch.randn(1, 3, 64, 96), torch.tensor([[64, 96]])
    with torch.inference_mode():
        ours, again = model(images, sizes), load_model(path)(images, sizes)
    assert len(ours.scores) > 0
    assert all(torch.equal(a, b) for a, b in zip(ours, again, strict=True))


def test_same_model_same_bytes_in_any_memory_format(path, tmp_path):
    first = path.read_bytes()
    model = tiny_model().to(memory_format=torch.channels_last)
    save_model(model, path, name="tiny", licence="CC0-1.0", extra={"AP": 0.5})
    assert path.read_bytes() == first
    assert os.listdir(tmp_path) == ["model.safetensors"]


def test_file_is_plain_safetensors(path):
    assert load_file(path).keys() == tiny_model().state_dict().keys()


def test_full_disk_keeps_the_old_checkpoint(path, tmp_path, monkeypatch):
    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    before = path.read_bytes()
    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OutputError, match=r"model\.safetensors cannot be written \(No space left"):
        save_model(tiny_model(fpn_channels=16), path)
    assert path.read_bytes() == before
    assert os.listdir(tmp_path) == ["model.safetensors"]


def test_folder_that_does_not_exist(tmp_path):
    with pytest.raises(OutputError, match="make its folder"):
        save_model(tiny_model(), tmp_path / "none" / "model.safetensors")


def test_missing_file_and_folder(tmp_path):
    with pytest.raises(ModelError, match=r"none\.safetensors cannot be read \(No such file"):
        load_model(tmp_path / "none.safetensors")
    with pytest.raises(ModelError, match="cannot be read"):
        load_model(tmp_path)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"PK",
        b"This is a text and no checkpoint at all.",
        b"PK\x03\x04" + bytes(1000),
        (1 << 62).to_bytes(8, "little") + b"{}",
        (2).to_bytes(8, "little") + b"[]",
        (9).to_bytes(8, "little") + b"not json!",
    ],
    ids=["empty", "two bytes", "text", "zip", "huge header", "list", "no json"],
)
def test_other_kinds_of_file(path, content):
    path.write_bytes(content)
    with pytest.raises(ModelError, match="another kind of file or was cut off"):
        load_model(path)


@pytest.mark.parametrize("keep", [4, 100, -1])
def test_cut_off(path, keep):
    path.write_bytes(path.read_bytes()[:keep])
    with pytest.raises(ModelError, match="cut off"):
        load_model(path)


@pytest.mark.parametrize("metadata", [None, {"format": "pt"}])
def test_checkpoint_of_another_program(path, metadata):
    save_file({"weight": torch.zeros(3)}, path, metadata)
    with pytest.raises(ModelError, match="got a safetensors file of another program"):
        load_model(path)


def test_newer_format(path):
    rewrite(path, lambda card, _: card.update(format=2, surprise=True))
    with pytest.raises(ModelError, match=r"newer Delineate \(format 2, .* up to 1\): upgrade"):
        load_model(path)


def test_unknown_family(path):
    rewrite(path, lambda card, _: card.update(family="mask_rcn"))
    with pytest.raises(ModelError, match=r"family 'mask_rcn',.*did you mean 'mask_rcnn'"):
        load_model(path)


@pytest.mark.parametrize(
    "change",
    [
        lambda card: card.pop("format"),
        lambda card: card.pop("classes"),
        lambda card: card.update(config=[1]),
        lambda card: card["config"].update(fpn_chanels=8),
        lambda card: card["config"].update(fpn_channels="many"),
        lambda card: card["config"].update(fpn_channels=-8),
        lambda card: card["config"].update(backbone=None),
        lambda card: card["config"].update(anchor_sizes=[[8]]),
        lambda card: card["classes"].update(names=["cat", "cat", "dog"]),
        lambda card: card["classes"].update(names="cat"),
        lambda card: card.update(preprocess={"mean": "grey"}),
        lambda card: card.update(preprocess=None),
        lambda card: card.update(extra=3),
    ],
)
def test_description_that_makes_no_sense(path, change):
    rewrite(path, lambda card, _: change(card))
    with pytest.raises(ModelError, match=r"description of the model in .* cannot be used"):
        load_model(path)


@pytest.mark.parametrize("text", ["", "[" * 100_000, "[1]", '"text"', "{", "null"])
def test_metadata_that_is_no_object(path, text):
    save_file(load_file(path), path, {"delineate": text})
    with pytest.raises(ModelError, match="cannot be used"):
        load_model(path)


def test_tensors_of_another_model(path):
    rewrite(path, lambda _, tensors: tensors.pop("rpn.deltas.bias"))
    with pytest.raises(ModelError, match=r"model\.safetensors .*: rpn\.deltas\.bias is missing;"):
        load_model(path)


def test_tensor_without_use(path):
    rewrite(path, lambda _, tensors: tensors.update(ema=torch.zeros(2)))
    with pytest.raises(ModelError, match="ema has no use"):
        load_model(path)


def test_tensor_of_another_shape(path):
    rewrite(path, lambda _, tensors: tensors.update({"rpn.deltas.bias": torch.zeros(7)}))
    expected = r"rpn\.deltas\.bias has the shape \(7,\) and should have \(12,\)"
    with pytest.raises(ModelError, match=expected):
        load_model(path)


def test_header_cannot_make_us_allocate(path):
    """A hundred million channels would be terabytes; the shapes are compared before."""
    rewrite(path, lambda card, _: card["config"].update(fpn_channels=100_000_000))
    with pytest.raises(ModelError, match=r"has the shape .* and should have .* and \d+ more"):
        load_model(path)


def test_fill_leaves_the_model_alone_if_anything_is_wrong():
    model = tiny_model()
    before = {key: value.clone() for key, value in model.state_dict().items()}
    wrong = {key: value + 1 for key, value in before.items()}
    wrong["rpn.deltas.bias"] = torch.zeros(1)
    with pytest.raises(ModelError, match="weights do not fit the model"):
        fill(model, wrong)
    assert all(torch.equal(value, before[key]) for key, value in model.state_dict().items())
    fill(model, {key: value + 1 for key, value in before.items()})
    assert all(torch.equal(value, before[key] + 1) for key, value in model.state_dict().items())
