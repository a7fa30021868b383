"""A new model begins with the weights of another."""

from dataclasses import replace

import pytest
import torch
from tiny_run import run, scenes, tiny_config

from delineate.core.classes import ClassMap
from delineate.data.synthetic import SyntheticScenes
from delineate.errors import ConfigError, ModelError
from delineate.models.zoo import MODELS, build
from delineate.train import checkpoint, start
from delineate.train.config import BudgetConfig
from delineate.train.loop import fit
from delineate.train.start import give_start
from delineate.weights.file import save_model
from delineate.weights.load import load

CONFIG = tiny_config().model


def model(seed: int, names, **changes):
    torch.manual_seed(seed)
    return build(CONFIG, classes=ClassMap.from_names(names), **changes)


def equal(first, second) -> set[str]:
    other = second.state_dict()
    return {n for n, t in first.state_dict().items() if torch.equal(t, other[n])}


def test_the_same_classes_take_over_everything(tmp_path):
    donor, new = model(0, ["cat", "dog"]), model(1, ["cat", "dog"])
    save_model(donor, tmp_path / "a.safetensors")
    give_start(new, str(tmp_path / "a.safetensors"))
    assert equal(new, donor) == set(donor.state_dict())


@pytest.mark.parametrize("names", [["cat"], ["cow", "pig"], ["dog", "cat"]])
def test_other_classes_leave_their_layers_random(tmp_path, names):
    donor, new, before = model(0, ["cat", "dog"]), model(1, names), model(1, names)
    save_model(donor, tmp_path / "a.safetensors")
    give_start(new, str(tmp_path / "a.safetensors"))
    mine, start, end = new.state_dict(), before.state_dict(), donor.state_dict()
    larger = model(0, ["a", "b", "c"]).state_dict()
    heads = {name for name in end if end[name].shape != larger[name].shape}
    assert len(heads) >= 2
    assert [n for n in heads if not torch.equal(mine[n], start[n])] == []
    assert [n for n in end.keys() - heads if not torch.equal(mine[n], end[n])] == []


def test_another_network_is_refused_and_nothing_changed(tmp_path):
    save_model(model(0, ["cat"], fpn_channels=32), tmp_path / "a.safetensors")
    new, before = model(1, ["cat"]), model(1, ["cat"])
    with pytest.raises(ModelError, match="should be of the network to be trained"):
        give_start(new, str(tmp_path / "a.safetensors"))
    assert equal(new, before) == set(before.state_dict())


def test_unknown_weights(tmp_path):
    with pytest.raises(ModelError):
        give_start(model(0, ["cat"]), "nothing")


def test_a_backbone_by_name_goes_to_the_backbone(monkeypatch):
    given = []
    monkeypatch.setattr(start, "load_backbone", lambda model, spec: given.append(spec))
    give_start(model(0, ["cat"]), "resnet18:imagenet1k_v1")
    assert given == ["resnet18:imagenet1k_v1"]


def test_unknown_weights_leave_a_folder_for_the_next_attempt(tmp_path):
    with pytest.raises(ModelError):
        fit(tiny_config(pretrained="nothing"), scenes(), scenes(2), tmp_path, device="cpu")
    fit(tiny_config(), scenes(), scenes(2), tmp_path, device="cpu")


def test_unknown_weights_make_no_folder(tmp_path):
    with pytest.raises(ModelError):
        fit(tiny_config(pretrained="nothing"), scenes(), None, tmp_path / "run", device="cpu")
    assert not (tmp_path / "run").exists()


def test_a_run_begins_where_another_ended(tmp_path):
    run(tmp_path / "first", 2)
    config = tiny_config(pretrained=str(tmp_path / "first"), checkpoint_steps=1)

    class Enough(Exception):
        pass

    class Stop:
        def note(self, text):
            raise Enough

        def close(self):
            pass

    with pytest.raises(Enough):
        fit(config, scenes(), scenes(2), tmp_path / "second", sinks=[Stop()], device="cpu")
    tensors = checkpoint.load(checkpoint.file_in(tmp_path / "second")).tensors
    for name, tensor in load(tmp_path / "first").state_dict().items():
        assert torch.equal(tensors[f"model/{name}"], tensor), name


@pytest.mark.parametrize(
    ("small", "large", "new_parts"),
    [
        (
            MODELS["detr_resnet50"].config.replace(
                backbone="slim", encoder_layers=1, decoder_layers=1, masks=False
            ),
            {"masks": True, "freeze_boxes": True},
            {"mask_head", "mask_attention"},
        ),
        (CONFIG, {"stuff_names": ("sky",), "stuff_ids": (9,), "stuff_channels": 32}, {"stuff"}),
    ],
)
def test_a_part_that_the_donor_lacks_stays_random(tmp_path, small, large, new_parts):
    classes = ClassMap.from_names(["cat", "dog"])
    donor, new = build(small, classes=classes), build(small.replace(**large), classes=classes)
    save_model(donor, tmp_path / "a.safetensors")
    assert set(give_start(new, str(tmp_path / "a.safetensors"))) == new_parts
    assert equal(donor, new) == set(donor.state_dict())
    assert {n.split(".")[0] for n in new.state_dict().keys() - donor.state_dict()} == new_parts
    save_model(new, tmp_path / "b.safetensors")
    with pytest.raises(ModelError, match="should be of the network"):
        give_start(donor, str(tmp_path / "b.safetensors"))


DETR = MODELS["detr_resnet50"].config.replace(
    backbone="slim", channels=128, encoder_layers=1, decoder_layers=1, queries=10, feedforward=32
)


def test_the_two_steps_of_detr(tmp_path):
    """Boxes are measured as boxes; masks are learnt upon them, and need them."""
    first = tiny_config(
        model=DETR.replace(masks=False), anchors="model", budget=BudgetConfig(steps=2)
    )
    result = fit(first, scenes(), scenes(2, seed=2), tmp_path / "boxes", device="cpu")
    assert "segm" not in result.metrics
    assert result.metrics["bbox"]["AP"] >= 0
    second = replace(first, model=DETR.replace(freeze_boxes=True))
    with pytest.raises(ConfigError, match="set pretrained to a run of the step before"):
        fit(second, scenes(), None, tmp_path / "alone", device="cpu")
    start = replace(second, pretrained=str(tmp_path / "boxes"))
    fit(start, scenes(), scenes(2, seed=2), tmp_path / "masks", device="cpu")
    boxes, masks = load(tmp_path / "boxes"), load(tmp_path / "masks")
    assert equal(boxes, masks) == set(boxes.state_dict())
    other = SyntheticScenes(4, size=(64, 64), classes=("leaf", "ring"))
    with pytest.raises(ConfigError, match="class_head"):
        fit(start, other, None, tmp_path / "others", device="cpu")


def stuffed(seed: int, *names: str, ids=None):
    torch.manual_seed(seed)
    config = CONFIG.replace(stuff_names=names, stuff_ids=ids or tuple(range(50, 50 + len(names))))
    return build(config.replace(stuff_channels=32), classes=ClassMap.from_names(["cat"]))


@pytest.mark.parametrize("names", [("water", "sand"), ("grass",), ("sky", "grass")])
def test_other_stuff_leaves_its_layer_random(tmp_path, names):
    save_model(stuffed(0, "grass", "sky"), tmp_path / "a.safetensors")
    new, before, donor = stuffed(1, *names), stuffed(1, *names), load(tmp_path / "a.safetensors")
    assert give_start(new, str(tmp_path / "a.safetensors")) == ()
    layer = {"stuff.predictor.weight", "stuff.predictor.bias"}
    assert equal(new, before) >= layer
    assert set(new.state_dict()) - layer <= {
        n for n, t in new.state_dict().items() if torch.equal(t, donor.state_dict().get(n, t))
    }
    same = stuffed(1, "grass", "sky", ids=(7, 8))
    give_start(same, str(tmp_path / "a.safetensors"))
    assert equal(same, donor) == set(donor.state_dict())
