"""Models by name, file and run folder; "published" files come from a server on this machine."""

import hashlib
import re
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import MappingProxyType

import pytest
import torch
import torchvision

from delineate.errors import DownloadError, ModelError
from delineate.models.api import SegModel
from delineate.models.options import ZooEntry
from delineate.models.zoo import MODELS, build
from delineate.train.start import give_start
from delineate.weights import hub
from delineate.weights.file import read_card, save_model
from delineate.weights.keymap import to_theirs
from delineate.weights.layouts import fill_from, layout_named
from delineate.weights.load import load, load_backbone
from delineate.weights.torchvision import MASKRCNN, MASKRCNN_2019

SPELLINGS = {"2019": MASKRCNN_2019, "2021": MASKRCNN}
SPEC = "maskrcnn_resnet50_fpn:coco_v1"
SMALL = {"backbone": "resnet18", "fpn_channels": 8, "box_fc_width": 8, "mask_channels": 8}


def same_weights(first: SegModel, second: SegModel) -> bool:
    theirs = second.state_dict()
    return first.state_dict().keys() == theirs.keys() and all(
        torch.equal(value, theirs[key]) for key, value in first.state_dict().items()
    )


def small_model() -> SegModel:
    torch.manual_seed(0)
    return build("maskrcnn_resnet50_fpn", classes=hub.COCO_91, **SMALL)


class Server(ThreadingHTTPServer):
    def __init__(self, folder: Path) -> None:
        self.seen: list[str] = []
        seen = self.seen

        class Handler(SimpleHTTPRequestHandler):
            def do_GET(self) -> None:
                seen.append(self.path)
                super().do_GET()

            def log_message(self, *args: object) -> None:
                pass

        super().__init__(("127.0.0.1", 0), partial(Handler, directory=str(folder)))


@pytest.fixture
def publish(tmp_path, monkeypatch) -> Iterator[Callable[[str, dict], list[str]]]:
    """Publish a state dict instead of the real file; returns the list of requests to come."""
    served = tmp_path / "served"
    served.mkdir()
    monkeypatch.setenv("DELINEATE_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("DELINEATE_OFFLINE", raising=False)
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    with Server(served) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()

        def publish(spec: str, state: dict) -> list[str]:
            torch.save(state, served / "new.pth", _use_new_zipfile_serialization=False)
            digest = hashlib.sha256((served / "new.pth").read_bytes()).hexdigest()[:8]
            name = f"{spec.partition(':')[0]}-{digest}.pth"
            (served / "new.pth").rename(served / name)
            url = f"http://127.0.0.1:{server.server_port}/{name}"
            record = replace(hub.WEIGHTS[spec], url=url, sha256=digest)
            monkeypatch.setitem(hub.WEIGHTS, spec, record)
            return server.seen

        yield publish
        server.shutdown()
        thread.join()


@pytest.fixture
def small_zoo(monkeypatch) -> None:
    """The zoo's first model, with thin layers."""
    name = "maskrcnn_resnet50_fpn"
    entry = MODELS[name]
    small = ZooEntry(
        config=entry.config.replace(**SMALL), preprocess=entry.preprocess, summary=entry.summary
    )
    zoo = MappingProxyType(dict(MODELS) | {name: small})
    monkeypatch.setattr("delineate.models.zoo.MODELS", zoo)


def theirs(model: SegModel, spelling: str) -> dict[str, torch.Tensor]:
    return to_theirs(model.state_dict(), SPELLINGS[spelling])


@pytest.mark.usefixtures("small_zoo")
@pytest.mark.parametrize("spelling", SPELLINGS)
def test_published_weights_are_fetched_and_converted_once(publish, tmp_path, monkeypatch, spelling):
    model = small_model()
    seen = publish(SPEC, theirs(model, spelling))
    loaded = load(SPEC)
    assert same_weights(loaded, model)
    assert loaded.classes == hub.COCO_91
    assert not loaded.training
    assert len(seen) == 1
    monkeypatch.setenv("DELINEATE_OFFLINE", "1")
    assert same_weights(load(SPEC), model)
    (converted,) = (tmp_path / "cache").glob("*.safetensors")
    card = read_card(converted)
    assert card.name == SPEC
    assert card.licence.startswith("BSD-3-Clause")
    assert card.source == hub.WEIGHTS[SPEC].source


@pytest.mark.usefixtures("small_zoo")
@pytest.mark.parametrize("damage", [b"", b"no weights", None], ids=["empty", "other", "cut off"])
def test_damaged_conversion_is_made_again(publish, tmp_path, damage):
    model = small_model()
    publish(SPEC, theirs(model, "2021"))
    load(SPEC)
    (converted,) = (tmp_path / "cache").glob("*.safetensors")
    whole = converted.read_bytes()
    converted.write_bytes(whole[:-100] if damage is None else damage)
    assert same_weights(load(SPEC), model)
    assert converted.read_bytes() == whole


@pytest.mark.usefixtures("small_zoo")
def test_file_of_another_layout_is_not_kept(publish, tmp_path):
    publish(SPEC, {"some.weight": torch.zeros(1)})
    with pytest.raises(ModelError, match=r"layout torchvision_maskrcnn.*and got 1 others"):
        load(SPEC)
    assert list((tmp_path / "cache").glob("*.safetensors")) == []


def test_offline_says_where_to_put_the_file(tmp_path, monkeypatch):
    monkeypatch.setenv("DELINEATE_CACHE", str(tmp_path))
    monkeypatch.setenv("DELINEATE_OFFLINE", "1")
    file = tmp_path / "maskrcnn_resnet50_fpn_coco-bf2d0c1e.pth"
    with pytest.raises(DownloadError, match=re.escape(f"{file} is missing")):
        load(SPEC)


def test_file_and_run_folder(tmp_path):
    model = build("maskrcnn_nano", classes=2)
    save_model(model, tmp_path / "best.safetensors")
    assert same_weights(load(tmp_path / "best.safetensors"), model)
    assert same_weights(load(str(tmp_path)), model)


def test_folder_that_is_no_run(tmp_path):
    with pytest.raises(ModelError, match=r"expected a run with best\.safetensors in the folder"):
        load(tmp_path)


@pytest.mark.parametrize(
    ("spec", "sentence"),
    [
        (
            "maskrcnn_resnet50_fpn",
            "got 'maskrcnn_resnet50_fpn' alone: choose maskrcnn_resnet50_fpn:coco_v1.",
        ),
        ("maskrcnn_nano", "no weights are published for 'maskrcnn_nano': train it"),
        ("maskrcnn_resnet50_fpm", "did you mean 'maskrcnn_resnet50_fpn"),
        ("maskrcnn_resnet50_fpn:coco_v2", "choose one of maskrcnn_resnet50_fpn:coco_v1."),
        ("maskrcnn_nano:coco_v1", "there are no published weights 'maskrcnn_nano:coco_v1'"),
        ("resnet50:imagenet1k_v1", "are weights of a backbone"),
        (
            "model.pth",
            r"expected a \.safetensors file, got model\.pth: .*models convert",
        ),
        ("none.safetensors", "No such file"),
        ("none.pth", "got no file there"),
        ("", "expected a run with"),
        ("no/such/run", "expected a checkpoint, a run's folder or a `name:tag`"),
    ],
)
def test_everything_else_is_one_sentence(tmp_path, monkeypatch, spec, sentence):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "model.pth").touch()
    with pytest.raises(ModelError, match=sentence):
        load(spec)


@pytest.mark.parametrize("config", [{}, {"backbone_norm": "batch"}])
@pytest.mark.parametrize("name", ["maskrcnn_resnet18_fpn", "maskrcnn_resnet50_c4"])
@pytest.mark.parametrize("counters", [True, False], ids=["v2 file", "v1 file"])
def test_backbone_of_imagenet(publish, name, config, counters):
    model = build(name, classes=2, **{"backbone": "resnet18", "box_fc_width": 8} | config)
    torch.manual_seed(1)
    theirs = torchvision.models.resnet18()
    state = {
        key: torch.randn_like(value) if value.is_floating_point() else value + 7
        for key, value in theirs.state_dict().items()
        if counters or not key.endswith("num_batches_tracked")
    }
    publish("resnet18:imagenet1k_v1", state)
    before = {key: value.clone() for key, value in model.state_dict().items()}
    load_backbone(model, "resnet18:imagenet1k_v1")
    after = model.state_dict()
    changed = {key for key in after if not torch.equal(after[key], before[key])}
    assert torch.equal(
        after["backbone.layer2.0.downsample.1.running_var"],
        state["layer2.0.downsample.1.running_var"],
    )
    last = "backbone." if "fpn" in name else "roi_heads.box_head."
    assert torch.equal(after[f"{last}layer4.1.conv2.weight"], state["layer4.1.conv2.weight"])
    weights = [k for k in state if not k.startswith("fc.") and not k.endswith("_tracked")]
    assert len(changed) == len(weights)


def test_backbone_without_the_last_stage(publish):
    model = build(
        "maskrcnn_resnet18_fpn",
        classes=2,
        backbone_strides=(4, 8, 16),
        anchor_sizes=((32,), (64,), (128,), (256,)),
    )
    state = torchvision.models.resnet18().state_dict()
    publish("resnet18:imagenet1k_v1", state)
    load_backbone(model, "resnet18:imagenet1k_v1")
    ours = model.state_dict()["backbone.layer3.1.conv2.weight"]
    assert torch.equal(ours, state["layer3.1.conv2.weight"])


@pytest.mark.parametrize("name", ["yolact_resnet50", "yolact_plus_resnet50", "detr_resnet50"])
def test_a_backbone_for_every_family(publish, name):
    model = build(name, classes=2)
    state = torchvision.models.resnet50().state_dict()
    publish("resnet50:imagenet1k_v1", state)
    give_start(model, "resnet50:imagenet1k_v1")
    ours = model.state_dict()["backbone.layer4.2.conv3.weight"]
    assert torch.equal(ours, state["layer4.2.conv3.weight"])


def test_weights_of_another_backbone():
    model = build("maskrcnn_resnet18_fpn", classes=2, box_fc_width=8)
    with pytest.raises(
        ModelError, match=r"'resnet18', got 'resnet50:imagenet1k_v1': choose one of"
    ):
        load_backbone(model, "resnet50:imagenet1k_v1")


def test_fill_from_lists_what_does_not_fit():
    model = small_model()
    state = theirs(model, "2021")
    state["extra"] = state.pop("rpn.head.cls_logits.bias")
    with pytest.raises(ModelError, match=r"missing: rpn\.objectness\.bias; unused: extra\."):
        fill_from(model, state, layout_named("torchvision_maskrcnn"))


def test_fill_from_with_another_number_of_classes():
    state = theirs(build("maskrcnn_resnet50_fpn", classes=3, **SMALL), "2021")
    expected = r"box_predictor\.deltas\.bias has the shape \(16,\) and should have \(364,\)"
    with pytest.raises(ModelError, match=expected):
        fill_from(small_model(), state, layout_named("torchvision_maskrcnn"))
