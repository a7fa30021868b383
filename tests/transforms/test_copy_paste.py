from dataclasses import replace

import numpy as np
import pytest

from delineate.core.instances import Instances
from delineate.core.masks import Masks
from delineate.data.sample import Sample
from delineate.errors import ConfigError, DataError
from delineate.transforms.copy_paste import CopyPaste
from transforms.random_samples import coded_image, no_others, random_sample, tight_box

OWN, OTHER = 1, 2


def check_truth(own, other, after, cover, origin, min_visible):
    """Compare every object with what the dense bitmaps say; `origin` of the own in the other."""
    y, x = origin
    h, w = cover.shape
    dense = after.instances.masks.to_dense()
    expected = {}
    for sample, seen in ((own, ~cover), (other, cover)):
        whole = sample.instances.masks.to_dense()
        cut = whole if sample is own else whole[:, y : y + h, x : x + w]
        for i, label in enumerate(sample.instances.labels.tolist()):
            left = cut[i] & seen
            crowd = bool(sample.instances.crowd[i]) if sample.instances.crowd is not None else False
            if crowd and sample is other:
                continue
            if left.any() and (crowd or left.sum() >= min_visible * cut[i].sum()):
                expected[label] = left
    labels = after.instances.labels.tolist()
    assert labels == list(expected)  # the own first, in their order
    for i, label in enumerate(labels):
        np.testing.assert_array_equal(dense[i], expected[label])
        assert after.instances.boxes[i].tolist() == tight_box(dense[i])


def parts_of(after, own):
    """Where pixels of the other are, and which: decoded from the picture alone."""
    cover = after.image[..., 2] == OTHER
    np.testing.assert_array_equal(after.image[~cover], own.image[~cover])
    return cover


@pytest.mark.parametrize("seed", range(60))
def test_every_pixel_belongs_to_what_was_painted_last(seed):
    rng = np.random.default_rng(seed)
    own, other = random_sample(rng, OWN), random_sample(rng, OTHER)
    min_visible = float(rng.choice([0, 0.25, 0.8]))
    paste = CopyPaste(1.0, most=3, edge=0, min_visible=min_visible)
    after = paste(own, np.random.default_rng(seed), lambda rng: other)
    cover = parts_of(after, own)
    np.testing.assert_array_equal(after.image[cover], other.image[cover])
    check_truth(own, other, after, cover, (0, 0), min_visible)
    np.testing.assert_array_equal(after.stuff, np.where(cover, 0, own.stuff))

    # What is painted is one to three whole objects of the other, none of them a crowd.
    whole = other.instances[~other.instances.crowd].masks.to_dense()
    inside = [bitmap for bitmap in whole if bitmap.any() and not (bitmap & ~cover).any()]
    assert bool(inside) == bool(cover.any()) == bool(whole.any())
    if inside:
        np.testing.assert_array_equal(np.any(inside, axis=0), cover)
        pasted = after.instances.labels >= 10 * OTHER
        np.testing.assert_array_equal(after.instances[pasted].masks.union(), cover)
        assert after.instances.ids is None
        assert after.instances.scores is None
        assert (after.image_id, after.name) == (own.image_id, own.name)
        crowds = after.instances.labels[after.instances.crowd]
        assert set(crowds) <= set(own.instances.labels[own.instances.crowd])


def test_up_to_so_many_objects_are_drawn_evenly():
    size = (10, 60)
    bitmaps = np.zeros((6, *size), bool)
    for i in range(6):
        bitmaps[i, 2:5, 10 * i : 10 * i + 5] = True
    masks = Masks.from_bitmaps(bitmaps, size)
    instances = Instances(
        image_size=size, boxes=masks.boxes(), labels=20 + np.arange(6), masks=masks
    )
    other = Sample(image=coded_image(size, 2), instances=instances, image_id=2, name="b")
    own = replace(other, image=coded_image(size, 1), instances=Instances.empty(size))
    rng = np.random.default_rng(0)
    drawn = [CopyPaste(1.0, most=3)(own, rng, lambda rng: other).instances for _ in range(900)]
    counts = np.bincount([len(instances) for instances in drawn], minlength=7)
    assert counts[[0, 4, 5, 6]].tolist() == [0, 0, 0, 0]
    assert 250 < counts[1:4].min() <= counts[1:4].max() < 350
    each = np.bincount(np.concatenate([i.labels for i in drawn]) - 20)
    assert 250 < each.min() <= each.max() < 350  # 900 x 2 / 6
    few = CopyPaste(1.0, most=100)(own, rng, lambda rng: other)
    assert 1 <= len(few.instances) <= 6


@pytest.mark.parametrize("seed", range(20))
@pytest.mark.parametrize("size", [(60, 80), (20, 30), (20, 80)])
def test_another_of_another_size_is_cut_or_laid_within(seed, size):
    rng = np.random.default_rng(seed)
    own, other = random_sample(rng, OWN), random_sample(rng, OTHER, size=size)
    after = CopyPaste(1.0, edge=0, min_visible=0)(own, rng, lambda rng: other)
    cover = parts_of(after, own)
    if not cover.any():
        return
    rows, columns = np.nonzero(cover)
    source = after.image[cover].astype(int)
    y, x = source[0, 0] - rows[0], source[0, 1] - columns[0]
    np.testing.assert_array_equal(source[:, 0] - rows, y)  # one whole step for all
    np.testing.assert_array_equal(source[:, 1] - columns, x)
    assert min(0, size[0] - 40) <= y <= max(0, size[0] - 40)
    assert min(0, size[1] - 50) <= x <= max(0, size[1] - 50)
    dense = np.pad(other.instances.masks.to_dense(), ((0, 0), (40, 40), (50, 50)))
    shown = dense[:, 40 + y : 80 + y, 50 + x : 100 + x]
    pasted = after.instances[after.instances.labels >= 20]
    for label, bitmap in zip(pasted.labels, pasted.masks.to_dense(), strict=True):
        np.testing.assert_array_equal(bitmap, shown[label - 20] & cover)


def test_what_lies_on_a_pasted_object_comes_along():
    size = (30, 40)
    wall, window, beside = np.zeros((3, *size), bool)
    wall[5:25, 5:25] = True
    window[10:15, 10:15] = True
    beside[10:20, 24:39] = True  # 1/15 of it lies on the wall
    masks = Masks.from_bitmaps([wall, window, beside], size)
    instances = Instances(image_size=size, boxes=masks.boxes(), labels=[20, 21, 22], masks=masks)
    other = Sample(image=coded_image(size, 2), instances=instances, image_id=2, name="b")
    own = replace(other, image=coded_image(size, 1), instances=Instances.empty(size))
    seen = set()
    for seed in range(30):
        paste = CopyPaste(1.0, most=1)
        after = paste(own, np.random.default_rng(seed), lambda rng: other).instances
        seen.add(tuple(after.labels.tolist()))
    assert seen == {(20, 21), (21,), (22,)}


def test_edges_are_soft_and_end_where_half_of_each_shows():
    size = (60, 60)
    disc = np.hypot(*(np.mgrid[:60, :60] - 29.5)) < 20
    masks = Masks.from_bitmaps([disc], size)
    instances = Instances(image_size=size, boxes=masks.boxes(), labels=[0], masks=masks)
    white = np.full((*size, 3), 255, np.uint8)
    other = Sample(image=white, instances=instances, image_id=2, name="b")
    own = replace(other, image=np.zeros_like(white), instances=Instances.empty(size))
    soft = CopyPaste(1.0, edge=1.5)(own, np.random.default_rng(0), lambda rng: other)
    hard = CopyPaste(1.0, edge=0)(own, np.random.default_rng(0), lambda rng: other)
    np.testing.assert_array_equal(hard.image[..., 0] == 255, disc)
    assert 300 < np.count_nonzero((soft.image > 5) & (soft.image < 250)) / 3 < 1000
    half = soft.image[..., 0] >= 128
    assert np.count_nonzero(half != disc) < 0.05 * np.count_nonzero(disc)
    np.testing.assert_array_equal(soft.instances.masks.bitmap(0), disc)
    middle = np.hypot(*(np.mgrid[:60, :60] - 29.5)) < 12
    assert (soft.image[middle] == 255).all()


def test_without_objects_to_paste_the_sample_is_the_very_same():
    rng = np.random.default_rng(0)
    own, other = random_sample(rng, OWN), random_sample(rng, OTHER)
    crowds = other.instances.replace(crowd=np.ones(len(other.instances), bool))
    for instances in (crowds, Instances.empty((40, 50))):
        nothing = replace(other, instances=instances)
        assert CopyPaste(1.0)(own, rng, lambda rng, nothing=nothing: nothing) is own


def test_an_empty_mask_is_nothing_to_paste():
    rng = np.random.default_rng(0)
    own, other = random_sample(rng, OWN), random_sample(rng, OTHER, crowd=False)
    bitmaps = other.instances.masks.to_dense()
    bitmaps[1:] = False
    masks = Masks.from_bitmaps(bitmaps, (40, 50))
    other = replace(other, instances=other.instances.replace(masks=masks, boxes=masks.boxes()))
    for _ in range(20):
        after = CopyPaste(1.0, most=1)(own, rng, lambda rng: other).instances
        assert [label for label in after.labels if label >= 20] == [20]


def test_it_happens_with_its_probability():
    rng = np.random.default_rng(0)
    own, other = random_sample(rng, OWN), random_sample(rng, OTHER, crowd=False)
    assert CopyPaste(0.0)(own, rng, no_others) is own
    happened = [CopyPaste(0.3)(own, rng, lambda rng: other) is not own for _ in range(600)]
    assert 140 < sum(happened) < 220


@pytest.mark.parametrize("edge", [0, 0.7])
def test_samples_given_are_not_changed(edge):
    rng = np.random.default_rng(3)
    own, other = random_sample(rng, OWN), random_sample(rng, OTHER)
    before = [(s.image.copy(), s.stuff.copy(), s.instances.masks.to_dense()) for s in (own, other)]
    assert CopyPaste(1.0, edge=edge)(own, rng, lambda rng: other) is not own
    for sample, (image, stuff, dense) in zip((own, other), before, strict=True):
        np.testing.assert_array_equal(sample.image, image)
        np.testing.assert_array_equal(sample.stuff, stuff)
        np.testing.assert_array_equal(sample.instances.masks.to_dense(), dense)


def test_stuff_is_unknown_where_it_was():
    rng = np.random.default_rng(3)
    own, other = random_sample(rng, OWN, stuff=False), random_sample(rng, OTHER)
    assert CopyPaste(1.0)(own, rng, lambda rng: other).stuff is None
    own, other = random_sample(rng, OWN), random_sample(rng, OTHER, stuff=False)
    assert CopyPaste(1.0)(own, rng, lambda rng: other).stuff is not None


def test_boxes_alone_cannot_be_pasted():
    rng = np.random.default_rng(0)
    own, other = random_sample(rng, OWN), random_sample(rng, OTHER)
    bare = replace(other, instances=other.instances.replace(masks=None))
    with pytest.raises(DataError, match=r"image 2 '2': expected masks .* only boxes: set the"):
        CopyPaste(1.0)(own, rng, lambda rng: bare)


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"p": 1.5}, "p should be a number from 0 to 1, but is 1.5"),
        ({"p": 1, "most": 0}, "most should be at least 1, but is 0"),
        ({"p": 1, "edge": -1}, "edge should be from 0 to 10 pixels, but is -1"),
        ({"p": 1, "edge": float("nan")}, "edge should be"),
        ({"p": 1, "min_visible": 2}, "min_visible should be a number from 0 to 1, but is 2"),
    ],
)
def test_numbers_out_of_range_are_said(options, sentence):
    with pytest.raises(ConfigError, match=sentence):
        CopyPaste(**options)
