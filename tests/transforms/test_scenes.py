from dataclasses import replace

import numpy as np
import pytest

from delineate.core.panoptic import VOID_STUFF
from delineate.data.synthetic import SyntheticScenes
from delineate.errors import ConfigError
from delineate.transforms.base import Compose
from delineate.transforms.copy_paste import CopyPaste
from delineate.transforms.scenes import MixUp, Mosaic, scenes
from transforms.random_samples import no_others, random_sample, tight_box

FILL = 114


class Counted:
    """Others, each another sample: of source 2, 3, 4."""

    def __init__(self, rng, sizes=((40, 50),), **options):
        self.samples = [
            random_sample(rng, 2 + i, size=sizes[i % len(sizes)], **options) for i in range(3)
        ]
        self.drawn = 0

    def __call__(self, rng):
        self.drawn += 1
        return self.samples[self.drawn - 1]


def seen_from(sample, after):
    """Which pixels of a result come from a sample, and the sample's masks as these show them."""
    here = after.image[..., 2] == sample.image_id
    rows, columns = after.image[here][:, 0], after.image[here][:, 1]
    whole = sample.instances.masks.to_dense()
    shown = np.zeros((len(whole), *here.shape), bool)
    shown[:, here] = whole[:, rows, columns]
    return here, whole, shown


# -- mosaic --------------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(60))
def test_a_mosaic_is_four_windows_and_what_they_show(seed):
    rng = np.random.default_rng(seed)
    sizes = [((40, 50),), ((60, 30), (25, 90), (90, 95))][seed % 2]
    own, others = random_sample(rng, 1), Counted(rng, sizes)
    min_visible = float(rng.choice([0, 0.25, 0.8]))
    after = Mosaic(1.0, min_visible=min_visible)(own, np.random.default_rng(seed), others)
    assert others.drawn == 3
    assert after.image.shape == own.image.shape
    assert (after.image_id, after.name, after.instances.ids) == (1, "1", None)

    expected = {}
    for sample in (own, *others.samples):
        _, whole, shown = seen_from(sample, after)
        for i, label in enumerate(sample.instances.labels.tolist()):
            enough = sample.instances.crowd[i] or shown[i].sum() >= min_visible * whole[i].sum()
            if shown[i].any() and enough:
                expected[label] = shown[i], sample.instances.crowd[i]
    assert after.instances.labels.tolist() == list(expected)
    dense = after.instances.masks.to_dense()
    for i, (bitmap, crowd) in enumerate(expected.values()):
        np.testing.assert_array_equal(dense[i], bitmap)
        assert after.instances.boxes[i].tolist() == tight_box(bitmap)
        assert after.instances.crowd[i] == crowd


@pytest.mark.parametrize("seed", range(30))
def test_the_four_meet_in_one_point_and_pixels_are_copied_in_whole_steps(seed):
    rng = np.random.default_rng(seed)
    own, others = random_sample(rng, 1), Counted(rng, ((60, 30), (25, 90), (40, 50)))
    after = Mosaic(1.0, centre=(0.2, 0.6))(own, rng, others)
    source = after.image[..., 2]
    y, x = (1 + np.flatnonzero((source == 1).any(axis=axis)).max() for axis in (1, 0))
    assert 8 <= y <= 24
    assert 10 <= x <= 30
    quarters = (np.s_[:y, :x], np.s_[:y, x:], np.s_[y:, :x], np.s_[y:, x:])
    for number, (quarter, sample) in enumerate(
        zip(quarters, (own, *others.samples), strict=True), start=1
    ):
        part = after.image[quarter]
        filled = np.all(part == FILL, axis=2)
        assert np.all(part[~filled][:, 2] == number)
        steps = part[..., :2].astype(int) - np.moveaxis(np.mgrid[: len(part), : len(part[0])], 0, 2)
        assert len(np.unique(steps[~filled], axis=0)) == 1
        height, width = sample.instances.image_size
        most = min(height, len(part)) * min(width, len(part[0]))
        assert np.count_nonzero(~filled) == most  # as much of the sample as there is room for
        shown = sample.stuff[part[..., 0] % height, part[..., 1] % width]
        stuff = np.where(filled, VOID_STUFF, shown)
        np.testing.assert_array_equal(after.stuff[quarter], stuff)


def test_the_middle_is_everywhere_in_its_range():
    rng = np.random.default_rng(0)
    own, meetings = random_sample(rng, 1, objects=0, crowd=False), []
    for _ in range(300):
        after = Mosaic(1.0, centre=(0.0, 1.0))(own, rng, Counted(rng, objects=0, crowd=False))
        mine = after.image[..., 2] == 1
        meetings.append((mine.any(axis=1).sum(), mine.any(axis=0).sum()))
    low, high = np.min(meetings, axis=0), np.max(meetings, axis=0)
    assert low.tolist() == [1, 1]  # each of the four always has a pixel
    assert high.tolist() == [39, 49]


def test_without_stuff_in_one_there_is_none():
    rng = np.random.default_rng(0)
    own, others = random_sample(rng, 1), Counted(rng)
    others.samples[2] = replace(others.samples[2], stuff=None)
    assert Mosaic(1.0)(own, rng, others).stuff is None
    assert Mosaic(1.0)(replace(own, stuff=None), rng, Counted(rng)).stuff is None


@pytest.mark.parametrize("size", [(1, 1), (1, 50), (40, 1)])
def test_a_picture_of_one_row_has_no_four_quarters(size):
    own = random_sample(np.random.default_rng(0), 1, size=size, objects=1)
    assert Mosaic(1.0)(own, np.random.default_rng(0), no_others) is own


# -- mix-up --------------------------------------------------------------------------------------


def test_mix_up_blends_pixels_and_keeps_all_objects():
    rng = np.random.default_rng(0)
    own, other = random_sample(rng, 1), random_sample(rng, 2)
    noise = rng.integers(0, 256, (2, *own.image.shape), dtype=np.uint8)
    own, other = replace(own, image=noise[0]), replace(other, image=noise[1])
    shares = []
    for seed in range(40):
        after = MixUp(1.0, alpha=4)(own, np.random.default_rng(seed), lambda rng: other)
        a, b = noise.astype(float)
        share = float(np.sum((after.image - b) * (a - b)) / np.sum((a - b) ** 2))
        assert np.abs(after.image - (share * a + (1 - share) * b)).max() < 0.6  # rounded
        shares.append(share)
    assert 0.11 < np.std(shares) < 0.22  # that of Beta(4, 4) is 1/6
    assert 0.4 < np.mean(shares) < 0.6

    parts = own.instances, other.instances
    labels = np.concatenate([part.labels for part in parts])
    dense = np.concatenate([part.masks.to_dense() for part in parts])
    np.testing.assert_array_equal(after.instances.labels, labels)
    np.testing.assert_array_equal(after.instances.masks.to_dense(), dense)
    crowds = np.concatenate([part.crowd for part in parts])
    np.testing.assert_array_equal(after.instances.crowd, crowds)
    assert after.instances.ids is None
    assert (after.image_id, after.name) == (1, "1")


def test_mix_up_counts_stuff_where_both_agree():
    rng = np.random.default_rng(0)
    own, other = random_sample(rng, 1), random_sample(rng, 2)
    after = MixUp(1.0)(own, rng, lambda rng: other).stuff
    agree = own.stuff == other.stuff
    assert 0.2 < agree.mean() < 0.3
    np.testing.assert_array_equal(after[agree], own.stuff[agree])
    assert np.all(after[~agree] == VOID_STUFF)
    bare = replace(other, stuff=None)
    assert MixUp(1.0)(own, rng, lambda rng: bare).stuff is None
    assert MixUp(1.0)(bare, rng, lambda rng: own).stuff is None


@pytest.mark.parametrize("size", [(60, 80), (20, 30)])
def test_mix_up_of_another_size_takes_a_window(size):
    rng = np.random.default_rng(4)
    own = random_sample(rng, 1, objects=0, crowd=False)
    own = replace(own, image=np.zeros_like(own.image))
    other = random_sample(rng, 2, size=size)
    other = replace(other, image=2 * other.image)
    after = MixUp(1.0, alpha=1e7, min_visible=0)(own, rng, lambda rng: other)  # a half of each
    source = after.image.astype(int)
    there = ~np.all(source == FILL // 2, axis=2)
    rows, columns = np.nonzero(there)
    assert len(rows) == min(size[0], 40) * min(size[1], 50)
    y, x = source[there][0, :2] - (rows[0], columns[0])
    np.testing.assert_array_equal(source[there][:, 0] - rows, y)
    np.testing.assert_array_equal(source[there][:, 1] - columns, x)
    whole = np.pad(other.instances.masks.to_dense(), ((0, 0), (60, 60), (60, 60)))
    shown = whole[:, 60 + y : 100 + y, 60 + x : 110 + x]
    labels = [20 + i for i in range(6) if shown[i].any()]
    assert after.instances.labels.tolist() == labels
    np.testing.assert_array_equal(after.instances.masks.to_dense(), shown[np.array(labels) - 20])


# -- both ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("scene", [Mosaic, MixUp])
def test_scenes_happen_with_their_probability_and_change_nothing_given(scene):
    rng = np.random.default_rng(0)
    own = random_sample(rng, 1)
    image, stuff, dense = own.image.copy(), own.stuff.copy(), own.instances.masks.to_dense()
    assert scene(0.0)(own, rng, no_others) is own
    happened = [scene(0.3)(own, rng, Counted(rng, objects=1)) is not own for _ in range(300)]
    assert 60 < sum(happened) < 120
    scene(1.0)(own, rng, Counted(rng))
    np.testing.assert_array_equal(own.image, image)
    np.testing.assert_array_equal(own.stuff, stuff)
    np.testing.assert_array_equal(own.instances.masks.to_dense(), dense)


@pytest.mark.parametrize(
    ("make", "sentence"),
    [
        (lambda: Mosaic(-1), "p should be a number from 0 to 1, but is -1"),
        (lambda: Mosaic(1, centre=(0.6, 0.4)), "centre should be .* from 0 to 1, but is"),
        (lambda: Mosaic(1, min_visible=2), "min_visible should be"),
        (lambda: MixUp(2), "p should be a number from 0 to 1, but is 2"),
        (lambda: MixUp(1, alpha=0), "alpha should be above 0, but is 0"),
        (lambda: MixUp(1, alpha=float("inf")), "alpha should be above 0, but is inf"),
        (lambda: MixUp(1, min_visible=-1), "min_visible should be"),
        (lambda: scenes(SyntheticScenes(1), mosaic=1.2), "p should be .*, but is 1.2"),
    ],
)
def test_numbers_out_of_range_are_said(make, sentence):
    with pytest.raises(ConfigError, match=sentence):
        make()


# -- the chain -----------------------------------------------------------------------------------


def test_nothing_asked_for_is_nothing_done():
    assert scenes(SyntheticScenes(1)) == Compose()


def test_what_is_asked_for_comes_in_order_with_the_jitter_for_others():
    data, jitter = SyntheticScenes(2), Compose((lambda sample, rng: sample,))
    chain = scenes(data, jitter=jitter, mosaic=0.5, mix_up=0.1, copy_paste=0.2, min_visible=0.4)
    assert [step.scene for step in chain.transforms] == [
        Mosaic(0.5, min_visible=0.4),
        CopyPaste(0.2, min_visible=0.4),
        MixUp(0.1, min_visible=0.4),
    ]
    others = [step.others for step in chain.transforms]
    assert all(other.dataset is data and other.prepare is jitter for other in others)
