"""Kernels, windows, matching and selection, each on numbers that can be worked out by hand."""

import pytest
import torch

from delineate.models.mask_query.decoder import Relations, relate
from delineate.models.mask_query.losses import varifocal
from delineate.models.mask_query.masks import (
    KernelHead,
    cells_of,
    mask_logits,
    sample_windows,
    window_logits,
)
from delineate.models.mask_query.matching import aligned, bipartite
from delineate.models.mask_query.tokens import Tokens, select

BOX = torch.tensor([[8.0, 4.0, 24.0, 12.0]])


def test_before_learning_a_mask_is_the_ellipse_in_its_box():
    head = KernelHead(8, 3)
    torch.nn.init.zeros_(head[-1].weight)
    kernel = head(torch.zeros(1, 8))
    points = torch.tensor([[[16.0, 8.0], [24.0, 8.0], [16.0, 4.0], [8.5, 4.5]]])
    logits = mask_logits(kernel, BOX, torch.zeros(1, 4, 5), points)
    assert logits[0, :3].tolist() == [2, 0, 0]
    assert logits[0, 3] < 0


def test_features_move_a_pixel_by_strides_and_are_weighed_by_the_kernel():
    kernel = torch.tensor([[2.0, -1.0, 0, 1, 0, 0, 0, 0]])  # two features, then 1, x, y, xx, yy, xy
    features = torch.tensor([[[3.0, 1.0, 0.5, 0.0]]])  # half a stride to the right
    logits = mask_logits(kernel, BOX, features, torch.tensor([[[16.0, 8.0]]]))
    assert logits.item() == pytest.approx(2 * 3 - 1 + 2 / 8)


@pytest.mark.parametrize("cells", [1 << 20, 7])
def test_windows_hold_the_same_logits_as_the_whole_map(monkeypatch, cells):
    monkeypatch.setattr("delineate.models.mask_query.masks._CELLS", cells)
    torch.manual_seed(0)
    features, kernels = torch.randn(2, 5, 6, 10), torch.randn(3, 9)
    boxes = torch.tensor([[8.0, 4, 24, 12], [0, 0, 40, 24], [30, 10, 39, 23]])
    image = torch.tensor([0, 1, 1])
    y, x = torch.meshgrid(torch.arange(6), torch.arange(10), indexing="ij")
    points = ((torch.stack([x, y], dim=2) + 0.5) * 4).flatten(0, 1).expand(3, -1, -1)
    whole = mask_logits(kernels, boxes, features[image].flatten(2).transpose(1, 2), points)
    whole = whole.view(3, 6, 10)
    windows = cells_of(boxes, (6, 10))
    assert windows[1].tolist() == [0, 0, 10, 6]
    parts = [whole[n, y0:y1, x0:x1].flatten() for n, (x0, y0, x1, y1) in enumerate(windows)]
    got = window_logits(kernels, boxes, features, image, windows)
    torch.testing.assert_close(got, torch.cat(parts))


def test_points_of_a_window_read_their_own_place():
    """A map that holds its own coordinates."""
    y, x = torch.meshgrid(torch.arange(8) * 4 + 2.0, torch.arange(8) * 4 + 2.0, indexing="ij")
    features = torch.stack([x, y])[None]
    read, points = sample_windows(
        features, torch.tensor([[6.0, 4.0, 26.0, 20.0]]), torch.tensor([0]), 4
    )
    torch.testing.assert_close(read, points)
    assert points[0, 0].tolist() == [8.5, 6.0]


def test_every_object_gets_tokens_and_a_token_one_object():
    centres = torch.tensor([[4.0, 4.0], [12.0, 4.0], [20.0, 4.0], [28.0, 4.0]])
    strides = torch.full((4,), 8.0)
    truth = torch.tensor([[0.0, 0, 10, 8], [18, 0, 32, 8]])
    boxes = torch.tensor([[0.0, 0, 10, 8], [1, 0, 11, 8], [18, 0, 30, 8], [18, 0, 32, 8]])
    logits = torch.zeros(4, 2)
    found = aligned(logits, boxes, centres, strides, truth, torch.tensor([0, 1]), matches=2)
    assert dict(zip(found.candidate.tolist(), found.object.tolist(), strict=True)) == {
        0: 0,
        1: 0,
        2: 1,
        3: 1,
    }
    quality = dict(zip(found.candidate.tolist(), found.quality.tolist(), strict=True))
    assert quality[0] == quality[3] == pytest.approx(1)
    assert quality[1] < quality[0]
    assert quality[2] < quality[3]
    one = aligned(logits, boxes, centres, strides, truth, torch.tensor([0, 1]), matches=1)
    assert one.candidate.tolist() == [0, 3]


def test_an_object_smaller_than_a_cell_gets_a_token():
    found = aligned(
        torch.zeros(1, 1),
        torch.tensor([[0.0, 0, 8, 8]]),
        torch.tensor([[4.0, 4.0]]),
        torch.tensor([8.0]),
        torch.tensor([[6.0, 6, 8, 8]]),
        torch.tensor([0]),
        matches=3,
    )
    assert found.candidate.tolist() == [0]


def test_the_better_copy_answers():
    truth = torch.tensor([[0.0, 0, 10, 10]])
    boxes = truth.expand(3, -1)
    logits = torch.tensor([[0.0, 3.0], [1.0, 0.0], [0.5, 0.0]])
    assert bipartite(logits, boxes, truth, torch.tensor([0])).candidate.tolist() == [1]
    assert bipartite(logits, boxes, truth, torch.tensor([1])).candidate.tolist() == [0]


def tokens(scores, boxes) -> Tokens:
    count = len(scores)
    logits = torch.tensor(scores)[None, :, None]
    centres = torch.tensor([[4.0 + 8 * n, 4.0] for n in range(count)])
    content = torch.arange(count).float()[None, :, None]
    return Tokens(content, logits, torch.tensor(boxes)[None], centres, torch.full((count,), 8.0))


def test_distinct_tokens_become_queries_best_first():
    boxes = [[0.0, 0, 10, 10], [0, 0, 10, 9], [20, 0, 30, 8], [24, 0, 32, 8]]
    queries = select(
        tokens([0.0, 1.0, 2.0, 9.0], boxes),
        torch.tensor([[8, 24]]),  # the last token lies in the padding
        candidates=10,
        limit=10,
        distinct_iou=0.7,
    )
    assert queries.token.tolist() == [[2, 1]]
    assert queries.there.all()
    assert queries.boxes[0, 0].tolist() == [20, 0, 24, 8]  # cut to the image


def test_relations_tell_copies_and_which_is_better():
    boxes = torch.tensor([[[0.0, 0, 10, 10], [0, 0, 10, 10], [50, 0, 60, 20]]])
    pairs = relate(boxes, torch.tensor([[[0.0], [1.0], [0.0]]]))
    assert pairs[0, 0, 1, 4] == 3
    assert pairs[0, 0, 2, 4] == 0
    assert pairs[0, 0, 1, 5] > 0.9
    assert pairs[0, 1, 0, 5] < -0.9
    assert pairs[0, 0, 2, 3] == pytest.approx(torch.tensor(2.0).log().item())


def test_easy_negatives_weigh_little():
    loss = varifocal(torch.tensor([-4.0, 2.0, 2.0]), torch.tensor([0.0, 0.0, 0.9]))
    assert loss[0] < 1e-3
    assert loss[1] > loss[2] > 0


def test_a_query_sees_a_rival_that_looks_just_like_it():
    """Attention over equal contents tells nothing; the pairs do."""
    torch.manual_seed(0)
    relations = Relations(8, 2)
    boxes = torch.tensor([[[0.0, 0, 10, 10], [0, 0, 10, 10], [80, 80, 90, 90]]])
    content, there = torch.ones(1, 3, 8), torch.ones(1, 3, dtype=torch.bool)
    pairs = relate(boxes, torch.tensor([[[0.0], [4.0], [0.0]]]))
    out = relations(content, pairs, there)[0]
    assert (out[0] - out[1]).abs().max() > 0.01
    alone = there.clone()
    alone[0, 1] = False
    assert (relations(content, pairs, alone)[0, 0] - out[0]).abs().max() > 0.01
