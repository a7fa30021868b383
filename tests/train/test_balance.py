"""Rare classes: how often their images are shown, how much they count, and that a run does so."""

import json
from dataclasses import replace

import numpy as np
import pytest
import torch
from tiny_run import scenes, tiny_config

from delineate.core.classes import ClassMap
from delineate.core.preprocess import Preprocess
from delineate.data.derived import Concat
from delineate.data.sampling import count_classes, effective_weights, typical_frequency
from delineate.data.synthetic import SyntheticScenes
from delineate.errors import ConfigError
from delineate.models.mask_rcnn.model import MaskRCNN
from delineate.train.balance import times_shown, weights_of
from delineate.train.checkpoint import Origin
from delineate.train.config import (
    AugmentConfig,
    BudgetConfig,
    DataConfig,
    LossConfig,
    OptimConfig,
    from_yaml,
    to_dict,
    to_yaml,
    with_settings,
)
from delineate.train.folder import saved_config
from delineate.train.loop import fit
from delineate.train.resolve import resolve

COUNTS = [[2, 0, 0], [1, 0, 0], [3, 1, 0], [0, 0, 0]]


class Labelled(SyntheticScenes):
    """Scenes of which each shows as many objects of each class as a table says."""

    def __init__(self, counts, size=(64, 64)):
        super().__init__(len(counts), size=size, classes=("star", "leaf", "ring"))
        self._counts = counts

    def instances(self, index):
        labels = np.repeat(np.arange(3), self._counts[index])
        source = super().instances(index)
        while len(source) < len(labels):  # the same things again, under other names
            source = source[np.arange(2 * len(source)) % len(source)]
        return source[: len(labels)].replace(labels=labels)

    def __getitem__(self, index):
        return replace(super().__getitem__(index), instances=self.instances(index))


def resolved(counts=COUNTS, **changes):
    return resolve(tiny_config(**changes), Labelled(counts), accelerator="cpu")


def balanced(balance, **options):
    return DataConfig(workers=0, balance=balance, **options)


# -- how often images are shown --------------------------------------------------------------------


def test_without_balance_each_image_comes_once():
    assert times_shown(resolved(), Labelled(COUNTS)).tolist() == [1, 1, 1, 1]


def test_repeat_factors_are_those_of_data_stats():
    """Class 0 is in 3 of 4 images, class 1 in 1, so the threshold is 1/2 and a factor 2 ** 0.5."""
    config = resolved(data=balanced("repeat_factor"))
    assert config.data.repeat_threshold == 0.5 == typical_frequency(count_classes(Labelled(COUNTS)))
    np.testing.assert_allclose(times_shown(config, Labelled(COUNTS)), [1, 1, 2**0.5, 1])


def test_a_threshold_that_was_chosen_stays():
    config = resolved(data=balanced("repeat_factor", repeat_threshold=1.0))
    assert config.data.repeat_threshold == 1
    times = times_shown(config, Labelled(COUNTS))
    np.testing.assert_allclose(times, [(4 / 3) ** 0.5] * 2 + [2, 1])


def test_by_class_an_epoch_is_as_long_as_ever():
    """The image without objects keeps its share; the third image is half of what else is shown."""
    times = times_shown(resolved(data=balanced("class_aware")), Labelled(COUNTS))
    np.testing.assert_allclose(times, [0.5, 0.5, 2, 1])


@pytest.mark.parametrize("balance", ["repeat_factor", "class_aware"])
def test_crops_by_area_are_shown_as_often_as_their_image(balance):
    """The first of two equally rare classes has a picture of four crops."""
    options = {"repeat_threshold": 4 / 6} if balance == "repeat_factor" else {}
    sizes = {(128, 128): [[1, 0, 0]], (64, 64): [[0, 1, 0]] + [[0, 0, 1]] * 4}
    data = Concat([Labelled(counts, size) for size, counts in sizes.items()])
    config = tiny_config(
        data=balanced(balance, **options),
        augment=AugmentConfig(crop=64, crops_by_area=True),
        preprocess=Preprocess(resize="factor"),
    )
    times = times_shown(resolve(config, data, accelerator="cpu"), data)
    expected = {"repeat_factor": [8, 2, 1, 1, 1, 1], "class_aware": [3, 3] + [0.75] * 4}
    np.testing.assert_allclose(times, expected[balance])


def test_warm_up_knows_how_long_epochs_with_repetitions_are():
    """An epoch of 20 images and 10 more has 15 batches of two: ten epochs, a tenth of the steps."""
    counts = [[1, 0, 0]] * 10 + [[0, 1, 0]] * 10
    options = {"optim": OptimConfig(), "budget": BudgetConfig(epochs=10)}
    assert resolved(counts, **options).optim.warmup_steps == 10
    data = balanced("repeat_factor", repeat_threshold=1.0)
    longer = resolved(counts, data=data, **options)
    assert longer.optim.warmup_steps == 14  # of 29 samples, rounded up, in 14 whole batches


# -- how much classes count ------------------------------------------------------------------------


def test_effective_weights_are_fitted_and_saved_by_name():
    config = resolved(loss=LossConfig(class_weights="effective", beta=0.9))
    expected = effective_weights([6, 1, 0], 0.9)
    assert list(config.loss.class_weights) == ["star", "leaf", "ring"]
    np.testing.assert_allclose(list(config.loss.class_weights.values()), expected, rtol=1e-3)
    assert from_yaml(to_yaml(config)) == config
    assert resolve(config, Labelled([[1, 1, 1]]), accelerator="cpu") == config


def test_weights_by_label():
    classes = ClassMap.from_names(("a", "b", "c"))
    assert weights_of(LossConfig(), classes) is None
    found = weights_of(LossConfig(class_weights={"c": 2.5, "a": 3.0}), classes)
    assert (found.tolist(), found.dtype) == ([3, 1, 2.5], torch.float32)


def test_weights_for_a_class_that_is_not_there():
    with pytest.raises(
        ConfigError, match=r"loss\.class_weights .* names 'lead': did you mean 'leaf"
    ):
        resolved(loss=LossConfig(class_weights={"lead": 2.0}))


# -- the config ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("setting", "sentence"),
    [
        ("data.balance=class-aware", "data.balance should be 'none', 'repeat_factor' or 'class_aw"),
        ("data.repeat_threshold=0.1", "should be null unless data.balance is repeat_factor"),
        ("data.repeat_threshold=0", "data.repeat_threshold should be greater than 0"),
        ("data.repeat_threshold=1.5", "should be less than or equal to 1"),
        ("loss.class_weights=inverse", "loss.class_weights should be 'none' or 'effective'"),
        ("loss.class_weights={rust: -1}", "loss.class_weights should be .* greater than 0"),
        ("loss.class_weights={rust: much}", "loss.class_weights should be .* a valid number"),
        ("loss.beta=1", "loss.beta should be less than 1"),
        ("loss.weights=none", "unknown option 'loss.weights': did you mean"),
    ],
)
def test_what_is_wrong_is_one_sentence(setting, sentence):
    with pytest.raises(ConfigError, match=sentence) as caught:
        with_settings(tiny_config(), [setting])
    assert "\n" not in str(caught.value)


def test_settings_as_on_a_command_line():
    config = with_settings(
        tiny_config(), ["data.balance=class_aware", "loss.class_weights={rust: 3, 7: 0.5}"]
    )
    assert config.data.balance == "class_aware"
    assert config.loss.class_weights == {"rust": 3, "7": 0.5}
    assert from_yaml(to_yaml(config)) == config


def test_a_run_from_before_there_was_a_balance_goes_on(tmp_path):
    now = Origin.of(resolved(), {"train": scenes()})
    before = to_dict(resolved())
    del before["loss"], before["data"]["balance"], before["data"]["repeat_threshold"]
    Origin(config=before, data=now.data).require_same(now, tmp_path)


def test_a_run_goes_on_with_its_own_balance_only(tmp_path):
    run = Origin.of(resolved(), {"train": scenes()})
    other = Origin.of(resolved(data=balanced("class_aware")), {"train": scenes()})
    with pytest.raises(ConfigError, match=r"data\.balance was 'none' and is 'class_aware'"):
        run.require_same(other, tmp_path)


# -- whole runs ------------------------------------------------------------------------------------


class Heard:
    """A sink that takes notes."""

    def __init__(self):
        self.images, self.epochs, self.notes = [], [], []

    def step(self, event):
        self.images.append(event.images)
        self.epochs.append(event.epoch)

    def validation(self, event):
        pass

    def note(self, text):
        self.notes.append(text)

    def close(self):
        pass


@pytest.mark.parametrize(
    ("options", "images", "said"),
    [
        ({}, [2, 2, 1], "5 images, "),
        (
            {"balance": "repeat_factor", "repeat_threshold": 0.6},
            [2, 2, 2],
            "5 images in 6 samples an epoch, rare classes repeated, ",
        ),
        ({"balance": "class_aware"}, [2, 2, 1], "5 images in 5 samples an epoch, by class, "),
        (
            {"balance": "class_aware", "synthetic": 0.5},
            [2] * 5,
            "5 images in 10 samples an epoch, by class, 50% of them made, ",
        ),
    ],
    ids=["none", "repeated", "by class", "by class, and made ones"],
)
def test_an_epoch_is_told_and_is_as_long(tmp_path, options, images, said):
    """One of five images shows the rare class: at a threshold of 0.6 it comes 3 ** 0.5 times."""
    heard, rare = Heard(), [[1, 0, 0]] * 4 + [[0, 1, 0]]
    config = tiny_config(data=DataConfig(workers=0, **options), budget=BudgetConfig(epochs=1))
    fit(config, Labelled(rare), Labelled([[1, 0, 0]]), tmp_path, sinks=[heard], device="cpu")
    assert (heard.images, set(heard.epochs)) == (images, {0})
    first = heard.notes["synthetic" in options]  # before it, that it learns how to make others
    assert first.startswith(f"training: {said}")


def test_class_weights_reach_the_loss_and_the_folder(tmp_path, monkeypatch):
    real, seen = MaskRCNN.losses, []

    def losses(self, images, sizes, targets, class_weights):
        seen.append(class_weights.tolist())
        return real(self, images, sizes, targets, class_weights)

    monkeypatch.setattr(MaskRCNN, "losses", losses)
    config = tiny_config(loss=LossConfig(class_weights="effective"), budget=BudgetConfig(steps=1))
    result = fit(config, Labelled(COUNTS), Labelled([[1, 0, 0]]), tmp_path, device="cpu")
    saved = saved_config(tmp_path)
    np.testing.assert_allclose(seen, [list(saved.loss.class_weights.values())], rtol=1e-6)
    assert "class_weights" not in json.dumps(result.metrics)
