"""Suppression within groups."""

import torch

from delineate.ops.nms import fast_nms, nms

BOXES = torch.tensor([[0, 0, 10, 10], [1, 0, 11, 10], [0, 0, 10, 10], [50, 50, 60, 60]]).float()
SCORES = torch.tensor([0.5, 0.9, 0.8, 0.7])


def kept(groups: list[int], iou: float = 0.5, limit: int = 10) -> list[int]:
    return nms(BOXES, SCORES, torch.tensor(groups), iou=iou, limit=limit).tolist()


def test_the_best_of_a_group_suppresses_the_others():
    assert kept([0, 0, 0, 0]) == [1, 3]


def test_other_groups_are_left_alone():
    assert kept([0, 0, 1, 1]) == [1, 2, 3]


def test_overlap_must_exceed_the_threshold():
    overlap = 90 / 110  # of the first two boxes
    assert kept([0, 0, 1, 1], iou=overlap + 1e-4) == [1, 2, 3, 0]


def test_the_limit_keeps_the_best():
    assert kept([0, 1, 2, 3], limit=2) == [1, 2]


def test_no_boxes():
    nothing = torch.zeros(0)
    assert nms(nothing.view(0, 4), nothing, nothing.long(), iou=0.5, limit=5).shape == (0,)


def test_half_precision_does_not_merge_neighbours():
    """In float16 both boxes would be the same: beside 4000 its steps are 2 or 4 pixels."""
    boxes = torch.tensor([[4000.0, 0, 4001, 10], [4001.0, 0, 4002, 10]])
    scores = torch.tensor([0.9, 0.8], dtype=torch.float16)
    assert nms(boxes, scores, torch.zeros(2).long(), iou=0.5, limit=5).tolist() == [0, 1]


def test_fast_suppression_counts_what_is_itself_suppressed():
    chain = torch.tensor([[0, 0, 10, 10], [4, 0, 14, 10], [8, 0, 18, 10], [50, 0, 60, 10]]).float()
    boxes = torch.stack([chain, chain.flip(0)])
    assert fast_nms(boxes[:1], iou=0.4).tolist() == [[True, False, False, True]]
    assert fast_nms(boxes, iou=0.4)[1].tolist() == [True, True, False, False]
    one_by_one = nms(chain, torch.arange(4, 0, -1), torch.zeros(4), iou=0.4, limit=9)
    assert one_by_one.tolist() == [0, 2, 3]


def test_fast_suppression_keeps_what_overlaps_just_as_much_as_allowed():
    boxes = torch.tensor([[[0, 0, 10, 10], [0, 0, 10, 5]]]).float()
    assert fast_nms(boxes, iou=0.5).tolist() == [[True, True]]
    assert fast_nms(boxes, iou=0.49).tolist() == [[True, False]]


def test_fast_suppression_of_nothing():
    assert fast_nms(torch.zeros(3, 0, 4), iou=0.5).shape == (3, 0)
    assert fast_nms(torch.zeros(0, 5, 4), iou=0.5).shape == (0, 5)
