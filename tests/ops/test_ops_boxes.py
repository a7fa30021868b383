"""Box arithmetic on tensors, against numbers worked out by hand."""

import math

import pytest
import torch
from torchvision.ops import box_iou

from delineate.ops.boxes import MAX_LOG_SCALE, area, at_least, clip, covered, decode, encode, iou

UNIT = (1.0, 1.0, 1.0, 1.0)


def boxes(*rows: tuple[float, float, float, float]) -> torch.Tensor:
    return torch.tensor(rows, dtype=torch.float32).reshape(-1, 4)


def test_area_counts_edges_not_pixels():
    assert area(boxes((0, 0, 2, 3), (1, 1, 1, 5))).tolist() == [6, 0]


def test_iou_by_hand():
    a = boxes((0, 0, 4, 4), (10, 10, 12, 12))
    b = boxes((0, 0, 4, 4), (2, 0, 6, 4), (4, 0, 8, 4), (0, 0, 2, 2))
    # second: 8 shared of 16 + 16; third touches at an edge; fourth lies inside
    expected = torch.tensor([[1, 8 / 24, 0, 4 / 16], [0, 0, 0, 0]])
    torch.testing.assert_close(iou(a, b), expected)


def test_iou_rounds_as_torchvision():
    random = torch.Generator().manual_seed(0)
    a, b = (torch.rand(n, 4, generator=random) * 300 for n in (7, 500))
    a[:, 2:] += a[:, :2]
    b[:, 2:] += b[:, :2]
    assert torch.equal(iou(a, b), box_iou(a, b))


def test_a_box_without_area_overlaps_nothing():
    flat = boxes((3, 3, 3, 9))
    assert iou(flat, torch.cat([flat, boxes((0, 0, 9, 9))])).tolist() == [[0, 0]]


@pytest.mark.parametrize(("n", "m"), [(0, 3), (3, 0), (0, 0)])
def test_iou_of_nothing(n, m):
    assert iou(torch.zeros(n, 4), torch.zeros(m, 4)).shape == (n, m)


def test_clip_to_one_size_and_to_a_size_a_box():
    outside = boxes((-5, -6, 70, 80), (1, 2, 3, 4))
    assert clip(outside, torch.tensor([40, 60])).tolist() == [[0, 0, 60, 40], [1, 2, 3, 4]]
    sizes = torch.tensor([[40, 60], [2, 2]])
    assert clip(outside, sizes).tolist() == [[0, 0, 60, 40], [1, 2, 2, 2]]


def test_clip_a_batch():
    batch = boxes((0, 0, 100, 100)).expand(2, 1, 4)
    sizes = torch.tensor([[40, 60], [50, 30]])
    assert clip(batch, sizes[:, None]).tolist() == [[[0, 0, 60, 40]], [[0, 0, 30, 50]]]


def test_at_least_needs_both_sides_and_drops_what_is_no_number():
    rows = boxes((0, 0, 2, 2), (0, 0, 2, 1.5), (0, 0, 1.5, 2), (0, 0, math.nan, 5))
    assert at_least(rows, 2).tolist() == [True, False, False, False]


def test_encode_by_hand():
    # From a 10 x 20 box centred at (5, 10) to a 20 x 10 box centred at (15, 15).
    deltas = encode(boxes((5, 10, 25, 20)), boxes((0, 0, 10, 20)), (10.0, 10.0, 5.0, 5.0))
    expected = [10 * 10 / 10, 10 * 5 / 20, 5 * math.log(2), -5 * math.log(2)]
    torch.testing.assert_close(deltas, torch.tensor([expected]))


def test_decode_inverts_encode():
    target, start = boxes((5, 10, 25, 20), (1, 1, 2, 9)), boxes((0, 0, 10, 20), (3, 3, 4, 4))
    weights = (10.0, 10.0, 5.0, 5.0)
    torch.testing.assert_close(decode(encode(target, start, weights), start, weights), target)


def test_decode_limits_how_much_a_box_grows():
    grown = decode(torch.tensor([[0, 0, 1e4, 1e4]]), boxes((0, 0, 16, 16)), UNIT)
    torch.testing.assert_close(grown, boxes((-492, -492, 508, 508)), rtol=1e-5, atol=1e-3)
    assert math.exp(MAX_LOG_SCALE) == pytest.approx(1000 / 16)


def test_decode_stays_in_float32_for_half_precision_deltas():
    moved = decode(torch.zeros(1, 4, dtype=torch.float16), boxes((4001, 4001, 4004, 4009)), UNIT)
    assert moved.dtype == torch.float32
    assert moved.tolist() == [[4001, 4001, 4004, 4009]]


def test_covered_is_a_share_of_the_first_box():
    a = boxes((0, 0, 4, 4), (2, 2, 2, 5))
    b = boxes((0, 0, 2, 8), (1, 1, 3, 3), (9, 9, 10, 10))
    assert covered(a, b).tolist() == [[0.5, 0.25, 0], [0, 0, 0]]
