import numpy as np
import pytest

from delineate.core.preprocess import Preprocess
from delineate.errors import ConfigError
from delineate.transforms.framing import (
    LargeScaleJitter,
    RandomCrop,
    Resize,
    ScaleJitter,
    ZoomToObject,
)
from delineate.transforms.geometric import Warp
from transform_samples import NOTHING, picture, rng

# -- ScaleJitter, Resize ---------------------------------------------------------------------


def test_zoom_is_log_uniform_between_its_ends():
    draws = rng()
    targets = [ScaleJitter(0.5, 2)((100, 200), NOTHING, draws).target for _ in range(1000)]
    heights = np.array(targets)[:, 0]
    assert heights.min() >= 50
    assert heights.max() <= 200
    assert 0.45 < np.mean(heights < 100) < 0.55
    assert all(abs(w - 2 * h) <= 1 for h, w in targets)


def test_a_picture_never_shrinks_to_nothing():
    assert ScaleJitter(0.1, 0.1)((1, 3), NOTHING, rng()).target == (1, 1)


def test_resize_follows_the_models_own_rule():
    rule = Preprocess(min_size=100, max_size=150)
    geometry = Resize(rule)((50, 100), NOTHING, rng())
    assert geometry.target == rule.geometry((50, 100)).target == (75, 150)


# -- RandomCrop ------------------------------------------------------------------------------


def test_a_crop_copies_pixels():
    before = picture(9, 11)
    places = set()
    for seed in range(200):
        after = Warp((RandomCrop((4, 5)),))(before, rng(seed)).image
        y, x = np.argwhere(before.image[..., 0] == after[0, 0, 0])[0]
        np.testing.assert_array_equal(after, before.image[y : y + 4, x : x + 5])
        places.add((y, x))
    assert {y for y, _ in places} == set(range(6))
    assert {x for _, x in places} == set(range(7))


def test_a_picture_smaller_than_the_crop_lies_somewhere_within_it():
    before = picture(3, 4)
    corners = set()
    for seed in range(100):
        after = Warp((RandomCrop((5, 6)),))(before, rng(seed)).image
        assert after.shape == (5, 6, 3)
        y, x = np.argwhere(after[..., 0] == 0)[0]
        np.testing.assert_array_equal(after[y : y + 3, x : x + 4], before.image)
        assert np.count_nonzero(np.all(after == 114, axis=2)) == 5 * 6 - 3 * 4
        corners.add((y, x))
    assert corners == {(y, x) for y in range(3) for x in range(3)}


def test_a_crop_can_be_wider_and_lower_than_the_picture():
    geometry = RandomCrop((2, 30))((10, 20), NOTHING, rng())
    assert geometry.target == (2, 30)
    assert 0 <= -geometry.matrix[1, 2] <= 8
    assert 0 <= geometry.matrix[0, 2] <= 10


def test_a_crop_near_an_object_holds_its_centre():
    boxes = np.array([[0, 0, 2, 2], [998, 998, 1000, 1000], [300, 500, 310, 520]], np.float32)
    found = set()
    for seed in range(300):
        geometry = RandomCrop((40, 50), near_object=1.0)((1000, 1000), boxes, rng(seed))
        x0, y0 = -geometry.matrix[:, 2]
        assert 0 <= x0 <= 950
        assert 0 <= y0 <= 960
        centres = geometry.points((boxes[:, :2] + boxes[:, 2:]) / 2)
        held = np.all((centres >= 0) & (centres < (50, 40)), axis=1)
        assert held.sum() == 1
        found |= set(np.flatnonzero(held).tolist())
    assert found == {0, 1, 2}


def test_objects_that_a_rotation_pushed_out_do_not_push_the_crop_out():
    boxes = np.array([[-80, 5, -60, 9]], np.float32)
    geometry = RandomCrop((4, 4), near_object=1.0)((10, 20), boxes, rng())
    assert -geometry.matrix[0, 2] == 0


def test_near_no_object_the_crop_is_anywhere():
    starts = [
        -RandomCrop((1, 1), near_object=1.0)((1, 5), NOTHING, rng(s)).matrix[0, 2]
        for s in range(100)
    ]
    assert set(starts) == {0, 1, 2, 3, 4}


# -- LargeScaleJitter ------------------------------------------------------------------------


def factors(step, size=(100, 200), count=2000):
    draws = rng()
    return np.array([step(size, NOTHING, draws).matrix[0, 0] for _ in range(count)])


def test_large_scale_jitter_draws_its_factor_evenly():
    drawn = factors(LargeScaleJitter())
    assert 0.1 <= drawn.min() < 0.11
    assert 1.99 < drawn.max() <= 2
    counts, _ = np.histogram(drawn, bins=10, range=(0.1, 2))
    assert counts.min() > 150  # of 200 each
    assert counts.max() < 250


def test_large_scale_jitter_keeps_the_size_it_is_given_or_finds():
    for seed in range(50):
        fixed = LargeScaleJitter(0.2, 3, size=(64, 48))((100, 200), NOTHING, rng(seed))
        assert (fixed.source, fixed.target) == ((100, 200), (64, 48))
        own = LargeScaleJitter(0.2, 3)((100, 200), NOTHING, rng(seed))
        assert own.target == (100, 200)
        assert own.matrix[0, 0] == pytest.approx(own.matrix[1, 1], rel=0.03)


def test_what_became_smaller_lies_wholly_within_and_what_became_larger_is_covered():
    places = set()
    for seed in range(300):
        geometry = LargeScaleJitter(0.3, 2)((50, 80), NOTHING, rng(seed))
        (x0, y0), (x1, y1) = geometry.points([[0, 0], [80, 50]]).round(6)
        if geometry.matrix[0, 0] < 1:
            assert x0 >= 0
            assert y0 >= 0
            assert x1 <= 80
            assert y1 <= 50
            places.add((x0 > 1, y0 > 1, x1 < 79, y1 < 49))
        else:
            assert max(x0, y0) <= 0
            assert x1 >= 80
            assert y1 >= 50
    assert (True, True, True, True) in places


def test_large_scale_jitter_looks_for_an_object():
    boxes = np.array([[900, 40, 910, 50]], np.float32)
    for seed in range(50):
        step = LargeScaleJitter(1, 2, size=(64, 64), near_object=1.0)
        [x, y] = step((1000, 1000), boxes, rng(seed)).points([[905, 45]])[0]
        assert 0 <= x <= 64
        assert 0 <= y <= 64


# -- ZoomToObject ----------------------------------------------------------------------------


def test_a_zoom_shows_one_object_wholly_at_the_share_drawn():
    boxes = np.array([[10, 10, 20, 15], [400, 300, 430, 390], [790, 590, 800, 600]], np.float32)
    chosen, shares = set(), []
    for seed in range(400):
        geometry = ZoomToObject(1.0, (0.2, 0.5), most=100)((600, 800), boxes, rng(seed))
        assert geometry.target == (600, 800)
        moved = geometry.boxes(boxes)
        held = np.all((moved >= -0.01) & (moved <= (800.01, 600.01, 800.01, 600.01)), axis=1)
        sides = (moved[:, 2:] - moved[:, :2]) / (800, 600)
        [i] = [i for i in np.flatnonzero(held) if 0.19 < sides[i].max() < 0.51]
        chosen.add(i)
        shares.append(sides[i].max())
    assert chosen == {0, 1, 2}
    assert min(shares) < 0.21
    assert max(shares) > 0.48
    assert 0.4 < np.mean(np.array(shares) < np.sqrt(0.1)) < 0.6  # log-uniform


def test_a_zoom_enlarges_within_its_limit_and_never_shrinks():
    tiny, huge = np.array([[50, 50, 51, 51]]), np.array([[5, 5, 95, 95]])
    for seed in range(30):
        near = ZoomToObject(1.0, most=3)((100, 100), tiny, rng(seed))
        assert near.scale == pytest.approx(3)
        whole = ZoomToObject(1.0, (0.1, 0.5))((100, 100), huge, rng(seed))
        assert whole.scale == 1


def test_a_window_too_small_for_the_object_holds_its_middle():
    boxes = np.array([[100, 100, 300, 300]])
    for seed in range(30):
        geometry = ZoomToObject(1.0, size=(50, 60))((400, 400), boxes, rng(seed))
        assert geometry.target == (50, 60)
        [[x, y]] = geometry.points([[200, 200]])
        assert 0 <= x <= 60
        assert 0 <= y <= 50


def test_a_zoom_happens_with_its_probability_and_to_objects_only():
    boxes = np.array([[50, 50, 52, 52]])
    zooms = [ZoomToObject(0.3)((100, 100), boxes, rng(s)).scale > 1 for s in range(1000)]
    assert 250 < sum(zooms) < 350
    assert ZoomToObject(1.0, size=(9, 9))((100, 100), NOTHING, rng()).target == (100, 100)


@pytest.mark.parametrize(
    ("make", "sentence"),
    [
        (lambda: ScaleJitter(0, 1), "0 < low <= high"),
        (lambda: ScaleJitter(2, 1), "0 < low <= high"),
        (lambda: RandomCrop((0, 5)), "size should be"),
        (lambda: RandomCrop((5, 5), near_object=-0.1), "near_object should be"),
        (lambda: LargeScaleJitter(2, 1), "0 < low <= high"),
        (lambda: LargeScaleJitter(size=(0, 4)), "size should be"),
        (lambda: LargeScaleJitter(near_object=2), "near_object should be"),
        (lambda: ZoomToObject(1.5), "p should be a probability, but is 1.5"),
        (lambda: ZoomToObject(fill=(0.5, 1.2)), "fill should be"),
        (lambda: ZoomToObject(most=0.5), "most should be at least 1, but is 0.5"),
        (lambda: ZoomToObject(size=(5, 0)), "size should be"),
    ],
)
def test_numbers_out_of_range_are_said(make, sentence):
    with pytest.raises(ConfigError, match=sentence):
        make()
