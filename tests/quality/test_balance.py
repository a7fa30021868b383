"""Balance of classes, and the advice that follows."""

import numpy as np
import pytest

from delineate.quality.balance import balance, percent

NAMES = ("cat", "dog", "owl")


def test_numbers_by_hand():
    counts = np.array([[4, 0, 0], [4, 2, 0]])
    found = balance(counts, NAMES)
    assert found.imbalance == 4
    assert found.effective_classes == pytest.approx(0.8**-0.8 * 0.2**-0.2)
    assert found.objects.tolist() == [8, 2, 0]
    assert found.images.tolist() == [2, 1, 0]
    assert found.fitted.threshold == 0.75
    assert found.fitted.most == pytest.approx(1.5**0.5)
    assert found.fitted.epoch == pytest.approx((1 + 1.5**0.5) / 2)
    assert found.lvis.epoch == 1
    assert found.lvis.shares.tolist() == found.shares.tolist() == [0.8, 0.2, 0]


def test_equal_classes_are_as_many_as_there_are():
    assert balance(np.eye(3, dtype=int), NAMES).effective_classes == pytest.approx(3)


def test_advice_where_there_is_nothing_to_balance():
    assert "one class" in balance(np.array([[4, 0, 0]]), NAMES).advice
    assert balance(np.zeros((2, 3), int), NAMES).advice == "No objects."
    advice = balance(np.array([[4, 2, 0]] * 9), NAMES).advice
    assert advice.startswith("Show every image once, the classes are balanced well enough")


def test_advice_to_repeat_a_rare_class_of_its_own():
    counts = np.array([[10, 0, 0]] * 400 + [[0, 4, 0]] * 200 + [[0, 0, 1]] * 8)
    found = balance(counts, NAMES)
    assert "'owl' has 0.17% of the objects, 500 times fewer than 'cat'" in found.advice
    assert "--set data.balance=repeat_factor" in found.advice
    assert f"would rise to {percent(found.fitted.shares[2])}" in found.advice
    assert found.fitted.shares[2] > 4 * found.shares[2]
    assert "more pictures" not in found.advice


def test_advice_where_the_rare_is_always_beside_the_frequent():
    counts = np.array([[20, 0, 0]] * 10 + [[20, 1, 0]] * 10)
    advice = balance(counts, NAMES).advice
    assert "other sampling would not change that" in advice
    assert "most images that show it show the other, too" in advice


def test_advice_where_the_frequent_fills_its_images():
    counts = np.array([[60, 0, 0]] * 60 + [[0, 1, 0]] * 40)
    assert "an image shows many more of the other than of it" in balance(counts, NAMES).advice


def test_advice_to_draw_by_class():
    # as frequent as the median class, so that repeat factors do nothing
    counts = np.array([[10, 0, 0]] * 80 + [[0, 1, 0]] * 10 + [[0, 0, 2]] * 10)
    found = balance(counts, NAMES)
    assert found.fitted.most == 1
    assert "--set data.balance=class_aware, which raises it to" in found.advice
    assert percent(found.class_aware.shares[1]) in found.advice


def test_advice_names_classes_that_no_sampling_can_help():
    counts = np.array([[10, 0, 0]] * 40 + [[0, 0, 1]])
    advice = balance(counts, NAMES).advice
    assert "Fewer than 5 images show 'owl': more pictures would help" in advice


@pytest.mark.parametrize(
    ("share", "text"),
    [(0.5, "50%"), (0.0994, "9.9%"), (0.004, "0.4%"), (0.00004, "0.004%"), (0, "0%"), (1, "100%")],
)
def test_percent(share, text):
    assert percent(share) == text
