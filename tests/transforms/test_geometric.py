from dataclasses import replace

import numpy as np
import pytest

from delineate.core.geometry import Geometry
from delineate.core.instances import Instances
from delineate.core.masks import Masks
from delineate.core.panoptic import VOID_STUFF
from delineate.core.preprocess import Preprocess
from delineate.data.sample import Sample
from delineate.data.synthetic_panoptic import PanopticScenes
from delineate.errors import ConfigError
from delineate.transforms.geometric import (
    Flip,
    Pad,
    QuarterTurn,
    RandomCrop,
    Resize,
    Rotate,
    ScaleJitter,
    Warp,
)

NOTHING = np.zeros((0, 4), np.float32)


def sample_of(bitmaps, size):
    """Objects are white, the ground is black; image and masks agree exactly."""
    bitmaps = [np.asarray(bitmap, bool) for bitmap in bitmaps]
    masks = Masks.from_bitmaps(bitmaps, size)
    image = np.zeros((*size, 3), np.uint8)
    for bitmap in bitmaps:
        image[bitmap] = 255
    instances = Instances(
        image_size=size, boxes=masks.boxes(), labels=np.arange(len(bitmaps)), masks=masks
    )
    return Sample(image=image, instances=instances, image_id=1, name="a")


def box(size, y0, y1, x0, x1):
    bitmap = np.zeros(size, bool)
    bitmap[y0:y1, x0:x1] = True
    return bitmap


def picture(height, width):
    """Every pixel differs from every other."""
    values = np.arange(height * width, dtype=np.uint8).reshape(height, width)
    bare = sample_of([], (height, width))
    return replace(bare, image=np.repeat(values[..., None], 3, axis=2))


def rng(seed=0):
    return np.random.default_rng(seed)


class Fixed:
    """A step that always proposes the same."""

    def __init__(self, geometry):
        self.geometry = geometry

    def __call__(self, size, boxes, rng):
        return self.geometry


# -- Warp ------------------------------------------------------------------------------------


@pytest.mark.parametrize("steps", [(), (Flip(0.0), Rotate(0.0), Pad((2, 2)))])
def test_what_does_not_move_is_the_very_same_sample(steps):
    before = sample_of([box((5, 6), 1, 3, 1, 3)], (5, 6))
    assert Warp(steps)(before, rng()) is before


def test_steps_that_undo_one_another_cost_nothing():
    before = picture(5, 6)
    assert Warp((Flip(1.0), Flip(1.0)))(before, rng()) is before


def test_image_and_masks_move_together_in_one_interpolation():
    size = (120, 150)
    before = sample_of([box(size, 30, 80, 20, 90), box(size, 90, 110, 100, 140)], size)
    warp = Warp((ScaleJitter(1.5, 1.5), Rotate(30), Flip(1.0), RandomCrop((160, 170))))
    after = warp(before, rng(3))
    assert after.image.shape == (160, 170, 3)
    assert after.instances.image_size == (160, 170)
    inside = after.instances.masks.label_map() > 0
    ground = np.any(after.image != 114, axis=2)
    white = ground & (after.image[..., 0] >= 128)
    assert inside.sum() > 3000
    assert np.count_nonzero(white & inside) / np.count_nonzero(white | inside) > 0.98


def test_a_step_sees_size_and_boxes_where_the_steps_before_have_put_them():
    seen = []

    def spy(size, boxes, rng):
        seen.append((size, boxes.tolist()))
        return Geometry.identity(size)

    before = sample_of([box((10, 20), 1, 3, 2, 6)], (10, 20))
    Warp((spy, Flip(1.0), spy, ScaleJitter(2, 2), spy))(before, rng())
    assert seen == [
        ((10, 20), [[2, 1, 6, 3]]),
        ((10, 20), [[14, 1, 18, 3]]),
        ((20, 40), [[28, 2, 36, 6]]),
    ]


def test_an_object_of_which_too_little_is_left_is_dropped():
    size = (10, 20)
    before = sample_of([box(size, 2, 6, 0, 8), box(size, 7, 9, 12, 16)], size)
    shown = Fixed(Geometry.crop(size, (6, 0, 20, 10)))  # 2 of 8 columns of the first are left
    assert Warp((shown,), min_visible=0.25)(before, rng()).instances.labels.tolist() == [0, 1]
    assert Warp((shown,), min_visible=0.26)(before, rng()).instances.labels.tolist() == [1]


def test_boxes_without_masks_are_cut_off_at_the_picture():
    whole = sample_of([box((10, 20), 2, 6, 0, 8), box((10, 20), 7, 9, 12, 16)], (10, 20))
    before = replace(whole, instances=whole.instances.replace(masks=None))
    after = Warp((Fixed(Geometry.crop((10, 20), (4, 0, 12, 10))),))(before, rng()).instances
    assert after.masks is None
    assert after.boxes.tolist() == [[0, 2, 4, 6]]


def test_the_sample_given_is_not_changed():
    before = sample_of([box((10, 20), 1, 3, 2, 6)], (10, 20))
    image, boxes = before.image.copy(), before.instances.boxes.copy()
    Warp((Flip(1.0), Rotate(20)))(before, rng())
    np.testing.assert_array_equal(before.image, image)
    np.testing.assert_array_equal(before.instances.boxes, boxes)


# -- Flip, QuarterTurn, Rotate ---------------------------------------------------------------


def test_flips_mirror_pixels_exactly():
    before = picture(3, 5)
    flipped = Warp((Flip(1.0),))(before, rng()).image
    np.testing.assert_array_equal(flipped, before.image[:, ::-1])
    upside_down = Warp((Flip(1.0, vertical=True),))(before, rng()).image
    np.testing.assert_array_equal(upside_down, before.image[::-1])


def test_flips_happen_with_their_probability():
    flips = [Flip(0.3)((2, 2), NOTHING, rng(seed)).matrix[0, 0] < 0 for seed in range(1000)]
    assert 250 < sum(flips) < 350


def test_quarter_turns_are_exact_and_all_four_occur():
    before = replace(
        picture(3, 5), instances=sample_of([box((3, 5), 0, 1, 3, 5)], (3, 5)).instances
    )
    turned = set()
    for seed in range(40):
        after = Warp((QuarterTurn(),))(before, rng(seed))
        turns = [k for k in range(4) if np.array_equal(after.image, np.rot90(before.image, k))]
        assert len(turns) == 1
        expected = np.rot90(before.instances.masks.bitmap(0), turns[0])
        np.testing.assert_array_equal(after.instances.masks.bitmap(0), expected)
        turned.add(turns[0])
    assert turned == {0, 1, 2, 3}


def test_turns_and_flips_give_all_eight_positions():
    before = picture(2, 3)
    warp = Warp((QuarterTurn(), Flip(0.5)))
    assert len({warp(before, rng(seed)).image.tobytes() for seed in range(100)}) == 8


def test_rotation_keeps_size_and_centre_and_stays_within_its_angle():
    angles = []
    for seed in range(200):
        geometry = Rotate(30)((40, 60), NOTHING, rng(seed))
        assert geometry.source == geometry.target == (40, 60)
        assert geometry.scale == pytest.approx(1)
        centre, right = geometry.points([[30, 20], [31, 20]])
        np.testing.assert_allclose(centre, [30, 20], atol=1e-9)
        angles.append(np.degrees(np.arctan2(*(right - centre)[::-1])))
    assert -30 <= min(angles) < -27
    assert 27 < max(angles) <= 30


# -- ScaleJitter, Resize, Pad ----------------------------------------------------------------


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


def test_pad_adds_room_at_the_right_and_at_the_bottom():
    before = picture(3, 5)
    after = Warp((Pad((6, 4)),))(before, rng()).image
    assert after.shape == (6, 5, 3)
    np.testing.assert_array_equal(after[:3], before.image)
    assert np.all(after[3:] == 114)


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


def test_one_pixel():
    before = sample_of([np.ones((1, 1))], (1, 1))
    after = Warp((QuarterTurn(), Flip(1.0), RandomCrop((1, 1))))(before, rng(1))
    np.testing.assert_array_equal(after.image, before.image)
    assert after.instances.boxes.tolist() == [[0, 0, 1, 1]]


@pytest.mark.parametrize(
    ("make", "sentence"),
    [
        (lambda: Flip(1.5), "p should be a probability, but is 1.5"),
        (lambda: Rotate(-1), "degrees should be .* but is -1"),
        (lambda: Rotate(float("nan")), "degrees should be .* but is nan"),
        (lambda: ScaleJitter(0, 1), "0 < low <= high"),
        (lambda: ScaleJitter(2, 1), "0 < low <= high"),
        (lambda: RandomCrop((0, 5)), "size should be"),
        (lambda: RandomCrop((5, 5), near_object=-0.1), "near_object should be"),
        (lambda: Pad((5, 0)), "size should be"),
        (lambda: Warp((), min_visible=2), "min_visible should be"),
    ],
)
def test_numbers_out_of_range_are_said(make, sentence):
    with pytest.raises(ConfigError, match=sentence):
        make()


def test_stuff_moves_with_the_picture():
    scenes = PanopticScenes(1, size=(64, 64), seed=3)
    sample = scenes[0]
    steps = (Flip(1.0), ScaleJitter(1.5, 1.5), RandomCrop((80, 120)))
    moved = Warp(steps)(sample, np.random.default_rng(0))
    assert moved.stuff.shape == moved.image.shape[:2] == (80, 120)
    assert (moved.stuff == VOID_STUFF).sum() == 80 * (120 - 96)  # 64 pixels have become 96
    assert set(np.unique(moved.stuff)) == {*np.unique(sample.stuff).tolist(), VOID_STUFF}
    things = np.zeros(moved.stuff.shape, bool)
    for mask in moved.instances.masks.to_dense():
        things |= mask
    differs = (moved.stuff == 0) != things
    assert differs.mean() < 0.02  # edges, and things of which too little is left
    assert Warp(steps)(replace(sample, stuff=None), np.random.default_rng(0)).stuff is None
