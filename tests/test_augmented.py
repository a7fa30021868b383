"""The sheet that shows what augmentation makes of pictures."""

from dataclasses import replace

import numpy as np
import pytest
from tiny_run import scenes, tiny_config

from delineate.data.derived import Subset
from delineate.data.synthetic import SyntheticScenes
from delineate.errors import ConfigError, DataError
from delineate.jobs import augmented
from delineate.jobs.augmented import augmented_sheet
from delineate.train.feed import feed
from delineate.train.resolve import resolve
from delineate.transforms.augment import AugmentConfig
from delineate.transforms.presets import PRESETS


@pytest.fixture
def drawn(monkeypatch):
    """Images and instances in the order in which they are drawn."""
    seen = []

    def overlay(image, instances, classes):
        seen.append((image, instances))
        return image

    monkeypatch.setattr(augmented, "overlay", overlay)
    return seen


@pytest.fixture
def captions(monkeypatch):
    seen = []

    def sheet(pictures, captions, columns, *, cell):
        seen.extend(captions)
        return np.zeros((1, columns, 3), np.uint8)

    monkeypatch.setattr(augmented, "sheet", sheet)
    return seen


def test_a_sheet_is_a_picture_of_rows_and_columns():
    made = augmented_sheet(scenes(), "strong", images=2, versions=3, cell=60)
    assert made.dtype == np.uint8
    assert made.shape[2] == 3
    assert made.shape[1] == 4 * 63 + 3
    assert 2 * 60 < made.shape[0] < 2 * 75


@pytest.mark.parametrize("by_area", [False, True])
def test_versions_are_the_samples_of_a_training(drawn, by_area):
    data = SyntheticScenes(5, size=(100, 80), seed=4, objects=(2, 4))
    options = AugmentConfig(crop=48, crops_by_area=by_area, rotate=20, zoom=0.2, copy_paste=0.8)
    config = resolve(tiny_config(augment=options, seed=7), data, accelerator="cpu")
    augmented_sheet(
        data, config.augment, preprocess=config.preprocess, seed=7, images=3, versions=2
    )
    config = replace(config, batch_size=1)
    loader = feed(config, data)
    per_image = loader.samples_per_epoch // len(data)
    assert (per_image > 1) == by_area
    expected = []
    for index in (0, 2, 4):
        expected.append(data[index])
        for epoch in range(2):
            place = [int(batch[0]) for batch in loader._plan(epoch)[1]].index(index * per_image)
            expected += next(loader.batches(epoch, place))
    assert len(drawn) == len(expected) == 9
    for (image, instances), sample in zip(drawn, expected, strict=True):
        np.testing.assert_array_equal(image, sample.image)
        np.testing.assert_array_equal(instances.boxes, sample.instances.boxes)


def test_a_preset_is_that_of_the_family_on_whole_pictures(drawn):
    data = scenes()
    augmented_sheet(data, "strong", family="yolact", seed=3, images=1, versions=2)
    by_name = [image for image, _ in drawn]
    drawn.clear()
    options = replace(PRESETS["yolact"]["strong"], crop=None)
    augmented_sheet(data, options, seed=3, images=1, versions=2)
    for image, (same, _) in zip(by_name, drawn, strict=True):
        np.testing.assert_array_equal(image, same)
    assert {image.shape for image in by_name} == {(64, 64, 3)}


def test_seeds_differ(drawn):
    for seed in (0, 1):
        augmented_sheet(scenes(), "standard", seed=seed, images=1, versions=1)
    np.testing.assert_array_equal(drawn[0][0], drawn[2][0])
    assert not np.array_equal(drawn[1][0], drawn[3][0])


def test_pictures_are_taken_from_all_over_and_none_twice(captions):
    data = scenes(6)
    names = [record.name for record in data.records]
    made = augmented_sheet(data, "none", images=3, versions=1)
    assert made.shape[1] == 2
    count = len(data.instances(0))
    assert captions[0] == f"{count} objects, 64 x 64: {names[0]}"
    assert captions[1] == f"epoch 0: {count} objects, 64 x 64"
    assert [c.split(": ")[1] for c in captions[::2]] == [names[0], names[2], names[5]]
    captions.clear()
    augmented_sheet(data, "none", images=99, versions=0)
    assert [c.split(": ")[1] for c in captions] == names


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"images": 0}, "images should be at least 1, but is 0"),
        ({"versions": -1}, "versions should be at least 0, but is -1"),
        ({"seed": -1}, "seed should be at least 0, but is -1"),
    ],
)
def test_numbers_that_make_no_sense_are_said(options, sentence):
    with pytest.raises(ConfigError, match=sentence):
        augmented_sheet(scenes(), "none", **options)


def test_what_cannot_be_shown_is_said():
    with pytest.raises(ConfigError, match="unknown augmentation 'heavy'"):
        augmented_sheet(scenes(), "heavy")
    with pytest.raises(ConfigError, match=r"augment\.crop .* is auto"):
        augmented_sheet(scenes(), AugmentConfig())
    with pytest.raises(DataError, match="expected pictures to show, got none"):
        augmented_sheet(Subset(scenes(), []), "none")
