import io
import itertools

import cv2
import numpy as np
import pytest
from PIL import Image
from scipy import ndimage

from delineate.core.instances import Instances
from delineate.data.motion import line_kernel
from delineate.data.sample import Sample
from delineate.data.synthetic import SyntheticScenes
from delineate.errors import ConfigError
from delineate.transforms.degradations import (
    Blur,
    Downscale,
    Jpeg,
    MotionBlur,
    Noise,
)
from delineate.transforms.photometric import Gamma
from delineate.transforms.weather import Weather

SCENE = SyntheticScenes(1, size=(96, 128))[0]
NO_SHOT = (0, 0)
ALL = (Blur, MotionBlur, Noise, Jpeg, Downscale, Gamma, Weather)


def rng(seed=0):
    return np.random.default_rng(seed)


def sample(image):
    image = np.asarray(image, np.uint8)
    return Sample(image=image, instances=Instances.empty(image.shape[:2]), image_id=1, name="a")


def flat(level, size=(300, 400)):
    """All of one level, but for one pixel that is not grey."""
    image = np.full((*size, 3), level, np.uint8)
    image[0, 0, 0] ^= 1
    return sample(image)


def after(transform, before, seed=0):
    return transform(before, rng(seed)).image


# -- what holds for all of them ------------------------------------------------------------------


@pytest.mark.parametrize("kind", ALL)
def test_it_happens_with_its_probability(kind):
    noise = sample(rng().integers(0, 256, (16, 16, 3)))
    draws = rng()
    assert all(kind(0.0)(noise, draws) is noise for _ in range(50))
    happened = [kind(0.3)(noise, draws) is not noise for _ in range(600)]
    assert 140 < sum(happened) < 220
    assert all(kind(1.0)(noise, draws) is not noise for _ in range(50))


@pytest.mark.parametrize("kind", ALL)
def test_only_pixels_change_and_chance_comes_from_the_generator(kind):
    before = SCENE.image.copy()
    changed = kind(1.0)(SCENE, rng(3))
    assert changed.image.dtype == np.uint8
    assert changed.image.shape == before.shape
    assert not np.array_equal(changed.image, before)
    np.testing.assert_array_equal(SCENE.image, before)
    assert changed.instances is SCENE.instances
    assert (changed.image_id, changed.name) == (SCENE.image_id, SCENE.name)
    np.testing.assert_array_equal(kind(1.0)(SCENE, rng(3)).image, changed.image)
    assert not np.array_equal(kind(1.0)(SCENE, rng(4)).image, changed.image)


@pytest.mark.parametrize("kind", ALL)
@pytest.mark.parametrize("size", [(1, 1), (1, 40), (40, 1), (2, 3), (33, 57)])
def test_any_size(kind, size):
    before = sample(rng().integers(0, 256, (*size, 3)))
    for seed in range(8):
        assert after(kind(1.0), before, seed).shape == (*size, 3)


@pytest.mark.parametrize(
    ("make", "sentence"),
    [
        *((lambda kind=kind: kind(1.5), "p should be .* from 0 to 1, but is 1.5") for kind in ALL),
        (lambda: Blur(1, (2, 1)), r"sigma .* \(smallest, largest\), from 0, but is \(2, 1\)"),
        (lambda: Blur(1, (-1, 1)), "sigma should be"),
        (lambda: MotionBlur(1, (-1, 1)), "length should be"),
        (lambda: Noise(1, (float("nan"), 1)), "sigma should be"),
        (lambda: Noise(1, gain=(-1, 1)), "gain should be"),
        (lambda: Jpeg(1, (0, 50)), r"quality should be \(smallest, largest\), from 1 to 100"),
        (lambda: Jpeg(1, (50, 101)), "quality should be"),
        (lambda: Downscale(1, (0, 0.5)), "factor should be"),
        (lambda: Downscale(1, (0.5, 2)), "factor should be"),
        (lambda: Gamma(1, (0, 2)), "gamma should be"),
    ],
)
def test_numbers_out_of_range_are_said(make, sentence):
    with pytest.raises(ConfigError, match=sentence):
        make()


# -- blur ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("sigma", [0.5, 1.0, 2.5, 4.0])
def test_blur_is_a_gaussian(sigma):
    exact = ndimage.gaussian_filter(
        SCENE.image.astype(float), (sigma, sigma, 0), mode="mirror", truncate=3
    )
    assert np.abs(after(Blur(1.0, (sigma, sigma)), SCENE) - exact).max() < 1.5


def test_blur_draws_sigma_from_its_range():
    edge = np.zeros((9, 64, 3), np.uint8)
    edge[:, 32:] = 255
    widths = []
    for seed in range(200):
        slope = np.diff(after(Blur(1.0, (1, 3)), sample(edge), seed)[4, :, 0].astype(float)) / 255
        widths.append(np.sqrt(np.sum(slope * (np.arange(63) - 31) ** 2)))
    assert 0.9 < min(widths) < 1.15
    assert 2.7 < max(widths) < 3.1
    assert 1.85 < np.mean(widths) < 2.1


def test_no_blur_at_all():
    np.testing.assert_array_equal(after(Blur(1.0, (0, 0)), SCENE), SCENE.image)
    np.testing.assert_array_equal(after(MotionBlur(1.0, (0, 0)), SCENE), SCENE.image)


@pytest.mark.parametrize("length", [1, 3, 7.5, 20])
@pytest.mark.parametrize("angle", [0, 0.4, np.pi / 4, np.pi / 2, 2.5])
def test_the_kernel_of_a_moving_point_is_its_line(length, angle):
    kernel = line_kernel(length, angle).astype(float)
    assert kernel.shape[0] % 2 == kernel.shape[1] % 2 == 1
    assert kernel.min() >= 0
    assert kernel.sum() == pytest.approx(1, abs=1e-6)
    y, x = (np.arange(side) - side // 2 for side in kernel.shape)
    y, x = np.meshgrid(y, x, indexing="ij")
    along = x * np.cos(angle) + y * np.sin(angle)
    across = y * np.cos(angle) - x * np.sin(angle)
    assert np.sum(kernel * along) == pytest.approx(0, abs=1e-6)
    assert np.sum(kernel * across) == pytest.approx(0, abs=1e-6)
    assert np.sum(kernel * across**2) < 0.26  # pixels are square
    spread = np.sum(kernel * along**2)
    assert length**2 / 12 - 0.02 < spread < length**2 / 12 + 0.1 * length + 0.26
    np.testing.assert_allclose(kernel, kernel[::-1, ::-1], atol=1e-6)  # there and back


def test_motion_spreads_a_point_along_a_line_of_any_direction():
    point = np.zeros((31, 31, 3), np.uint8)
    point[15, 15] = 255
    angles = []
    for seed in range(200):
        streak = after(MotionBlur(1.0, (9, 9)), sample(point), seed)[..., 0].astype(float)
        assert streak.sum() == pytest.approx(255, rel=0.06)
        y, x = np.nonzero(streak > 8)
        angles.append(np.arctan2(*np.linalg.eigh(np.cov(y, x))[1][:, 1]) % np.pi)
    assert np.histogram(angles, 4, (0, np.pi))[0].min() > 25
    flat_after = after(MotionBlur(1.0), flat(77))
    assert np.all(flat_after[9:, 9:] == 77)


# -- noise ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("sigma", [1.0, 4.0, 15.0])
def test_read_noise_has_its_mean_and_deviation(sigma):
    noise = after(Noise(1.0, (sigma, sigma), NO_SHOT), flat(128)).astype(float) - 128
    assert abs(noise.mean()) < 0.005 * sigma + 0.001
    assert noise.std() == pytest.approx(np.sqrt(sigma**2 + 1 / 12), rel=0.01)  # and rounding
    around = [noise[:-1], noise[1:]], [noise[:, :-1], noise[:, 1:]]
    for a, b in (*around, [noise[..., 0], noise[..., 1]]):
        assert abs(np.corrcoef(a.ravel(), b.ravel())[0, 1]) < 0.01
    kurtosis = np.mean(noise**4) / noise.var() ** 2
    assert kurtosis == pytest.approx(3, abs=0.06)


@pytest.mark.parametrize("gain", [0.2, 1.0])
def test_the_variance_of_shot_noise_is_the_level(gain):
    transform = Noise(1.0, (2, 2), (gain, gain))
    for level in (60, 120, 180):
        noise = after(transform, flat(level)).astype(float) - level
        assert abs(noise.mean()) < 0.06
        assert noise.var() == pytest.approx(4 + gain * level + 1 / 12, rel=0.015)


def test_noise_is_cut_at_black_and_white():
    dark = after(Noise(1.0, (10, 10), NO_SHOT), flat(0)).astype(float)
    assert np.mean(dark == 0) == pytest.approx(0.5, abs=0.03)
    assert dark.max() > 30
    light = after(Noise(1.0, (10, 10), NO_SHOT), flat(255))
    assert np.mean(light == 255) == pytest.approx(0.5, abs=0.03)


@pytest.mark.parametrize("gain", [0, 1])
def test_grey_pictures_stay_grey(gain):
    grey = sample(np.full((300, 400, 3), 100, np.uint8))
    noisy = after(Noise(1.0, (5, 5), (gain, gain)), grey)
    np.testing.assert_array_equal(noisy, noisy[..., :1].repeat(3, axis=2))
    assert noisy[..., 0].std() == pytest.approx(np.sqrt(25 + 100 * gain + 1 / 12), rel=0.01)


def test_noise_draws_sigma_from_its_range():
    noise = Noise(1.0, (1, 8), NO_SHOT)
    stds = [after(noise, flat(128, (60, 60)), seed).std() for seed in range(200)]
    assert 0.9 < min(stds) < 1.3
    assert 7.6 < max(stds) < 8.3
    assert 4.1 < np.mean(stds) < 4.9


def test_noise_has_a_photons_share_unless_told_otherwise():
    noise = Noise(1.0, (0, 0))
    gains = [after(noise, flat(128, (60, 60)), seed).var() / 128 for seed in range(200)]
    assert min(gains) < 0.02
    assert 0.18 < max(gains) < 0.22
    assert 0.08 < np.mean(gains) < 0.12


# -- files and pixels ----------------------------------------------------------------------------


@pytest.mark.parametrize("quality", [1, 30, 75, 100])
def test_jpeg_is_a_file_written_and_read(quality):
    _, file = cv2.imencode(".jpg", SCENE.image[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, quality])
    expected = cv2.imdecode(file, cv2.IMREAD_COLOR)[..., ::-1]
    changed = after(Jpeg(1.0, (quality, quality)), SCENE)
    np.testing.assert_array_equal(changed, expected)
    buffer = io.BytesIO()
    Image.fromarray(SCENE.image).save(buffer, "jpeg", quality=quality)
    theirs = np.asarray(Image.open(buffer)).astype(float)
    assert np.abs(changed - theirs).mean() < 1  # colours have not changed places


def test_every_quality_of_the_range_occurs():
    results = {after(Jpeg(1.0, (40, 42)), SCENE, seed).tobytes() for seed in range(60)}
    expected = {after(Jpeg(1.0, (q, q)), SCENE).tobytes() for q in (40, 41, 42)}
    assert len(expected) == 3
    assert results == expected


def test_fewer_pixels_hold_less_detail():
    np.testing.assert_array_equal(after(Downscale(1.0, (1, 1)), SCENE), SCENE.image)
    board = np.zeros((64, 64, 3), np.uint8)
    board[::2, ::2] = board[1::2, 1::2] = 255
    assert np.ptp(after(Downscale(1.0, (0.5, 0.5)), sample(board)).astype(int)) <= 2
    coarse = after(Downscale(1.0, (0.25, 0.25)), SCENE).astype(float)
    fine = after(Downscale(1.0, (0.75, 0.75)), SCENE).astype(float)
    errors = [np.abs(image - SCENE.image).mean() for image in (fine, coarse)]
    assert 0 < errors[0] < errors[1]
    cells = SCENE.image.reshape(24, 4, 32, 4, 3).mean(axis=(1, 3))
    shown = coarse.reshape(24, 4, 32, 4, 3).mean(axis=(1, 3))
    assert np.abs(cells - shown)[1:-1, 1:-1].mean() < 5  # in the same place


# -- gamma ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("gamma", [0.5, 1.0, 2.2])
def test_gamma_is_a_power(gamma):
    levels = np.arange(256).reshape(16, 16, 1).repeat(3, axis=2)
    expected = np.rint(255 * (levels / 255) ** gamma)
    np.testing.assert_array_equal(after(Gamma(1.0, (gamma, gamma)), sample(levels)), expected)


def test_gamma_is_as_often_darker_as_lighter():
    levels = [int(after(Gamma(1.0, (0.5, 2)), flat(128, (1, 1)), s)[0, 0, 0]) for s in range(600)]
    assert 250 < sum(level > 128 for level in levels) < 350
    assert 64 <= min(levels) < 68
    assert 178 < max(levels) <= 181


def test_every_kind_is_another_change():
    changed = [after(kind(1.0), SCENE, 1) for kind in ALL]
    for one, other in itertools.combinations(changed, 2):
        assert not np.array_equal(one, other)
