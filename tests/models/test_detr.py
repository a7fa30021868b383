"""DETR's parts by hand: options, padding, positions, matching, masks in chunks, the two steps."""

import math

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from delineate.core.instances import Instances
from delineate.core.masks import Masks
from delineate.errors import ConfigError, ModelError
from delineate.models.api import SegModel, Target
from delineate.models.detr.config import DETRConfig
from delineate.models.detr.losses import mask_losses, set_losses
from delineate.models.detr.matching import Match, match_boxes
from delineate.models.detr.positions import sine_positions, valid_cells
from delineate.models.zoo import build
from delineate.ops.boxes import from_centres, giou, to_centres

SMALL = {
    "backbone": "slim",
    "queries": 7,
    "channels": 128,
    "encoder_layers": 1,
    "decoder_layers": 2,
    "feedforward": 32,
}
SIZE = (64, 96)


def small(**options: object) -> SegModel:
    torch.manual_seed(0)
    return build("detr_resnet50", classes=3, **SMALL | options)


def batch() -> tuple[torch.Tensor, torch.Tensor]:
    images = torch.randn(2, 3, *SIZE, generator=torch.Generator().manual_seed(1))
    return images, torch.tensor([SIZE, (40, 50)])


def target(*boxes: tuple[int, int, int, int], masks: bool = True) -> Target:
    bitmaps = np.zeros((len(boxes), *SIZE), bool)
    for bitmap, (x0, y0, x1, y1) in zip(bitmaps, boxes, strict=True):
        bitmap[y0:y1, x0:x1] = True
    found = Masks.from_bitmaps(bitmaps, SIZE)
    labels = np.arange(len(boxes)) % 3
    instances = Instances(image_size=SIZE, boxes=found.boxes(), labels=labels, masks=found)
    return Target.from_instances(instances if masks else instances.replace(masks=None))


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"queries": 0}, "`queries` to be at least 1"),
        ({"encoder_layers": -1}, "`encoder_layers` to be at least 0"),
        ({"dropout": 1.0}, "`dropout`"),
        ({"score_threshold": 1.5}, "`score_threshold` to be between"),
        ({"no_object_weight": -0.1}, "`no_object_weight`"),
        ({"channels": 250}, "`channels` to be a multiple of 4 and of `heads`"),
        ({"channels": 192}, "multiple of 128 .* got 192 and 8"),
        ({"masks": False, "freeze_boxes": True}, "nothing would be left to train"),
        ({"things": 0}, "`things`"),
    ],
)
def test_options_out_of_range_are_one_sentence(options, words):
    with pytest.raises(ConfigError, match=words):
        DETRConfig().replace(**options)


def test_only_a_resnet_is_dilated():
    with pytest.raises(ModelError, match="got 'slim'"):
        small(dilated=True)


def test_cells_are_judged_by_their_upper_left_pixel_as_nearest_neighbours_do():
    padded, grid = (100, 75), (13, 10)
    sizes = torch.tensor([[100, 75], [48, 31], [1, 1]])
    pixels = torch.zeros(3, *padded)
    for mask, (height, width) in zip(pixels, sizes.tolist(), strict=True):
        mask[:height, :width] = 1
    expected = F.interpolate(pixels[:, None], size=grid, mode="nearest")[:, 0].bool()
    assert torch.equal(valid_cells(sizes, padded, grid), expected)


def test_positions_by_hand():
    valid = torch.ones(1, 2, 4, dtype=torch.bool)
    code = sine_positions(valid, 8)[0]
    row, column = 1 / (2 + 1e-6) * 2 * math.pi, 3 / (4 + 1e-6) * 2 * math.pi
    expected = [f(v / w) for v in (row, column) for w in (1, 100) for f in (math.sin, math.cos)]
    np.testing.assert_allclose(code[:, 0, 2], expected, atol=1e-6)


def test_what_lies_in_the_padding_changes_nothing_but_the_backbone_s_border():
    model = small(masks=False).eval()
    projected = torch.randn(1, 128, 4, 6, generator=torch.Generator().manual_seed(2))
    valid = torch.ones(1, 4, 6, dtype=torch.bool)
    valid[:, :, 4:] = False
    positions, queries = sine_positions(valid, 128), model.queries.weight
    changed = torch.where(valid[:, None], projected, 100.0)
    with torch.inference_mode():
        hidden, memory = model.transformer(projected, valid, positions, queries)
        again, other = model.transformer(changed, valid, positions, queries)
    assert torch.equal(hidden, again)
    assert torch.equal(memory[..., :4], other[..., :4])
    assert not torch.equal(memory, other)


def test_chunks_of_queries_are_the_whole():
    model = small().eval()
    with torch.inference_mode():
        seen = model.encode(*batch())
        attention = model.mask_attention(seen.hidden[-1, 0], seen.memory[0], seen.valid[0])
        finer = [level[0] for level in reversed(seen.maps[:-1])]
        whole, parts = (model.mask_head(seen.projected[0], attention, finer, n) for n in (7, 2))
    assert whole.shape == (7, 16, 24)
    torch.testing.assert_close(parts, whole, rtol=1e-5, atol=1e-5)
    torch.testing.assert_close(attention.sum(dim=(1, 2, 3)), torch.ones(7))


def test_only_masks_that_are_asked_for_are_made(monkeypatch):
    model, made = small().eval(), []
    refine = model.mask_head.forward

    def counted(features, maps, *rest):
        made.append(len(maps))
        return refine(features, maps, *rest)

    monkeypatch.setattr(model.mask_head, "forward", counted)
    with torch.inference_mode():
        scores = model(*batch()).scores
        limit = float(scores.median())
        model.with_score_threshold(limit)(*batch())
    assert made[:2] == [7, 7]
    assert sum(made[2:]) == (scores >= limit).sum() < 14


def test_boxes_alone_are_an_option():
    model = small(masks=False)
    losses = model.losses(*batch(), [target((4, 4, 40, 40)), target()])
    assert set(losses) == {"class", "box", "giou", "auxiliary"}
    with torch.inference_mode():
        found = model.eval()(*batch())
    assert found.maps.shape == (14, 0, 0)


def test_images_without_known_masks_train_boxes_and_their_neighbours_masks():
    model = small().eval()
    boxes = [(4, 4, 40, 30), (10, 10, 30, 38)]
    without = [target(*boxes, masks=False)] * 2
    assert set(model.losses(*batch(), without)) == {"class", "box", "giou", "auxiliary"}
    both = model.losses(*batch(), [target(*boxes), target(*boxes)])
    mixed = model.losses(*batch(), [target(*boxes), without[0]])
    assert mixed["class"] == both["class"]
    assert 0 < mixed["dice"] < both["dice"]


def test_more_objects_than_queries_still_train():
    boxes = [(x, y, x + 6, y + 6) for x in range(0, 90, 9) for y in (0, 20)]
    losses = small().losses(*batch(), [target(*boxes), target()])
    assert all(loss.isfinite() for loss in losses.values())


def test_the_second_step_leaves_the_boxes_as_they_were():
    model = small(freeze_boxes=True, dropout=0.5).train()
    before = {name: value.clone() for name, value in model.state_dict().items()}
    optimizer = torch.optim.SGD([p for p in model.parameters() if p.requires_grad], lr=0.1)
    losses = model.losses(*batch(), [target((4, 4, 40, 40)), target((8, 8, 30, 30))])
    sum(losses.values()).backward()
    optimizer.step()
    changed = {
        name.partition(".")[0]
        for name, value in model.state_dict().items()
        if not torch.equal(value, before[name])
    }
    assert changed == {"mask_attention", "mask_head"}


def test_the_cheapest_pairs_win_and_what_is_left_is_no_object():
    boxes = torch.tensor([[[0.5, 0.5, 0.2, 0.2], [0.2, 0.2, 0.1, 0.1], [0.8, 0.8, 0.3, 0.3]]])
    logits = torch.zeros(1, 3, 3)
    logits[0, 1, 1] = 2
    truth = [(torch.tensor([1, 0]), boxes[0, [1, 2]])]
    (match,) = match_boxes(logits, boxes, truth, class_cost=1, box_cost=5, giou_cost=2)
    assert (match.query.tolist(), match.target.tolist()) == ([1, 2], [0, 1])
    losses = set_losses(logits, boxes, truth, [match], objects=2.0, no_object_weight=0.1)
    assert losses["box"] == 0
    assert losses["giou"].item() == pytest.approx(0, abs=1e-6)
    sure = math.log(2 + math.exp(2)) - 2
    expected = (sure + math.log(3) + 0.1 * math.log(3)) / 2.1
    assert losses["class"].item() == pytest.approx(expected, rel=1e-6)


def test_perfect_masks_cost_nothing():
    masks = torch.zeros(2, 16, 16)
    masks[0, 4:12, 4:12] = 1
    masks[1, 2:5] = 1
    losses = mask_losses((masks - 0.5) * 200, masks, objects=2.0)
    assert losses["mask"].item() == pytest.approx(0, abs=1e-6)
    assert losses["dice"].item() == pytest.approx(0, abs=1e-6)
    swapped = mask_losses((masks.flip(0) - 0.5) * 200, masks, objects=2.0)
    assert swapped["dice"] > 0.4
    assert swapped["mask"] > 1


def test_centres_and_generalised_iou_by_hand():
    corners = torch.tensor([[0.0, 0, 2, 2], [3.0, 0, 5, 2], [1.0, 1, 1, 1]])
    centres = to_centres(corners)
    assert centres[1].tolist() == [4, 1, 2, 2]
    assert torch.equal(from_centres(centres), corners)
    table = giou(corners[:, None], corners[None])
    assert table[0].tolist() == pytest.approx([1, -0.2, 0])  # hull 5 x 2, one fifth of it empty
    assert table.isfinite().all()


def test_a_match_is_of_equal_lengths():
    (match,) = match_boxes(
        torch.zeros(1, 2, 3),
        torch.full((1, 2, 4), 0.5),
        [(torch.zeros(0, dtype=torch.int64), torch.zeros(0, 4))],
        class_cost=1,
        box_cost=5,
        giou_cost=2,
    )
    assert isinstance(match, Match)
    assert len(match.query) == len(match.target) == 0
