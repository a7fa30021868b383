"""Weights that are none, or of another model: one sentence, exit code 2, nothing written."""

from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.numpy import save_file

from builders import tiny_coco
from command_line import SMALL, files_in, refused
from delineate import Predictor, build, load, save_model, write_image
from delineate.errors import ConfigError, ImageError, ModelError


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
    (folder / "config.yaml").write_text("seed: 1\n")
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
    "missing.pth": "got no file there",
    "config.yaml": "got the file",
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


def test_convert_tells_ours_from_theirs(weights, tmp_path, monkeypatch, capfd):
    run = tmp_path / "run"
    run.mkdir()
    (run / "best.safetensors").write_bytes((weights / "nano.safetensors").read_bytes())
    for file in (run, weights / "nano.safetensors"):
        out = ["--out", tmp_path / "c.safetensors"]
        sentence = refused(["models", "convert", file, *out], monkeypatch, capfd)
        assert "which is ours already" in sentence
        assert "--to" in sentence


@pytest.mark.filterwarnings("error")
def test_convert_of_a_pickle_gives_no_advice_to_run_it(tmp_path, monkeypatch, capfd):
    class Evil:
        def __reduce__(self):
            return print, ("run",)

    torch.save({"model": Evil()}, tmp_path / "evil.pth")
    (tmp_path / "text.pth").write_text("{}")
    for name in ("evil.pth", "text.pth"):
        out = ["--out", tmp_path / "c.safetensors"]
        sentence = refused(["models", "convert", tmp_path / name, *out], monkeypatch, capfd)
        assert "would have to be run" in sentence
        assert "weights_only" not in sentence


@pytest.mark.parametrize("given", [None, [1], torch.zeros(2)])
def test_what_is_no_picture_or_model_in_python(given, weights):
    find = Predictor(load(weights / "nano.safetensors"))
    with pytest.raises(ImageError, match="expected a picture"):
        find(given)
    with pytest.raises(ConfigError, match="load it first"):
        Predictor(given)
    with pytest.raises(ModelError, match="expected a path"):
        load(given)
