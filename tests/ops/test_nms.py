"""Suppression within groups."""

import torch

from delineate.ops.nms import nms

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
