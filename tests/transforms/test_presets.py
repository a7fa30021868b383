import pickle

import numpy as np
import pytest

from delineate.core.preprocess import Preprocess
from delineate.data.synthetic import SyntheticScenes
from delineate.errors import ConfigError
from delineate.transforms.presets import training

SCENE = SyntheticScenes(1, size=(96, 128), seed=1)[0]
VARIED = training(crop=(64, 48), scale=(0.7, 1.4), flip=0.5, brightness=0.2, saturation=0.2)


def test_nothing_asked_for_is_nothing_done():
    assert training()(SCENE, np.random.default_rng(0)) is SCENE


def test_crops_have_one_size_and_differ():
    samples = [VARIED(SCENE, np.random.default_rng(seed)) for seed in range(8)]
    assert {s.image.shape for s in samples} == {(64, 48, 3)}
    assert len({s.image.tobytes() for s in samples}) == 8
    assert all(s.instances.image_size == (64, 48) for s in samples)


def test_whole_images_stay_whole():
    transform = training(scale=(0.9, 1.1), flip=0.5)
    kept = [transform(SCENE, np.random.default_rng(seed)) for seed in range(8)]
    assert all(len(s.instances) == len(SCENE.instances) for s in kept)
    assert len({s.image.shape for s in kept}) > 1


def test_the_same_generator_state_gives_the_same_sample():
    first, again = (VARIED(SCENE, np.random.default_rng(3)) for _ in range(2))
    np.testing.assert_array_equal(first.image, again.image)
    np.testing.assert_array_equal(first.instances.boxes, again.instances.boxes)


def test_the_models_resize_comes_first():
    transform = training(preprocess=Preprocess(min_size=48, max_size=1000), flip=1.0)
    after = transform(SCENE, np.random.default_rng(0))
    assert after.image.shape == (48, 64, 3)
    flipped = SCENE.image[:, ::-1].mean(axis=(0, 1))
    np.testing.assert_allclose(after.image.mean(axis=(0, 1)), flipped, atol=1)


def test_the_models_contrast_is_that_of_the_whole_picture():
    rule = Preprocess(resize="factor", contrast="stretch")
    crop = training(preprocess=rule, crop=(32, 32))(SCENE, np.random.default_rng(0)).image
    whole = training(preprocess=rule)(SCENE, np.random.default_rng(0)).image
    np.testing.assert_array_equal(whole, rule.expose(SCENE.image))
    windows = np.lib.stride_tricks.sliding_window_view(whole, (32, 32, 3))
    assert (windows == crop).all(axis=(-1, -2, -3)).any()


def test_everything_at_once():
    transform = training(
        preprocess=Preprocess(min_size=150),
        crop=(80, 90),
        scale=(0.5, 2.0),
        flip=0.5,
        vertical_flip=0.5,
        quarter_turns=True,
        rotate=45,
        brightness=0.3,
        contrast=0.3,
        saturation=0.3,
        hue=0.1,
    )
    for seed in range(20):
        after = transform(SCENE, np.random.default_rng(seed))
        assert after.image.shape == (80, 90, 3)
        assert np.all(after.instances.masks.areas > 0)


def test_transforms_can_be_sent_to_workers():
    transform = pickle.loads(pickle.dumps(VARIED))
    after = transform(SCENE, np.random.default_rng(3))
    expected = VARIED(SCENE, np.random.default_rng(3))
    np.testing.assert_array_equal(after.image, expected.image)


def test_a_number_out_of_range_is_said():
    with pytest.raises(ConfigError, match="hue should be"):
        training(hue=2)
