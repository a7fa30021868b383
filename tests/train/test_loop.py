"""Runs from data to run folder, and the ways they end."""

import json
import os
import re
import signal
import sys
from dataclasses import replace
from itertools import islice

import numpy as np
import pytest
import torch
from tiny_run import run, scenes, tiny_config

from delineate.core.classes import ClassMap
from delineate.core.instances import Instances
from delineate.data.derived import Concat, Relabelled, Subset
from delineate.data.loader import Loader
from delineate.data.synthetic import SyntheticScenes
from delineate.errors import (
    ClassMismatch,
    ConfigError,
    DataError,
    ImageError,
    MissingExtra,
    OutputError,
    ReaderLost,
    TrainingDiverged,
)
from delineate.models.mask_rcnn.model import MaskRCNN
from delineate.train import checkpoint, feed, loop
from delineate.train.config import (
    AugmentConfig,
    BudgetConfig,
    DataConfig,
    EmaConfig,
    OptimConfig,
    from_yaml,
    with_settings,
    with_value,
)
from delineate.train.folder import saved_config
from delineate.train.loop import fit
from delineate.train.validate import measure
from delineate.weights.load import load


class Heard:
    """A sink that remembers, and does something at a step."""

    def __init__(self, at=None, then=lambda: None):
        self.steps, self.validations, self.notes, self.closed = [], [], [], 0
        self._at, self._then = at, then

    def step(self, event):
        self.steps.append(event)
        if event.step == self._at:
            self._then()

    def validation(self, event):
        self.validations.append(event)

    def note(self, text):
        self.notes.append(text)

    def close(self):
        self.closed += 1


class Without(Subset):
    """A data set whose annotations are gone."""

    def instances(self, index):
        return Instances.empty(self.records[index].size)


def test_a_run_folder_holds_what_it_should(tmp_path):
    result = run(tmp_path / "run", 4)
    assert sorted(os.listdir(tmp_path / "run")) == [
        "best.safetensors",
        "config.yaml",
        "last",
        "metrics.json",
        "metrics.jsonl",
    ]
    metrics = json.loads((tmp_path / "run" / "metrics.json").read_text())
    assert metrics == result.metrics
    assert {"AP", "AP50", "APs", "AR100"} <= metrics["segm"].keys()
    assert metrics["bbox"].keys() == metrics["segm"].keys()
    assert metrics["step"] == 4
    assert load(tmp_path / "run").classes == scenes().classes


def test_the_config_is_kept_resolved(tmp_path):
    run(tmp_path, 1)
    text = (tmp_path / "config.yaml").read_text()
    assert "auto" not in text
    assert from_yaml(text).anchors == "model"


def test_the_kept_config_resumes_the_run(tmp_path):
    run(tmp_path, 2)
    config = from_yaml((tmp_path / "config.yaml").read_text())
    fit(config, scenes(), scenes(2, seed=2), tmp_path, resume=True, device="cpu")


def test_a_run_is_resumed_without_naming_its_options_again(tmp_path):
    assert saved_config(tmp_path) is None
    heard = Heard(at=3, then=lambda: signal.raise_signal(signal.SIGINT))
    with pytest.raises(KeyboardInterrupt):
        fit(tiny_config(), scenes(10), None, tmp_path, sinks=[heard], device="cpu")
    kept = with_settings(saved_config(tmp_path), ["log_every=1", "data.workers=0"])
    fit(kept, scenes(10), None, tmp_path, resume=True, device="cpu")
    assert checkpoint.load(checkpoint.file_in(tmp_path)).position.step == 4


@pytest.mark.parametrize("content", [b"seed: [", b"\xff", b"seed: 1\n"])
def test_a_kept_config_that_cannot_be_read(tmp_path, content):
    (tmp_path / "config.yaml").write_bytes(content)
    with pytest.raises(ConfigError, match=r"config\.yaml should be the config of a run, but"):
        saved_config(tmp_path)


def test_the_result_has_the_validation_split(tmp_path):
    given = fit(tiny_config(), scenes(), scenes(2, seed=2), tmp_path / "a", device="cpu")
    assert [r.name for r in given.val.records] == [r.name for r in scenes(2, seed=2).records]
    config = tiny_config(data=DataConfig(workers=0, val_fraction=0.3))
    held_out = fit(config, scenes(10), None, tmp_path / "b", device="cpu")
    assert 1 <= len(held_out.val) <= 4
    again = measure(load(tmp_path / "b"), held_out.val)
    assert {kind: held_out.metrics[kind] for kind in again} == again


def test_curves_are_drawn_where_asked_for(tmp_path, monkeypatch):
    heard, opened = Heard(), []
    monkeypatch.setattr(loop, "need", lambda module, *, extra: None)
    monkeypatch.setattr(
        loop, "TensorBoard", lambda folder, *, every: opened.append((folder, every)) or heard
    )
    fit(tiny_config(tensorboard=True), scenes(), scenes(2), tmp_path, device="cpu")
    assert opened == [(tmp_path / "tensorboard", 2)]
    assert (len(heard.steps), len(heard.validations), heard.closed) == (4, 2, 1)


def test_without_tensorboard_no_run_is_begun(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", None)
    with pytest.raises(MissingExtra, match="track"):
        fit(tiny_config(tensorboard=True), scenes(), scenes(2), tmp_path / "run", device="cpu")
    assert not (tmp_path / "run").exists()


def test_a_held_out_part_without_objects_is_refused(tmp_path, monkeypatch):
    bare = {"train": scenes(4), "val": Without(scenes(2), [0, 1])}
    monkeypatch.setattr(feed, "split", lambda *_, **__: bare)
    with pytest.raises(DataError, match="should have objects to measure by"):
        fit(tiny_config(), scenes(), None, tmp_path / "run", device="cpu")


def test_metrics_are_those_of_the_best_checkpoint(tmp_path):
    result = run(tmp_path, 4)
    again = measure(load(tmp_path), scenes(2, seed=2))
    assert {kind: result.metrics[kind] for kind in again} == again


def test_sinks_hear_every_step_and_validation(tmp_path):
    heard = Heard()
    fit(tiny_config(), scenes(), scenes(2), tmp_path, sinks=[heard], device="cpu")
    assert [event.step for event in heard.steps] == [1, 2, 3, 4]
    assert [event.epoch for event in heard.steps] == [0, 0, 0, 1]
    assert [event.progress for event in heard.steps] == [0.25, 0.5, 0.75, 1.0]
    assert [event.images for event in heard.steps] == [2, 2, 2, 2]
    assert set(heard.steps[0].losses) == {"rpn_objectness", "rpn_box", "class", "box", "mask"}
    assert [event.step for event in heard.validations] == [2, 4]
    assert heard.closed == 1


@pytest.mark.parametrize("complaints", [["alike"], ["alike", None]])
def test_a_model_that_complains_of_every_image_is_heard(tmp_path, monkeypatch, complaints):
    said = []

    def complain(model, raw):
        said.append(complaints[len(said) % len(complaints)])
        return said[-1]

    monkeypatch.setattr(MaskRCNN, "complaint", complain)
    heard = Heard()
    fit(tiny_config(), scenes(), scenes(2), tmp_path, sinks=[heard], device="cpu")
    assert len(said) == 4  # two validations of two images with several objects
    assert heard.notes.count("alike") == (2 if complaints == ["alike"] else 0)


def test_a_step_of_two_batches_has_the_images_of_both(tmp_path):
    heard = Heard()
    config = tiny_config(accumulate=2, budget=BudgetConfig(steps=2))
    fit(config, scenes(), scenes(2), tmp_path, sinks=[heard], device="cpu")
    assert [event.images for event in heard.steps] == [4, 4]
    assert [event.epoch for event in heard.steps] == [0, 0]


def test_a_run_learns(tmp_path):
    heard = Heard()
    config = tiny_config(budget=BudgetConfig(steps=90), validate_every=1.0, batch_size=4)
    fit(config, scenes(4), scenes(1), tmp_path, sinks=[heard], device="cpu")
    totals = [sum(event.losses.values()) for event in heard.steps]
    assert np.mean(totals[-5:]) < 0.8 * np.mean(totals[:5])


def test_a_lost_reader_drops_only_a_run_that_this_call_began(tmp_path, monkeypatch):
    def fails(error):
        def batches(self, epoch, start=0):
            raise error

        monkeypatch.setattr(Loader, "batches", batches)
        with pytest.raises(type(error)):
            run(tmp_path / "old", 4)

    fails(RuntimeError("a bug"))  # leaves a run before its first step
    (tmp_path / "old" / "notes.txt").write_text("mine")
    fails(ReaderLost("a process that reads images has ended."))
    assert (tmp_path / "old" / "notes.txt").read_text() == "mine"
    with pytest.raises(ReaderLost):
        fit(tiny_config(), scenes(), scenes(2, seed=2), tmp_path / "new", device="cpu")
    assert not (tmp_path / "new").exists()


def test_validation_without_an_average_uses_the_weights_and_goes_on_learning(tmp_path):
    result = run(tmp_path, 4, ema=EmaConfig(decay=None))
    tensors = checkpoint.load(checkpoint.file_in(tmp_path)).tensors
    name = "rpn.objectness.weight"
    assert torch.equal(load(result.best).state_dict()[name], tensors[f"model/{name}"])
    tracked = [t for n, t in tensors.items() if n.endswith("num_batches_tracked")]
    assert {int(count) for count in tracked} == {4}


class Slow(Subset):
    """A data set whose images take time on a clock of our own."""

    def __init__(self, dataset, clock, seconds):
        super().__init__(dataset, range(len(dataset)))
        self._clock, self._seconds = clock, seconds

    def __getitem__(self, index):
        self._clock.now += self._seconds
        return super().__getitem__(index)


class Clock:
    now = 0.0

    def monotonic(self):
        return self.now


@pytest.mark.parametrize(
    ("seconds", "steps", "validations"),
    [
        (5.0, [3], 1),  # 50 s of 60: a trial of one image shows that no more can be learned
        (2.0, [30], 1),  # 20 s: two images are tried, and the only validation is the last
        (0.1, [14, 28, 41, 54], 4),  # at quarters of the 57.5 s left to learn
    ],
)
def test_a_minute_is_enough_for_validations_of_any_length(
    tmp_path, monkeypatch, seconds, steps, validations
):
    clock, heard = Clock(), Heard()
    monkeypatch.setattr(loop, "time", clock)
    config = tiny_config(budget=BudgetConfig(minutes=1), validate_every=0.25, log_every=1000)
    train, val = Slow(scenes(6), clock, 0.5), Slow(scenes(10, seed=2), clock, seconds)
    fit(config, train, val, tmp_path, sinks=[heard], device="cpu")
    assert len(heard.validations) == validations
    assert [event.step for event in heard.validations] == steps
    assert clock.now <= 60


def test_minutes_end_in_time_with_their_validation(tmp_path, monkeypatch):
    clock, heard = Clock(), Heard()
    monkeypatch.setattr(loop, "time", clock)
    config = tiny_config(budget=BudgetConfig(minutes=0.5), validate_every=0.25)
    train, val = Slow(scenes(6), clock, 0.2), Slow(scenes(2, seed=2), clock, 1.0)
    result = fit(config, train, val, tmp_path, sinks=[heard], device="cpu")
    assert 20 < heard.validations[-1].seconds <= 30
    assert heard.steps[-1].lr < 0.3 * max(event.lr for event in heard.steps)
    assert result.metrics["minutes"] <= 0.5


def test_part_of_the_training_images_is_held_out(tmp_path):
    heard = Heard()
    config = tiny_config(data=DataConfig(workers=0, val_fraction=0.3))
    fit(config, scenes(10), None, tmp_path, sinks=[heard], device="cpu")
    learned, held_out = re.match(r"training: (\d+) images, (\d+) for val", heard.notes[0]).groups()
    assert int(learned) + int(held_out) == 10
    assert 1 <= int(held_out) <= 4
    assert heard.validations


def test_without_any_validation_the_last_weights_are_kept(tmp_path):
    config = tiny_config(data=DataConfig(workers=0, val_fraction=0))
    result = fit(config, scenes(), None, tmp_path, device="cpu")
    assert result.val is None
    assert result.metrics.keys() == {"step", "minutes"}
    assert result.metrics["step"] == 4
    assert result.best.exists()


def test_a_validation_image_without_objects_is_no_trouble(tmp_path):
    class FirstBare(Subset):
        def __getitem__(self, index):
            return replace(super().__getitem__(index), instances=self.instances(index))

        def instances(self, index):
            return super().instances(index)[: 99 * index]

        def areas(self, index):
            return super().areas(index)[: 99 * index]

        def stated_boxes(self, index):
            return super().stated_boxes(index)[: 99 * index]

    result = fit(tiny_config(), scenes(), FirstBare(scenes(2), [0, 1]), tmp_path, device="cpu")
    assert result.metrics["segm"]["AP"] >= 0


def test_a_validation_split_without_objects_is_refused(tmp_path):
    with pytest.raises(DataError, match="should have objects to measure by"):
        fit(tiny_config(), scenes(), Without(scenes(2), [0]), tmp_path / "run", device="cpu")
    assert not (tmp_path / "run").exists()


def test_whole_images_of_different_sizes(tmp_path):
    data = Concat([SyntheticScenes(2, size=(64, 96)), SyntheticScenes(2, size=(96, 64))])
    config = tiny_config()
    config = replace(config, augment=replace(config.augment, crop=None))
    fit(config, data, scenes(1), tmp_path, device="cpu")


@pytest.mark.parametrize("crop", [64, None])
@pytest.mark.parametrize("name", ["none", "strong"])
def test_a_run_with_a_preset(tmp_path, name, crop):
    """Pictures that the strongest jitter leaves without an object are among them."""
    config = tiny_config(augment=AugmentConfig(crop=crop))
    config = with_value(config, "augment.preset", name)
    result = fit(config, scenes(), scenes(2, seed=2), tmp_path, device="cpu")
    assert saved_config(result.run).augment == config.augment


def test_large_images_give_more_crops(tmp_path):
    """64 x 64, 64 x 128 and 32 x 32 are covered by one, two and (at least) one crop of 64."""
    data = Concat([SyntheticScenes(1, size=size) for size in ((64, 64), (64, 128), (32, 32))])
    heard = Heard()
    config = tiny_config(budget=BudgetConfig(epochs=1), batch_size=1)
    config = replace(config, augment=replace(config.augment, crops_by_area=True))
    fit(config, data, scenes(1), tmp_path, sinks=[heard], device="cpu")
    assert [event.images for event in heard.steps] == [1] * 4
    assert [event.epoch for event in heard.steps] == [0] * 4


# -- what stops a run ----------------------------------------------------------------------------


def test_a_loss_that_is_no_number_names_the_images_and_keeps_the_checkpoint(tmp_path, monkeypatch):
    real, calls = MaskRCNN.losses, []

    def losses(self, *arguments):
        calls.append(arguments)
        values = real(self, *arguments)
        return values | {"box": values["box"] * float("nan")} if len(calls) == 4 else values

    monkeypatch.setattr(MaskRCNN, "losses", losses)
    heard = Heard()
    with pytest.raises(TrainingDiverged, match=r"step 4 .*box nan.*lower optim\.lr") as caught:
        fit(
            tiny_config(checkpoint_steps=2),
            scenes(),
            scenes(2),
            tmp_path,
            sinks=[heard],
            device="cpu",
        )
    plan = Loader(scenes(), batch_size=2, seed=0).plan(1)[0]  # the first batch of the second epoch
    assert all(scenes().records[i].name in str(caught.value) for i in plan)
    assert checkpoint.load(checkpoint.file_in(tmp_path)).position.step == 2
    assert heard.closed == 1


def test_a_gradient_that_is_no_number_stops_before_the_step(tmp_path, monkeypatch):
    real = MaskRCNN.losses

    def losses(self, *arguments):
        values = real(self, *arguments)
        weight = self.rpn.objectness.weight
        return values | {"root": (weight * 0).abs().sqrt().sum()}  # 0, with a gradient of nan

    monkeypatch.setattr(MaskRCNN, "losses", losses)
    with pytest.raises(TrainingDiverged, match="the gradient of step 1"):
        fit(tiny_config(), scenes(), scenes(2), tmp_path, device="cpu")


def test_a_learning_rate_far_too_high_is_told_apart(tmp_path):
    config = tiny_config(
        optim=OptimConfig(name="sgd", lr=1e12, warmup_steps=0, clip_norm=None),
        budget=BudgetConfig(steps=50),
    )
    with pytest.raises(TrainingDiverged):
        fit(config, scenes(), scenes(2), tmp_path, device="cpu")


class Broken(Subset):
    """A data set of which one picture cannot be read."""

    def __getitem__(self, index):
        if index == 4:
            raise ImageError("e.jpg should be an image, but is cut off: bring it back.")
        return super().__getitem__(index)


def test_a_broken_picture_loses_nothing(tmp_path):
    """The second epoch of the mended run goes on where the first stopped."""
    config = tiny_config(validate_every=1.0)
    heard = Heard()
    with pytest.raises(
        ImageError, match=r"e\.jpg .*: bring it back; .* --resume goes on"
    ) as caught:
        fit(config, Broken(scenes(), range(6)), scenes(2), tmp_path, sinks=[heard], device="cpu")
    batches = [list(batch) for batch in Loader(scenes(), batch_size=2, seed=0).plan(0)]
    done = next(i for i, batch in enumerate(batches) if 4 in batch)
    assert f"stopped after step {done} " in str(caught.value)
    assert checkpoint.load(checkpoint.file_in(tmp_path)).position.step == done == len(heard.steps)
    assert heard.closed == 1
    fit(config, scenes(), scenes(2), tmp_path, resume=True, device="cpu")
    fit(config, scenes(), scenes(2), tmp_path / "whole", device="cpu")
    ours, theirs = (
        checkpoint.load(checkpoint.file_in(out)).tensors for out in (tmp_path, tmp_path / "whole")
    )
    assert all(torch.equal(ours[name], theirs[name]) for name in theirs)


def test_a_broken_picture_of_the_validation_split_loses_nothing(tmp_path):
    val = Broken(scenes(6, seed=2), range(6))
    with pytest.raises(ImageError, match="stopped after step 2 "):
        fit(tiny_config(), scenes(), val, tmp_path, device="cpu")
    assert checkpoint.load(checkpoint.file_in(tmp_path)).position.step == 2


def test_ctrl_c_saves_the_step_and_goes_through(tmp_path):
    heard = Heard(at=3, then=lambda: signal.raise_signal(signal.SIGINT))
    before = signal.getsignal(signal.SIGINT)
    with pytest.raises(KeyboardInterrupt):
        fit(tiny_config(), scenes(), scenes(2), tmp_path, sinks=[heard], device="cpu")
    assert checkpoint.load(checkpoint.file_in(tmp_path)).position.step == 3
    assert "stopped after step 3" in heard.notes[-1]
    assert "--resume" in heard.notes[-1]
    assert heard.closed == 1
    assert signal.getsignal(signal.SIGINT) is before


def test_readers_that_end_with_the_training_do_not_hide_why(tmp_path, monkeypatch):
    """A signal to all processes of a training reaches those that read, too."""
    own = Loader.batches

    def batches(self, epoch, start=0):
        yield from islice(own(self, epoch, start), 2)
        signal.raise_signal(signal.SIGINT)
        raise ReaderLost("a process that reads images has ended.")

    monkeypatch.setattr(Loader, "batches", batches)
    heard = Heard()
    with pytest.raises(KeyboardInterrupt):
        fit(tiny_config(), scenes(), None, tmp_path, sinks=[heard], device="cpu")
    assert checkpoint.load(checkpoint.file_in(tmp_path)).position.step == 2
    assert "stopped after step 2" in heard.notes[-1]


def test_ctrl_c_during_validation_leaves_it_due(tmp_path, monkeypatch):
    class Interrupting(Subset):
        def __getitem__(self, index):
            signal.raise_signal(signal.SIGINT)
            return super().__getitem__(index)

    val = scenes(2)
    with pytest.raises(KeyboardInterrupt):
        fit(tiny_config(), scenes(), Interrupting(val, [0, 1]), tmp_path, device="cpu")
    position = checkpoint.load(checkpoint.file_in(tmp_path)).position
    assert (position.step, position.validated) == (2, 0.0)
    heard = Heard()
    fit(tiny_config(), scenes(), val, tmp_path, resume=True, sinks=[heard], device="cpu")
    assert [event.step for event in heard.validations] == [2, 4]


def test_a_full_disk_is_one_sentence_and_leaves_the_checkpoint(tmp_path, monkeypatch):
    def fill():
        def full(descriptor):
            raise OSError(28, "No space left on device")

        monkeypatch.setattr(os, "fsync", full)

    heard = Heard(at=3, then=fill)
    with pytest.raises(OutputError, match="No space left"):
        fit(tiny_config(checkpoint_steps=1), scenes(), scenes(2), tmp_path, sinks=[heard])
    assert checkpoint.load(checkpoint.file_in(tmp_path)).position.step == 2


# -- what never begins ---------------------------------------------------------------------------


def test_a_folder_with_a_run_is_not_overwritten(tmp_path, monkeypatch):
    run(tmp_path / "run", 1)
    (tmp_path / "run" / "config.yaml").unlink()
    (tmp_path / "run" / "best.safetensors").unlink()
    monkeypatch.chdir(tmp_path)
    for out in ("run", tmp_path / "run"):
        with pytest.raises(ConfigError, match="holds a run"):
            fit(tiny_config(), scenes(), scenes(2), out, device="cpu")


def test_a_run_is_not_resumed_with_other_options(tmp_path):
    run(tmp_path, 1)
    before = (tmp_path / "config.yaml").read_text()
    with pytest.raises(ConfigError, match=r"budget\.steps was 1 and is 4"):
        fit(
            tiny_config(checkpoint_steps=2),
            scenes(),
            scenes(2, seed=2),
            tmp_path,
            resume=True,
            device="cpu",
        )
    assert (tmp_path / "config.yaml").read_text() == before


def test_a_run_is_not_resumed_with_other_data(tmp_path):
    run(tmp_path, 1)
    with pytest.raises(DataError, match="annotations of val are not the same"):
        fit(
            tiny_config(budget=BudgetConfig(steps=1)),
            scenes(),
            scenes(2, seed=3),
            tmp_path,
            resume=True,
            device="cpu",
        )


def test_a_training_set_without_objects(tmp_path):
    with pytest.raises(DataError, match="none of its 2 images has any"):
        fit(tiny_config(), Without(scenes(), [0, 1]), scenes(2), tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_a_training_set_without_images(tmp_path):
    with pytest.raises(DataError, match="none of its 0 images"):
        fit(tiny_config(), Subset(scenes(), []), scenes(2), tmp_path)


def test_a_validation_split_without_images(tmp_path):
    with pytest.raises(DataError, match="should have images, but has none"):
        fit(tiny_config(), scenes(), Subset(scenes(), []), tmp_path)


def test_a_validation_split_of_other_classes(tmp_path):
    names = scenes().classes.names
    one = SyntheticScenes(4, size=(64, 64), classes=names[:1])
    with pytest.raises(ClassMismatch, match=f"{names[1]}.*{names[0]}"):
        fit(tiny_config(), one, scenes(2), tmp_path)


def test_a_validation_split_with_its_classes_in_another_order(tmp_path):
    """Classes are matched by name: the measures do not depend on their order."""
    first, second, *_ = scenes().classes.names
    train = SyntheticScenes(4, size=(64, 64), classes=[first, second])
    val = SyntheticScenes(2, size=(64, 64), classes=[first, second], seed=3)
    swapped = Relabelled(val, ClassMap.from_names([second, first]))
    straight = fit(tiny_config(), train, val, tmp_path / "a", device="cpu")
    crossed = fit(tiny_config(), train, swapped, tmp_path / "b", device="cpu")
    assert straight.metrics["segm"] == crossed.metrics["segm"]


def test_a_folder_that_is_a_file(tmp_path):
    (tmp_path / "run").write_text("")
    with pytest.raises(OutputError, match="run cannot be written"):
        fit(tiny_config(), scenes(), scenes(2), tmp_path / "run")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_folder_without_permission(tmp_path):
    tmp_path.chmod(0o500)
    with pytest.raises(OutputError):
        fit(tiny_config(), scenes(), scenes(2), tmp_path / "run")


@pytest.mark.parametrize("device", ["gpu", "cuda:7", ""])
def test_an_unknown_device(tmp_path, device):
    with pytest.raises(ConfigError, match="device should be auto or, on this machine, cpu"):
        fit(tiny_config(), scenes(), scenes(2), tmp_path, device=device)


def test_a_config_built_with_a_wrong_type(tmp_path):
    with pytest.raises(ConfigError, match="option batch_size should be a valid integer"):
        fit(tiny_config(batch_size="8"), scenes(), scenes(2), tmp_path)


def test_half_precision_without_a_gpu(tmp_path):
    with pytest.raises(ConfigError, match="16-mixed needs a CUDA device"):
        fit(tiny_config(precision="16-mixed"), scenes(), scenes(2), tmp_path, device="cpu")


def test_bfloat16_learns_on_a_cpu(tmp_path):
    heard = Heard()
    config = tiny_config(precision="bf16-mixed", budget=BudgetConfig(steps=2))
    fit(config, scenes(), scenes(1), tmp_path, sinks=[heard], device="cpu")
    assert len(heard.steps) == 2
