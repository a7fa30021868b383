"""Preprocessing: by hand, and against torchvision's transform live and as recorded."""

import dataclasses
import json

import numpy as np
import pytest

from delineate.core.preprocess import IMAGENET_MEAN, IMAGENET_STD, Preprocess
from delineate.errors import DataError, ModelError

AS_IT_IS = Preprocess(resize="factor", factor=1.0)


def noise(height, width, seed=0):
    rng = np.random.default_rng(seed)
    return rng.integers(0, 256, (height, width, 3), dtype=np.uint8)


@pytest.fixture
def torch():
    """Return torch on one thread: on several, its kernels round places once more."""
    torch = pytest.importorskip("torch")
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield torch
    torch.set_num_threads(threads)


def torchvision_transform(torch, image, min_size=800, max_size=1333):
    """Return torchvision's padded batch of one image, and its size before padding."""
    detection = pytest.importorskip("torchvision.models.detection.transform")
    transform = detection.GeneralizedRCNNTransform(
        min_size, max_size, list(IMAGENET_MEAN), list(IMAGENET_STD)
    )
    unit = torch.from_numpy(image.transpose(2, 0, 1).copy()).float().div(255)
    images, _ = transform.eval()([unit])
    return images.tensors.numpy(), tuple(images.image_sizes[0])


# -- by hand -----------------------------------------------------------------------------------


def test_normalise_by_hand():
    image = np.array([[[255, 0, 51]]], np.uint8)
    settings = Preprocess(mean=(0.5, 0.25, 0), std=(0.5, 0.25, 2))
    planes = settings.normalise(image)
    assert (planes.shape, planes.dtype) == ((3, 1, 1), np.float32)
    np.testing.assert_allclose(planes.ravel(), [1, -1, 0.1], rtol=1e-6)


def test_bgr_turns_the_channels_and_leaves_mean_and_std_in_their_order():
    image = np.array([[[10, 20, 30]]], np.uint8)
    settings = Preprocess(colour="bgr", scale=1, mean=(1, 2, 3), std=(1, 2, 1))
    assert settings.normalise(image).ravel().tolist() == [29, 9, 7]


def test_views_and_flips_are_read_as_they_look():
    image = noise(6, 8)
    flipped = image[::-1, ::-2]
    np.testing.assert_array_equal(
        AS_IT_IS.normalise(flipped), AS_IT_IS.normalise(np.ascontiguousarray(flipped))
    )


def test_bilinear_between_pixel_centres_by_hand():
    # Two columns 0 and 100 become four, at -0.25, 0.25, 0.75 and 1.25 of the way.
    image = np.repeat(np.array([[[0], [100]]], np.uint8), 3, axis=2)
    settings = Preprocess(resize="factor", factor=2, scale=1, mean=(0, 0, 0), std=(1, 1, 1))
    planes, geometry = settings(image)
    assert planes[1].tolist() == [[0, 25, 75, 100]] * 2
    assert geometry.boxes([[0, 0, 2, 1]]).tolist() == [[0, 0, 4, 2]]


def test_shrinking_does_not_average():
    # From 8 columns to 2, at 1.5 and 5.5: halves of columns 1 and 2, and of 5 and 6.
    image = np.repeat(np.arange(0, 80, 10, dtype=np.uint8)[None, :, None], 3, axis=2)
    image[0, 3] = 255  # between them: an average would see it
    settings = Preprocess(resize="factor", factor=0.25, scale=1, mean=(0, 0, 0), std=(1, 1, 1))
    planes, _ = settings(np.repeat(image, 4, axis=0))
    assert planes[0].tolist() == [[15, 55]]


def test_factor_one_changes_nothing_but_values():
    image = noise(37, 23)
    planes, geometry = AS_IT_IS(image)
    np.testing.assert_array_equal(planes, AS_IT_IS.normalise(image))
    assert geometry.source == geometry.target == (37, 23)


@pytest.mark.parametrize(
    ("size", "expected"),
    [
        ((480, 640), (800, 1066)),  # 1066.67, floored
        ((640, 480), (1066, 800)),
        ((400, 1000), (533, 1333)),  # the long side decides
        ((1, 1), (800, 800)),
        ((1, 4000), (1, 1333)),  # torchvision would make it 0 high
    ],
)
def test_short_side_sizes(size, expected):
    geometry = Preprocess().geometry(size)
    assert (geometry.source, geometry.target) == (size, expected)


def test_batch_pads_right_and_below_to_the_divisor():
    images = [np.full((3, 4, 9), 1, np.float32), np.full((3, 7, 2), 2, np.float32)]
    joined, sizes = Preprocess(divisor=8).batch(images)
    assert (joined.shape, joined.dtype) == ((2, 3, 8, 16), np.float32)
    assert (sizes.dtype, sizes.tolist()) == (np.int64, [[4, 9], [7, 2]])
    expected = np.zeros((2, 3, 8, 16))
    expected[0, :, :4, :9], expected[1, :, :7, :2] = 1, 2
    np.testing.assert_array_equal(joined, expected)


def test_a_batch_already_a_multiple_is_not_padded():
    joined, _ = Preprocess(divisor=4).batch([np.ones((3, 4, 8), np.float32)])
    assert joined.shape == (1, 3, 4, 8)


def test_an_empty_batch_is_refused():
    with pytest.raises(DataError, match="at least one image"):
        Preprocess().batch([])


@pytest.mark.parametrize(
    "image",
    [
        np.zeros((3, 8, 8), np.uint8),
        np.zeros((8, 8), np.uint8),
        np.zeros((8, 8, 3), np.float32),
        np.zeros((0, 8, 3), np.uint8),
    ],
    ids=["chw", "grey", "float", "no rows"],
)
def test_what_is_no_image_is_refused(image):
    with pytest.raises(DataError, match="read it with"):
        Preprocess()(image)
    with pytest.raises(DataError, match="read it with"):
        Preprocess().normalise(image)


# -- against torchvision -------------------------------------------------------------------------


def test_sizes_equal_the_recorded_ones(goldens):
    record = np.load(goldens / "preproc.npz")
    settings = Preprocess()
    for original, expected in zip(
        record["orig_hw"].tolist(), record["tv.resized_hw_padded_hw"].tolist(), strict=True
    ):
        target = settings.geometry(tuple(original)).target
        padded, _ = settings.batch([np.zeros((3, *target), np.float32)])
        assert [*target, *padded.shape[2:]] == expected


def test_the_recorded_picture_is_reproduced(goldens):
    record = np.load(goldens / "preproc.npz")
    settings = Preprocess(min_size=256)
    planes, _ = settings(record["image_rgb_u8"])
    assert list(planes.shape[1:]) == record["tv.resize256_hw"].tolist()
    joined, _ = settings.batch([planes])
    assert list(joined.shape) == record["tv.net_input.shape"].tolist()
    sample = joined.ravel()[:: int(record["tv.net_input.stride"])]
    np.testing.assert_allclose(sample, record["tv.net_input.samp"], rtol=0, atol=3e-6)


RAW = {"scale": 1, "mean": (0, 0, 0), "std": (1, 1, 1), "resample": "pillow"}


@pytest.mark.parametrize(("program", "rounding"), [("detr", "detr"), ("d2", "nearest")])
def test_sizes_equal_those_of_other_programs(goldens, program, rounding):
    record = np.load(goldens / "preproc.npz")
    settings = Preprocess(rounding=rounding)
    ours = [settings.geometry(tuple(size)).target for size in record["orig_hw"].tolist()]
    assert np.array(ours).tolist() == record[f"{program}.resized_hw"].tolist()


@pytest.mark.parametrize(
    ("settings", "recorded"),
    [
        (Preprocess(min_size=256, rounding="detr", **RAW), "detr.resize256_u8"),
        (Preprocess(min_size=96, max_size=130, rounding="detr", **RAW), "detr.resize96_max130_u8"),
        (
            Preprocess(min_size=96, max_size=130, rounding="nearest", colour="bgr", **RAW),
            "d2.resize96_max130_bgr_u8",
        ),
    ],
)
def test_pillow_resizes_as_recorded(goldens, settings, recorded):
    record = np.load(goldens / "preproc.npz")
    planes, _ = settings(record["image_rgb_u8"])
    np.testing.assert_array_equal(planes.transpose(1, 2, 0), record[recorded])


def test_a_square_is_resized_as_yolact_does(goldens):
    record = np.load(goldens / "preproc.npz")
    mean, std = (123.68, 116.78, 103.94), (58.40, 57.12, 57.38)
    settings = Preprocess(resize="square", min_size=550, scale=1, mean=mean, std=std)
    planes, geometry = settings(record["image_rgb_u8"])
    assert geometry.target == (550, 550)
    sample = planes.ravel()[:: int(record["yolact.fast_net_input.stride"])]
    np.testing.assert_allclose(sample, record["yolact.fast_net_input.samp"], rtol=0, atol=3e-6)


@pytest.mark.parametrize(
    "size",
    [(480, 640), (427, 640), (640, 359), (1500, 2100), (601, 1999), (37, 23), (1, 7), (800, 800)],
    ids=lambda size: f"{size[0]}x{size[1]}",
)
def test_equals_torchvision(torch, size):
    image = noise(*size)  # the worst case for any difference in where a pixel is read
    theirs, (height, width) = torchvision_transform(torch, image)
    settings = Preprocess()
    planes, _ = settings(image)
    assert planes.shape == (3, height, width)
    ours, _ = settings.batch([planes])
    assert ours.shape == theirs.shape
    np.testing.assert_allclose(ours, theirs, rtol=0, atol=5e-6)


def test_differs_little_from_torchvision_on_several_threads(torch):
    image = noise(480, 640)
    torch.set_num_threads(2)
    theirs, (height, width) = torchvision_transform(torch, image)
    difference = np.abs(Preprocess()(image)[0] - theirs[0, :, :height, :width])
    assert difference.max() < 5e-4
    assert difference.mean() < 1e-6


def test_normalised_values_are_torchvisions_bit_for_bit(torch):
    image = np.repeat(np.arange(256, dtype=np.uint8)[:, None, None], 3, axis=2).repeat(256, axis=1)
    settings = Preprocess(min_size=256)
    theirs, _ = torchvision_transform(torch, image, min_size=256)
    np.testing.assert_array_equal(settings.normalise(image), theirs[0])


def test_sizes_equal_torchvision_for_any_image(torch):
    rng = np.random.default_rng(0)
    settings = Preprocess(min_size=97, max_size=150)
    for height, width in rng.integers(2, 400, (300, 2)).tolist():
        factor = min(97 / min(height, width), 150 / max(height, width))
        if min(height, width) * factor < 1:
            continue
        theirs = torch.nn.functional.interpolate(
            torch.zeros(1, 1, height, width), scale_factor=factor, recompute_scale_factor=True
        )
        assert settings.geometry((height, width)).target == tuple(theirs.shape[2:])


# -- as JSON -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "settings",
    [
        Preprocess(),
        Preprocess(resize="factor", factor=1.5, divisor=64),
        Preprocess(resize="square", rounding="detr", resample="pillow"),
        Preprocess(colour="bgr", scale=1, mean=(103.53, 116.28, 123.675), std=(1, 1, 1)),
    ],
)
def test_json_and_back(settings):
    text = json.dumps(settings.to_json(), allow_nan=False)
    assert Preprocess.from_json(json.loads(text)) == settings


def test_every_field_is_in_the_json():
    names = {field.name for field in dataclasses.fields(Preprocess)}
    assert set(Preprocess().to_json()) == names


def test_unknown_and_missing_fields_are_refused():
    record = Preprocess().to_json()
    with pytest.raises(ModelError, match=r"no field 'minsize': did you mean .*'min_size'"):
        Preprocess.from_json({**record, "minsize": 3})
    del record["std"]
    with pytest.raises(ModelError, match="must have every field, and std"):
        Preprocess.from_json(record)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("resize", "circle"),
        ("rounding", "ceil"),
        ("resample", "nearest"),
        ("colour", "grey"),
        ("min_size", 0),
        ("min_size", 800.5),
        ("max_size", "1333"),
        ("divisor", True),
        ("factor", 0),
        ("factor", float("nan")),
        ("scale", float("inf")),
        ("mean", [0.5, 0.5]),
        ("mean", 0.5),
        ("mean", [0.5, "0.5", 0.5]),
        ("std", [1, 0, 1]),
        ("std", [1, None, 1]),
    ],
)
def test_wrong_values_are_refused_by_name(name, value):
    with pytest.raises(ModelError, match=f"preprocessing's {name} must be"):
        Preprocess.from_json({**Preprocess().to_json(), name: value})


STRETCHED = Preprocess(resize="factor", factor=1.0, contrast="stretch")


def test_contrast_is_left_alone_unless_asked_for():
    image = noise(20, 30)
    assert AS_IT_IS.expose(image) is image


def test_exposures_of_one_scene_look_alike_to_the_network():
    """A picture at a fifth of the light, over an offset, becomes the same but for its steps."""
    bright = noise(64, 64)
    dark = (bright // 5 + 9).astype(np.uint8)
    first, second = STRETCHED.expose(bright), STRETCHED.expose(dark)
    assert np.abs(first.astype(int) - second).max() <= 2 * 5
    assert dark.max() < 64
    assert (second.min(), second.max()) == (0, 255)


def test_stretching_by_hand():
    """Black leaves one value in 2000 below it, white one in 2000 above, whatever the channel."""
    values = np.repeat(np.array([10, 40, 90, 140, 250], np.uint8), [2, 1000, 990, 7, 1])
    image = np.stack([values] * 3, axis=-1).reshape(20, 100, 3)
    spread = {v: round((v - 10) * 255 / 130) for v in (10, 40, 90, 140)} | {250: 255}
    expected = np.vectorize(spread.get)(image)
    np.testing.assert_array_equal(STRETCHED.expose(image), expected)


@pytest.mark.parametrize(("ground", "thing"), [(240, 120), (20, 200)])
def test_one_small_object_is_not_lost_in_the_noise(ground, thing):
    """An object on 100 of 65 536 pixels decides how far the ground is spread."""
    image = ground + noise(256, 256) % 5 - 2
    image[100:110, 100:110] = thing
    found = STRETCHED.expose(image.astype(np.uint8)).astype(int)
    assert abs(found[105, 105, 0] - np.median(found)) > 200
    assert np.ptp(found[:50]) < 15


def test_pictures_of_any_size_are_counted_whole(monkeypatch):
    image = noise(37, 11)
    whole = STRETCHED.expose(image)
    monkeypatch.setattr("delineate.core.preprocess._COUNTED", 100)
    np.testing.assert_array_equal(STRETCHED.expose(image), whole)


def test_files_from_before_contrast_meant_as_it_is():
    record = Preprocess().to_json()
    del record["contrast"]
    assert Preprocess.from_json(record).contrast == "as_is"


def test_colours_keep_their_balance():
    image = np.zeros((40, 40, 3), np.uint8)
    image[:20] = 100, 50, 0
    np.testing.assert_allclose(STRETCHED.expose(image)[0, 0], [255, 127.5, 0], atol=0.5)


@pytest.mark.parametrize("level", [0, 7, 255])
def test_a_flat_picture_stays_flat_and_noise_is_not_blown_up(level):
    assert len(np.unique(STRETCHED.expose(np.full((8, 8, 3), level, np.uint8)))) == 1
    faint = np.full((8, 8, 3), 100, np.uint8) + noise(8, 8) % 3
    assert np.ptp(STRETCHED.expose(faint)) <= 2 * 255 / 24 + 1


def test_the_network_sees_the_stretched_picture():
    image = noise(30, 20) // 4
    planes, _ = STRETCHED(image)
    np.testing.assert_array_equal(planes, AS_IT_IS(STRETCHED.expose(image))[0])
