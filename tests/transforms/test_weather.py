import numpy as np
import pytest

from delineate.core.instances import Instances
from delineate.data.sample import Sample
from delineate.data.synthetic import SyntheticScenes
from delineate.errors import ConfigError
from delineate.transforms.weather import WEATHER, Weather, fog, glare, rain, shadow, snow

SCENE = SyntheticScenes(1, size=(192, 256))[0].image
BLACK = np.zeros((240, 320, 3), np.uint8)
SEEDS = range(12)


def rng(seed):
    return np.random.default_rng(seed)


def edges(image):
    """Mean contrast between neighbours."""
    return np.abs(np.diff(image.astype(float), axis=1)).mean()


@pytest.mark.parametrize("kind", WEATHER)
@pytest.mark.parametrize("size", [(1, 1), (1, 64), (64, 1), (5, 3), (200, 90), (600, 800)])
def test_any_size_and_the_same_from_the_same_generator(kind, size):
    image = rng(0).integers(0, 256, (*size, 3), dtype=np.uint8)
    before = image.copy()
    for seed in range(3):
        painted = WEATHER[kind](image, rng(seed))
        assert painted.shape == image.shape
        assert painted.dtype == np.uint8
        np.testing.assert_array_equal(painted, WEATHER[kind](image, rng(seed)))
    np.testing.assert_array_equal(image, before)


@pytest.mark.parametrize("kind", WEATHER)
def test_it_differs_each_time_and_the_picture_can_still_be_seen(kind):
    painted = [WEATHER[kind](SCENE, rng(seed)) for seed in SEEDS]
    assert len({image.tobytes() for image in painted}) == len(SEEDS)
    for image in painted:
        assert np.corrcoef(image.ravel(), SCENE.ravel())[0, 1] > 0.4
        assert edges(image) > 0.15 * edges(SCENE)


def test_fog_takes_contrast_and_is_uneven():
    for seed in SEEDS:
        foggy = fog(SCENE, rng(seed))
        assert edges(foggy) < 0.85 * edges(SCENE)
        assert foggy.std() < SCENE.std()
        veil = fog(BLACK, rng(seed)).astype(float)
        assert 20 < veil.mean() < 200
        assert np.ptp(veil[..., 1]) > 10
        assert np.abs(np.diff(veil, axis=0)).max() <= 5  # but smooth
        assert np.abs(np.diff(veil, axis=1)).max() <= 5


def test_fog_is_never_less_than_none():
    grey = np.full((64, 64, 3), 120, np.uint8)
    assert min(fog(grey, rng(seed)).min() for seed in range(400)) >= 120


def test_rain_falls_in_thin_steep_streaks():
    for seed in SEEDS:
        wet = rain(BLACK, rng(seed))[..., 0].astype(float)
        streaks = wet > np.median(wet) + 5
        assert 0.005 < streaks.mean() < 0.25
        along = np.count_nonzero(streaks[1:] & streaks[:-1])
        beside = np.count_nonzero(streaks[:, 1:] & streaks[:, :-1])
        assert along > 1.15 * beside
        assert np.median(wet) < 40  # it is a little duller


def test_snow_is_white_spots_in_a_light_haze():
    for seed in SEEDS:
        white = snow(BLACK, rng(seed))[..., 0].astype(float)
        assert 0.002 < np.mean(white > 150) < 0.12
        assert 8 < np.median(white) < 60


def test_shadow_never_lightens_and_has_a_lit_side():
    shares = []
    for seed in SEEDS:
        dark = shadow(SCENE, rng(seed)).astype(int)
        assert np.all(dark <= SCENE)
        shares.append(np.mean(dark[..., 1] < 0.9 * SCENE[..., 1]))
        white = shadow(np.full_like(SCENE, 200), rng(seed))
        assert white.min() > 60
        assert np.all(white[..., 2] >= white[..., 0])  # the sky's light is blue
    assert 0.1 < np.mean(shares) < 0.7
    assert sum(share > 0.02 for share in shares) > 8


def test_glare_only_lightens_and_most_where_the_sun_is():
    for seed in SEEDS:
        light = glare(SCENE, rng(seed)).astype(int)
        assert np.all(light >= np.minimum(SCENE, 230) - 1)
        veil = glare(BLACK, rng(seed)).astype(float)[..., 0]
        assert veil.max() > 3 * veil.min()
        assert veil.max() > 120
        assert np.all(glare(BLACK, rng(seed))[..., 2] <= veil)  # and warm


def test_kinds_are_drawn_evenly():
    sample = Sample(image=BLACK, instances=Instances.empty(BLACK.shape[:2]), image_id=1, name="a")
    chosen = []
    for seed in range(300):
        draws = rng(seed)
        draws.random()
        chosen.append(("snow", "glare")[draws.integers(2)])
        if seed < 20:
            painted = Weather(1.0, ("snow", "glare"))(sample, rng(seed)).image
            np.testing.assert_array_equal(painted, WEATHER[chosen[-1]](BLACK, draws))
    assert 120 < chosen.count("snow") < 180


@pytest.mark.parametrize(
    ("kinds", "sentence"),
    [
        ((), "kinds should be at least one kind of weather"),
        (("fog", "rian"), "should be a kind of weather .*did you mean 'rain'.* but is 'rian'"),
    ],
)
def test_weather_that_is_none_is_said(kinds, sentence):
    with pytest.raises(ConfigError, match=sentence):
        Weather(1.0, kinds)
