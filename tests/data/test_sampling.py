"""How often images are shown: Gupta et al.'s formula, and what follows from it."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from delineate.data.sampling import (
    class_aware_weights,
    class_shares,
    image_frequencies,
    repeat_factors,
    typical_frequency,
)
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


@given(tables)
def test_class_aware_draws_each_class_equally_often(table):
    counts = np.array(table)
    weights = class_aware_weights(counts)
    occurring = (counts > 0).any(axis=0)
    if not occurring.any():
        assert weights.tolist() == [0] * len(table)
        return
    assert weights.sum() == pytest.approx(len(table))
    expected = np.zeros(len(table))
    for c in np.flatnonzero(occurring):
        shown = np.flatnonzero(counts[:, c])
        expected[shown] += len(table) / occurring.sum() / len(shown)
    np.testing.assert_allclose(weights, expected)


def test_nothing_to_sample():
    empty = np.zeros((2, 3), int)
    assert repeat_factors(empty, 0.5).tolist() == [1, 1]
    assert typical_frequency(empty) == 1
    assert class_shares(empty).tolist() == [0, 0, 0]
    assert repeat_factors(np.zeros((0, 3), int), 0.5).tolist() == []


@pytest.mark.parametrize("threshold", [0, -1, 1.5, float("nan")])
def test_thresholds_that_are_no_share(threshold):
    with pytest.raises(DataError, match="expected a share of the images"):
        repeat_factors(COUNTS, threshold)
