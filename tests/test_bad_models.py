"""Weights that are none, or of another model: one sentence, exit code 2, nothing written."""

from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.numpy import save_file

from builders import tiny_coco
from command_line import SMALL, files_in, refused
from delineate import build, save_model, write_image


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a model, and with files and folders that should be one."""
    folder = tmp_path_factory.mktemp("weights")
    save_model(build("maskrcnn_nano", classes=2), folder / "nano.safetensors")
    whole = (folder / "nano.safetensors").read_bytes()
    (folder / "half.safetensors").write_bytes(whole[: len(whole) // 2])
    (folder / "cut_header.safetensors").write_bytes(whole[:100])
    (folder / "empty.safetensors").write_bytes(b"")
    save_file({"weight": np.zeros((2, 2), np.float32)}, folder / "foreign.safetensors")
    classifier = {"conv1.weight": torch.zeros(64, 3, 7, 7), "fc.bias": torch.zeros(1000)}
    torch.save(classifier, folder / "resnet.pth")
    (folder / "run").mkdir()
    (folder / "run" / "config.yaml").write_text("seed: 1\n")
    return folder


NO_MODELS = {
    "half.safetensors": "is another kind of file or was cut off",
    "cut_header.safetensors": "is another kind of file or was cut off",
    "empty.safetensors": "is another kind of file or was cut off",
    "foreign.safetensors": "got a safetensors file of another program",
    "resnet.pth": "expected a .safetensors file",
    "run": "expected a run with best.safetensors in the folder",
    "missing.safetensors": "cannot be read (No such file",
}


@pytest.mark.parametrize("name", NO_MODELS)
def test_every_verb_refuses_what_is_no_model(name, weights, tmp_path, monkeypatch, capfd):
    data, out = tiny_coco(tmp_path), tmp_path / "out"
    write_image(tmp_path / "a.png", np.zeros((40, 50, 3), np.uint8))
    verbs = {
        "train": ["train", data, "--set", f"pretrained={weights / name}", "--out", out, *SMALL],
        "evaluate": ["evaluate", weights / name, data, "--out", out],
        "predict": ["predict", tmp_path / "a.png", "--model", weights / name, "--out", out],
    }
    for verb, arguments in verbs.items():
        sentence = refused(arguments, monkeypatch, capfd)
        assert name in sentence, verb
        assert NO_MODELS[name] in sentence, verb
        assert not files_in(out), verb


OTHER_NETWORKS = {
    "a narrower pyramid": ("model.fpn_channels=16", "neck.lateral"),
    "another backbone": ("model.slim_widths=[16,16,16,16,16]", "backbone."),
    "a deeper box head": ("model.box_convs=2", "roi_heads.box_head"),
}


@pytest.mark.parametrize("kind", OTHER_NETWORKS)
def test_train_from_another_network(kind, weights, tmp_path, monkeypatch, capfd):
    setting, differs = OTHER_NETWORKS[kind]
    data, out = tiny_coco(tmp_path), tmp_path / "out"
    start = f"pretrained={weights / 'nano.safetensors'}"
    settings = ["--set", setting, "--set", start, "--set", "budget.steps=1"]
    sentence = refused(["train", data, "--out", out, *settings], monkeypatch, capfd)
    assert "nano.safetensors" in sentence
    assert differs in sentence
    assert "choose other weights, or make model the same" in sentence
    assert not files_in(out)


def test_an_unknown_model_names_the_nearest(tmp_path, monkeypatch, capfd):
    path = tiny_coco(tmp_path)
    assert "maskrcnn_nano" in refused(["evaluate", "maskrcnn_nanno", path], monkeypatch, capfd)
    assert "maskrcnn_nano" in refused(["models", "show", "maskrcn_nano"], monkeypatch, capfd)


def test_a_model_of_other_classes_shows_both_lists(weights, tmp_path, monkeypatch, capfd):
    path, out = tiny_coco(tmp_path, classes=("disc", "box")), tmp_path / "out"
    arguments = ["evaluate", weights / "nano.safetensors", path, "--out", out]
    sentence = refused(arguments, monkeypatch, capfd)
    assert "class 1" in sentence
    assert "disc" in sentence
    assert not out.exists()
