from dataclasses import replace

import numpy as np
import pytest

from delineate.core.geometry import Geometry
from delineate.core.panoptic import VOID_STUFF
from delineate.data.synthetic_panoptic import PanopticScenes
from delineate.errors import ConfigError
from delineate.transforms.framing import RandomCrop, ScaleJitter
from delineate.transforms.geometric import (
    Flip,
    Perspective,
    QuarterTurn,
    Rotate,
    Shear,
    Translate,
    Warp,
)
from transform_samples import NOTHING, box, picture, rng, sample_of


class Fixed:
    """A step that always proposes the same."""

    def __init__(self, geometry):
        self.geometry = geometry

    def __call__(self, size, boxes, rng):
        return self.geometry


# -- Warp ------------------------------------------------------------------------------------


@pytest.mark.parametrize("steps", [(), (Flip(0.0), Rotate(0.0), ScaleJitter(1, 1))])
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


# -- Shear, Perspective, Translate -----------------------------------------------------------


def test_a_shear_slants_both_axes_about_the_centre_and_keeps_areas():
    slants = []
    for seed in range(200):
        geometry = Shear(20)((40, 60), NOTHING, rng(seed))
        assert geometry.source == geometry.target == (40, 60)
        assert geometry.scale == pytest.approx(1)
        centre, right, below = geometry.points([[30, 20], [31, 20], [30, 21]])
        np.testing.assert_allclose(centre, [30, 20], atol=1e-9)
        along_y, along_x = (right - centre)[1], (below - centre)[0]
        assert right[0] - centre[0] == pytest.approx(1)
        slants.append(np.degrees(np.arctan([along_x, along_y])))
    for angles in np.transpose(slants):
        assert -20 <= angles.min() < -18
        assert 18 < angles.max() <= 20
        assert abs(np.mean(angles)) < 2.5
    assert abs(np.corrcoef(np.transpose(slants))[0, 1]) < 0.25


def test_a_perspective_moves_each_corner_by_shares_of_the_sides():
    frame = np.array([[0, 0], [60, 0], [60, 40], [0, 40]])
    shares = []
    for seed in range(300):
        geometry = Perspective(0.1)((40, 60), NOTHING, rng(seed))
        assert geometry.source == geometry.target == (40, 60)
        shares.append((geometry.points(frame) - frame) / (60, 40))
    shares = np.array(shares)
    assert np.all(shares.min(axis=0) < -0.095)
    assert np.all(shares.max(axis=0) > 0.095)
    assert np.abs(shares).max() <= 0.1 + 1e-9
    assert np.all(np.abs(shares.mean(axis=0)) < 0.012)


def test_the_strongest_perspective_is_one():
    for seed in range(2000):
        geometry = Perspective(0.2)((40, 60), NOTHING, rng(seed))
        assert np.isfinite(geometry.points([[0, 0], [60, 0], [60, 40], [0, 40]])).all()


@pytest.mark.parametrize("step", [Shear(0.0), Perspective(0.0), Translate(0.0), Rotate(0.0)])
def test_no_strength_leaves_the_very_same_sample(step):
    before = sample_of([box((5, 6), 1, 3, 1, 3)], (5, 6))
    assert Warp((step,))(before, rng()) is before


def test_a_translation_copies_pixels_within_its_share():
    before, seen = picture(20, 40), set()
    for seed in range(300):
        geometry = Translate(0.1)((20, 40), NOTHING, rng(seed))
        x, y = geometry.matrix[:, 2].astype(int).tolist()
        seen.add((x, y))
        after = Warp((Fixed(geometry),))(before, rng()).image
        padded = np.pad(before.image, ((9, 9), (9, 9), (0, 0)), constant_values=114)
        np.testing.assert_array_equal(after, padded[9 - y : 29 - y, 9 - x : 49 - x])
    assert {x for x, _ in seen} == set(range(-4, 5))
    assert {y for _, y in seen} == set(range(-2, 3))


@pytest.mark.parametrize("step", [Rotate(180), Shear(30), Perspective(0.15)])
def test_image_masks_boxes_and_stuff_move_together(step):
    size = (90, 110)
    whole = sample_of([box(size, 20, 60, 25, 70), box(size, 65, 85, 60, 100)], size)
    stuff = np.where(whole.image[..., 0] > 0, 0, 3).astype(np.uint8)
    before = replace(whole, stuff=stuff)
    for seed in range(12):
        after = Warp((step,), min_visible=0.0)(before, rng(seed))
        masks = after.instances.masks
        inside = masks.label_map() > 0
        outside = np.all(after.image == 114, axis=2)
        white = (after.image[..., 0] >= 128) & ~outside
        assert np.count_nonzero(white & inside) / np.count_nonzero(white | inside) > 0.96
        np.testing.assert_array_equal(after.instances.boxes, masks.boxes())
        assert ((after.stuff == 0) != inside).mean() < 0.02
        assert (after.stuff[outside] == VOID_STUFF).mean() > 0.9
        assert set(np.unique(after.stuff)) <= {0, 3, VOID_STUFF}


@pytest.mark.parametrize("step", [Rotate(180), Shear(30), Perspective(0.15)])
def test_objects_go_by_the_share_that_stays_and_crowds_with_their_last_pixel(step):
    size = (60, 60)
    corner = sample_of([box(size, 0, 20, 0, 30), box(size, 25, 35, 25, 35)], size)
    as_crowd = corner.instances.replace(crowd=[True, False])
    dropped = cut = 0
    for seed in range(40):
        geometry = step(size, NOTHING, rng(seed))
        room = geometry.then(Geometry.crop(size, (-60, -60, 120, 120)))
        moved = corner.instances.masks.warp(room).to_dense()[0]
        share = moved[60:120, 60:120].sum() / moved.sum()
        if 0.0 < share < 0.98:
            cut += 1
            for limit, stays in ((share - 0.02, True), (share + 0.02, False)):
                warp = Warp((Fixed(geometry),), min_visible=max(limit, 0))
                after = warp(corner, rng()).instances
                assert (0 in after.labels) == stays
                dropped += not stays
            crowded = Warp((Fixed(geometry),), 1.0)(replace(corner, instances=as_crowd), rng())
            assert 0 in crowded.instances.labels
    assert cut > 10
    assert dropped > 10


# -- all of them ------------------------------------------------------------------------------


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
        (lambda: Shear(46), "degrees should be an angle from 0 to 45, but is 46"),
        (lambda: Perspective(0.25), "strength should be a share from 0 to 0.2, but is 0.25"),
        (lambda: Perspective(float("nan")), "strength should be .* but is nan"),
        (lambda: Translate(-0.1), "share should be a share from 0 to 1, but is -0.1"),
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
