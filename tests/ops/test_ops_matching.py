"""Which boxes answer for which objects, and which are drawn to train on."""

import pytest
import torch

from delineate.ops.matching import BACKGROUND, IGNORED, give_each_its_best, match, sample

# Two objects and five candidates: clear hit, between the thresholds, miss, the second object's best
# one (though it overlaps the first more), and one that touches nothing.
QUALITY = torch.tensor([[0.8, 0.5, 0.1, 0.3, 0.0], [0.1, 0.0, 0.0, 0.2, 0.0]])


def test_thresholds():
    matched = match(QUALITY, high=0.7, low=0.3, keep_best=False)
    assert matched.tolist() == [0, IGNORED, BACKGROUND, IGNORED, BACKGROUND]


def test_thresholds_are_inclusive():
    matched = match(torch.tensor([[0.5, 0.7]]), high=0.7, low=0.5, keep_best=False)
    assert matched.tolist() == [IGNORED, 0]


def test_the_best_candidate_of_an_object_answers_for_the_object_it_overlaps_most():
    matched = match(QUALITY, high=0.7, low=0.3, keep_best=True)
    assert matched.tolist() == [0, IGNORED, BACKGROUND, 0, BACKGROUND]


def test_all_candidates_that_are_equally_good_are_kept():
    quality = torch.tensor([[0.2, 0.2, 0.1]])
    assert match(quality, high=0.7, low=0.3, keep_best=True).tolist() == [0, 0, BACKGROUND]


def test_an_object_that_nothing_touches_keeps_nothing():
    """Without care, every candidate would be equally good for it, and all would be positive."""
    quality = torch.tensor([[0.9, 0.1], [0.0, 0.0]])
    assert match(quality, high=0.7, low=0.3, keep_best=True).tolist() == [0, BACKGROUND]


@pytest.mark.parametrize("keep_best", [True, False])
def test_no_objects_and_no_candidates(keep_best):
    options = {"high": 0.7, "low": 0.3, "keep_best": keep_best}
    assert match(torch.zeros(0, 3), **options).tolist() == [BACKGROUND] * 3
    assert match(torch.zeros(3, 0), **options).shape == (0,)


def matched(positives: int, negatives: int, ignored: int) -> torch.Tensor:
    return torch.tensor([0] * positives + [BACKGROUND] * negatives + [IGNORED] * ignored)


@pytest.mark.parametrize(
    ("available", "wanted"),
    [
        ((10, 50, 5), (4, 12)),  # enough of both: the fraction holds
        ((2, 50, 5), (2, 14)),  # few positives: negatives fill up
        ((10, 3, 5), (4, 3)),  # few negatives: the rest stays away
        ((0, 50, 0), (0, 16)),
        ((0, 0, 4), (0, 0)),
    ],
)
def test_how_many_are_drawn(available, wanted):
    positive, negative = sample(matched(*available), count=16, positive_fraction=0.25)
    assert (len(positive), len(negative)) == wanted
    assert set(positive.tolist()) <= set(range(available[0]))
    assert set(negative.tolist()) <= set(range(available[0], sum(available[:2])))
    assert positive.tolist() == sorted(set(positive.tolist()))
    assert negative.tolist() == sorted(set(negative.tolist()))


def test_the_generator_decides_and_nothing_else():
    pool = matched(100, 100, 0)

    def draw(seed: int) -> list[list[int]]:
        generator = torch.Generator().manual_seed(seed)
        drawn = sample(pool, count=20, positive_fraction=0.5, generator=generator)
        return [part.tolist() for part in drawn]

    before = torch.get_rng_state()
    assert draw(1) == draw(1) != draw(2)
    assert torch.equal(torch.get_rng_state(), before)


def test_without_a_generator_torch_s_own_state_decides():
    pool = matched(100, 100, 0)
    torch.manual_seed(3)
    first = sample(pool, count=20, positive_fraction=0.5)
    torch.manual_seed(3)
    second = sample(pool, count=20, positive_fraction=0.5)
    assert all(map(torch.equal, first, second))


def test_each_object_gets_a_candidate_of_its_own():
    matched = match(QUALITY, high=0.7, low=0.3, keep_best=False)
    forced = give_each_its_best(matched, QUALITY)
    assert forced.tolist() == [0, IGNORED, BACKGROUND, 1, BACKGROUND]
    assert matched.tolist() == [0, IGNORED, BACKGROUND, IGNORED, BACKGROUND]


def test_of_rivals_the_one_that_overlaps_more_chooses_first():
    quality = torch.tensor([[0.6, 0.5, 0.0], [0.8, 0.7, 0.1], [0.2, 0.0, 0.0]])
    nobody = torch.full((3,), BACKGROUND)
    # The second object takes candidate 0, the first the next best; the third finds none it touches.
    assert give_each_its_best(nobody, quality).tolist() == [1, 0, BACKGROUND]


def test_no_objects_and_no_candidates_to_force():
    for shape in ((0, 3), (2, 0)):
        nobody = torch.full((shape[1],), BACKGROUND)
        assert torch.equal(give_each_its_best(nobody, torch.zeros(shape)), nobody)
