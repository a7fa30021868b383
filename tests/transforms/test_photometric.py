from dataclasses import replace

import numpy as np
import pytest

from delineate.core.instances import Instances
from delineate.data.sample import Sample
from delineate.errors import ConfigError
from delineate.transforms.photometric import Colour, colour_matrix


def sample(pixels):
    image = np.asarray(pixels, np.uint8).reshape(1, -1, 3)
    return Sample(image=image, instances=Instances.empty(image.shape[:2]), image_id=1, name="a")


def changed(pixel, *, mean=0.0, **changes):
    changes = {"brightness": 0, "contrast": 0, "saturation": 0, "hue": 0, **changes}
    return colour_matrix(**changes, mean=mean) @ np.array([*pixel, 1.0])


NOISE = sample(np.random.default_rng(0).integers(0, 256, (500, 3)))


def test_no_change_is_the_identity():
    np.testing.assert_allclose(changed((10, 20, 200)), (10, 20, 200), atol=1e-4)
    assert Colour()(NOISE, np.random.default_rng(0)) is NOISE


def test_brightness_multiplies():
    np.testing.assert_allclose(changed((10, 20, 200), brightness=0.5), (15, 30, 300), rtol=1e-5)


def test_contrast_spreads_values_around_the_mean():
    np.testing.assert_allclose(
        changed((90, 100, 130), contrast=0.5, mean=100), (85, 100, 145), rtol=1e-5
    )
    np.testing.assert_allclose(
        changed((10, 20, 200), contrast=-1, mean=77), (77, 77, 77), rtol=1e-5
    )


def test_brightness_comes_after_contrast():
    both = changed((90, 100, 130), contrast=0.5, brightness=0.1, mean=100)
    np.testing.assert_allclose(both, (93.5, 110, 159.5), rtol=1e-5)


def test_no_saturation_is_the_luma():
    luma = 0.299 * 10 + 0.587 * 20 + 0.114 * 200
    np.testing.assert_allclose(changed((10, 20, 200), saturation=-1), [luma] * 3, rtol=1e-3)


def test_saturation_moves_away_from_the_luma():
    luma = 0.299 * 10 + 0.587 * 20 + 0.114 * 200
    expected = luma + 1.5 * (np.array([10, 20, 200]) - luma)
    np.testing.assert_allclose(
        changed((10, 20, 200), saturation=0.5), expected, rtol=1e-3, atol=0.1
    )


@pytest.mark.parametrize("hue", [0.1, -0.3, 0.5])
def test_hue_keeps_luma_and_greys(hue):
    np.testing.assert_allclose(changed((50, 50, 50), hue=hue), (50, 50, 50), atol=0.05)
    turned = changed((100, 40, 60), hue=hue)
    weights = np.array([0.299, 0.587, 0.114])
    assert weights @ turned == pytest.approx(weights @ (100, 40, 60), abs=0.05)
    assert np.abs(turned - (100, 40, 60)).max() > 10


def test_hue_turns_add_up_to_a_circle():
    half = changed((100, 40, 60), hue=0.5)
    np.testing.assert_allclose(changed(half, hue=0.5), (100, 40, 60), atol=1e-3)
    np.testing.assert_allclose(changed((100, 40, 60), hue=1), (100, 40, 60), atol=1e-3)


def test_pixels_follow_the_matrix_and_are_cut_off_at_the_ends():
    colour = Colour(brightness=1, contrast=0.5, saturation=0.5, hue=0.1)
    clipped = 0
    for seed in range(20):
        after = colour(NOISE, np.random.default_rng(seed)).image.astype(float)
        draws = np.random.default_rng(seed).uniform(-1, 1, 4) * (1, 0.5, 0.5, 0.1)
        pixels = NOISE.image.reshape(-1, 3).astype(float)
        matrix = colour_matrix(*draws, mean=float((pixels @ [0.299, 0.587, 0.114]).mean()))
        exact = (pixels @ matrix[:, :3].T + matrix[:, 3]).clip(0, 255)
        assert np.abs(after.reshape(-1, 3) - exact).max() < 1  # OpenCV's fixed point
        clipped += np.count_nonzero(after == 255)
    assert clipped > 0


def test_only_the_image_changes():
    before = NOISE.image.copy()
    after = Colour(brightness=0.5)(NOISE, np.random.default_rng(0))
    assert after.instances is NOISE.instances
    assert after.image.dtype == np.uint8
    assert not np.array_equal(after.image, before)
    np.testing.assert_array_equal(NOISE.image, before)
    assert replace(after, image=before).image_id == NOISE.image_id


@pytest.mark.parametrize(
    ("option", "value"),
    [("brightness", -0.1), ("contrast", 1.1), ("saturation", float("nan")), ("hue", 0.6)],
)
def test_numbers_out_of_range_are_said(option, value):
    with pytest.raises(ConfigError, match=f"{option} should be from 0 to .* but is {value}"):
        Colour(**{option: value})
