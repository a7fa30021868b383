"""How often images are shown, how much classes count: the papers' formulas, and chance itself."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from delineate.core.instances import Instances
from delineate.data.derived import Subset
from delineate.data.sampling import (
    class_aware_weights,
    class_shares,
    count_classes,
    draw,
    effective_weights,
    epoch_length,
    image_frequencies,
    repeat_factors,
    typical_frequency,
)
from delineate.data.synthetic import SyntheticScenes
from delineate.errors import DataError

COUNTS = np.array([[3, 0, 0], [1, 2, 0], [5, 0, 0], [1, 0, 0]])  # the last class never occurs

tables = st.lists(st.lists(st.integers(0, 3), min_size=3, max_size=3), min_size=1, max_size=12)


def test_by_hand():
    assert image_frequencies(COUNTS).tolist() == [1, 0.25, 0]
    assert repeat_factors(COUNTS, 0.001).tolist() == [1, 1, 1, 1]
    assert repeat_factors(COUNTS, 1.0).tolist() == [1, 2, 1, 1]
    assert typical_frequency(COUNTS) == 0.625
    np.testing.assert_allclose(class_shares(COUNTS), [10 / 12, 2 / 12, 0])
    np.testing.assert_allclose(class_shares(COUNTS, [1, 2, 1, 1]), [11 / 15, 4 / 15, 0])
    # a class is drawn, then an image: 1/2 x 1/4 for each, and 1/2 more for the second
    np.testing.assert_allclose(class_aware_weights(COUNTS), [0.5, 2.5, 0.5, 0.5])


@given(tables, st.floats(0.001, 1))
def test_repeat_factors_are_those_of_the_paper(table, threshold):
    counts = np.array(table)
    factors = repeat_factors(counts, threshold)
    for row, factor in zip(table, factors, strict=True):
        expected = [1.0]
        for c, objects in enumerate(row):
            frequency = sum(other[c] > 0 for other in table) / len(table)
            if objects:
                expected.append(max(1.0, (threshold / frequency) ** 0.5))
        assert factor == pytest.approx(max(expected))


@given(st.lists(st.tuples(st.lists(st.integers(0, 3), min_size=3, max_size=3), st.integers(1, 4))))
def test_class_aware_draws_each_class_equally_often(rows):
    """An image whose crops come four times is drawn as four images that come once."""
    counts = np.array([row for row, _ in rows], int).reshape(-1, 3)
    times = np.array([crops for _, crops in rows], int)
    weights = class_aware_weights(counts, times)
    assert weights.sum() == pytest.approx(times.sum())
    items = [i for i, crops in enumerate(times) for _ in range(crops)]
    empty = [i for i in items if not counts[i].any()]
    occurring = np.flatnonzero(counts.any(axis=0))
    expected = np.bincount(np.array(empty, int), minlength=len(rows)).astype(float)
    for c in occurring:
        showing = [i for i in items if counts[i, c]]
        for i in showing:
            expected[i] += (len(items) - len(empty)) / len(occurring) / len(showing)
    np.testing.assert_allclose(weights, expected)


def test_class_aware_by_chance():
    """Drawing a class, then an image of it, again and again, comes to the same."""
    rng = np.random.default_rng(0)
    counts = np.array([[1, 0, 0]] * 20 + [[2, 1, 0]] * 3 + [[0, 0, 1]])
    shown = np.zeros(24)
    for _ in range(20_000):
        of_class = np.flatnonzero(counts[:, rng.integers(3)])
        shown[rng.choice(of_class)] += 24 / 20_000
    np.testing.assert_allclose(class_aware_weights(counts), shown, atol=0.2, rtol=0.05)


def test_nothing_to_sample():
    empty = np.zeros((2, 3), int)
    assert repeat_factors(empty, 0.5).tolist() == [1, 1]
    assert class_aware_weights(empty).tolist() == [1, 1]
    assert typical_frequency(empty) == 1
    assert class_shares(empty).tolist() == [0, 0, 0]
    assert repeat_factors(np.zeros((0, 3), int), 0.5).tolist() == []


@pytest.mark.parametrize("threshold", [0, -1, 1.5, float("nan")])
def test_thresholds_that_are_no_share(threshold):
    with pytest.raises(DataError, match="expected a share of the images"):
        repeat_factors(COUNTS, threshold)


# -- epochs drawn ---------------------------------------------------------------------------------


@given(st.lists(st.floats(0, 5), min_size=1, max_size=30), st.integers(0, 9))
def test_an_epoch_is_as_long_as_any_and_rounds_each_image_up_or_down(times, seed):
    shown = draw(times, np.random.default_rng(seed))
    length = epoch_length(times)
    assert sum(times) - 1e-5 <= length < sum(times) + 1
    assert len(shown) == length
    assert shown.tolist() == sorted(shown)
    if length:
        scaled = np.array(times) * (length / sum(times))
        counts = np.bincount(shown, minlength=len(times))
        assert np.all(np.abs(counts - scaled) < 1 + 1e-9)


@given(st.lists(st.integers(0, 64), max_size=30), st.integers(0, 9))
def test_whole_numbers_leave_nothing_to_chance(times, seed):
    rng = np.random.default_rng(seed)
    assert draw(times, rng).tolist() == np.repeat(np.arange(len(times)), times).tolist()


def test_over_many_epochs_each_image_comes_as_often_as_wished():
    """The length is a whole number here, so that nothing is made larger."""
    times = np.array([1.0, 1.3, 2.75, 0.05, 3.5, 1.4])
    total = np.zeros(6)
    for epoch in range(4000):
        total += np.bincount(draw(times, np.random.default_rng([5, epoch])), minlength=6)
    np.testing.assert_allclose(total / 4000, times, atol=0.03)


def test_which_images_come_once_more_is_drawn_for_each():
    """Neighbours are repeated together no more often than images far apart."""
    times = np.full(10, 1.5)
    together = np.zeros((10, 10))
    for epoch in range(4000):
        extra = np.bincount(draw(times, np.random.default_rng([6, epoch]))) - 1
        together += np.outer(extra, extra) / 4000
    apart = together[~np.eye(10, dtype=bool)]
    np.testing.assert_allclose(apart, 20 / 90, atol=0.03)  # 5 of 10, so 20 of 90 ordered pairs


def test_repeat_factors_by_hand_as_epochs():
    """LVIS' own arithmetic: 1 of 100 images shows the rare class, t = 0.04, so r = 2."""
    counts = np.array([[1, 0]] * 99 + [[1, 1]])
    factors = repeat_factors(counts, 0.04)
    assert factors.tolist() == [1] * 99 + [2]
    shown = draw(factors, np.random.default_rng(0))
    assert np.bincount(shown).tolist() == [1] * 99 + [2]


# -- objects counted and weighed ------------------------------------------------------------------


def test_crowds_are_not_counted():
    class Crowded(Subset):
        def instances(self, index):
            return Instances(
                image_size=(9, 9),
                boxes=np.array([[0, 0, 4, 4]] * 3, np.float32),
                labels=np.array([1, 1, 0]),
                crowd=np.array([False, True, False]),
            )

    scenes = SyntheticScenes(2, classes=("star", "leaf", "ring"))
    assert count_classes(Crowded(scenes, [0, 1])).tolist() == [[1, 1, 0]] * 2


def test_objects_are_counted_image_by_image():
    scenes = SyntheticScenes(5, size=(64, 64), seed=3)
    counts = count_classes(scenes)
    for index, row in enumerate(counts):
        labels = scenes.instances(index).labels.tolist()
        assert row.tolist() == [labels.count(label) for label in range(len(scenes.classes))]


@pytest.mark.parametrize("beta", [0.0, 0.9, 0.999])
def test_effective_number_is_a_sum_of_ever_less(beta):
    """Cui et al.: the n-th object adds beta to the power of n - 1."""
    objects = [1, 7, 300]
    effective = np.array([sum(beta**k for k in range(n)) for n in objects])
    weights = effective_weights([*objects, 0], beta)
    np.testing.assert_allclose(weights[:3] * effective, weights[0] * effective[0])
    assert np.average(weights[:3], weights=objects) == pytest.approx(1)
    assert weights[3] == 1


def test_without_objects_all_weights_are_one():
    assert effective_weights([0, 0], 0.99).tolist() == [1, 1]
