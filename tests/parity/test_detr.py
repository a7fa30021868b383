"""Our DETR against the recorded outputs of facebookresearch/detr, with its weights by name.

The bounds are those of the goldens' README: logits and masks 5e-3 (attention is sharpened there, so
that rounding is amplified), boxes 1e-4 of the image, losses 1e-4, gradient norms 1e-3. That they
are tight enough to notice a wrong convention is tested at the end.
"""

from collections.abc import Callable
from dataclasses import replace
from functools import cache

import numpy as np
import pytest
import torch
from goldens import Golden
from torch import Tensor

from delineate.core.geometry import Geometry
from delineate.core.instances import Instances
from delineate.core.masks import Masks
from delineate.core.panoptic import to_semantic
from delineate.models.api import Target
from delineate.models.detr.losses import dice, focal
from delineate.models.detr.mask_head import AttentionMaps
from delineate.models.detr.matching import match_boxes
from delineate.models.detr.model import DETR, Encoded
from delineate.models.detr.positions import sine_positions
from delineate.models.queries import QueryMasks, to_instances
from delineate.models.zoo import build
from delineate.ops.boxes import from_centres, giou
from delineate.weights.detr import FACEBOOK_BOXES, FACEBOOK_PANOPTIC, LAYOUTS
from delineate.weights.keymap import to_theirs

BOXES, PANOPTIC = "detr_resnet50", "detr_resnet50_panoptic"
LAYOUT = {BOXES: "facebook_detr", PANOPTIC: "facebook_detr_panoptic"}
PADDED = (384, 427)
LAYERS = 6
OBJECTS = 7.0  # by which the recorded dice and focal losses are divided
LOSSES = {"class": "ce", "box": "bbox", "giou": "giou", "mask": "mask", "dice": "dice"}


@pytest.fixture(scope="module")
def cases(goldens) -> Callable[[str], "Case"]:
    return cache(lambda name: Case(name, goldens))


@pytest.fixture(scope="module", params=[BOXES, PANOPTIC])
def case(request, cases) -> "Case":
    return cases(request.param)


@pytest.fixture(scope="module")
def panoptic(cases) -> "Case":
    return cases(PANOPTIC)


class Case:
    """One golden, our model with its weights, and what it makes of the recorded pictures."""

    def __init__(self, name: str, folder) -> None:
        self.golden = Golden(folder / f"{name}.npz")
        self.masks = name == PANOPTIC
        self.layout = next(layout for layout in LAYOUTS if layout.name == LAYOUT[name])
        self.state = self.golden.state()
        self.model = self.make()
        self.images, self.sizes = self.batch(self.model)
        with torch.inference_mode():
            self.seen = self.model.encode(self.images, self.sizes)
            self.logits, self.boxes = self.model.answer(self.seen.hidden)
            self.raw = self.model(self.images, self.sizes)

    def make(self, **changes: object) -> DETR:
        identity = self.layout.identify(self.state)
        model = build(identity.model, classes=identity.classes, **identity.options | changes)
        model.load_state_dict(self.layout.to_ours(model, self.state))
        assert isinstance(model, DETR)
        return model.eval()

    def batch(self, model: DETR, count: int = 2) -> tuple[Tensor, Tensor]:
        """Return the pictures, which are not resized, as the model's preprocessing joins them."""
        pictures = [self.golden[f"image{n}_rgb_u8"] for n in range(count)]
        rule = model.preprocess
        images, sizes = rule.batch([rule.normalise(picture) for picture in pictures])
        return torch.from_numpy(images), torch.from_numpy(sizes)

    def where(self, number: int) -> Geometry:
        """Return how picture `number` would have come from its pretended original."""
        sizes = (self.golden[f"{kind}_sizes_hw"][number].tolist() for kind in ("orig", "proc"))
        return Geometry.resize(*map(tuple, sizes))

    def targets(self) -> list[Target]:
        targets = []
        for number, size in enumerate(self.sizes):
            centres = torch.from_numpy(self.golden[f"target{number}.boxes_cxcywh"])
            height, width = size.tolist()
            masks = np.zeros((len(centres), height, width), bool)
            if self.masks:
                masks = self.golden.mask(f"target{number}.masks")
            target = Target.from_instances(
                Instances(
                    image_size=(height, width),
                    boxes=from_centres(centres).numpy() * [width, height, width, height],
                    labels=self.golden[f"target{number}.labels"],
                    masks=Masks.from_bitmaps(masks, (height, width)),
                )
            )
            targets.append(target if self.masks else target._replace(masks=None))
        return targets


def test_backbone_positions_and_transformer(case):
    golden, seen = case.golden, case.seen
    assert case.images.shape[-2:] == PADDED
    for number, level in enumerate(seen.maps):
        golden.close(f"batch.backbone.{number}", level, rtol=1e-5, atol=1e-4)
    last = len(seen.maps) - 1
    assert np.array_equal(~seen.valid, golden[f"batch.backbone.{last}.mask"])
    golden.close("batch.pos_last", sine_positions(seen.valid, 256), rtol=1e-5, atol=1e-5)
    golden.close("batch.input_proj", seen.projected, rtol=1e-5, atol=1e-4)
    golden.close("batch.memory", seen.memory, rtol=1e-5, atol=1e-3)
    golden.close("batch.hs", seen.hidden, rtol=1e-4, atol=1e-3)


def test_logits_and_boxes_of_every_layer(case):
    for layer in range(LAYERS):
        name = "batch" if layer == LAYERS - 1 else f"batch.aux{layer}"
        case.golden.close(f"{name}.pred_logits", case.logits[layer], rtol=1e-4, atol=5e-3)
        case.golden.close(f"{name}.pred_boxes", case.boxes[layer], rtol=0, atol=1e-4)


def test_a_picture_alone_is_not_that_of_a_batch(case):
    with torch.inference_mode():
        seen = case.model.encode(*case.batch(case.model, count=1))
        logits, boxes = case.model.answer(seen.hidden[-1])
        case.golden.close("single0.pred_logits", logits, rtol=1e-4, atol=5e-3)
        case.golden.close("single0.pred_boxes", boxes, rtol=0, atol=1e-4)
        if case.masks:
            maps = case.model.masks(seen, [torch.arange(100)])
            case.golden.close("single0.pred_masks", maps[None], rtol=1e-4, atol=5e-3)


def all_masks(model: DETR, seen: Encoded) -> dict[str, Tensor]:
    """Return the maps of all queries in their order, and what leaves each norm on the way."""
    parts: dict[str, list[Tensor]] = {f"gn{n + 1}": [] for n in range(5)}
    hooks = [
        norm.register_forward_hook(lambda *a, n=n: parts[f"gn{n + 1}"].append(a[2].clone()))
        for n, norm in enumerate(model.mask_head.norms)
    ]
    hooks.append(
        model.mask_attention.register_forward_hook(
            lambda *a: parts.setdefault("attention", []).append(a[2])
        )
    )
    with torch.inference_mode():
        maps = model.masks(seen, [torch.arange(100)] * 2)
    for hook in hooks:
        hook.remove()
    return {name: torch.cat(values) for name, values in parts.items()} | {"maps": maps}


def test_mask_head(panoptic):
    found, golden = all_masks(panoptic.model, panoptic.seen), panoptic.golden
    attention = found["attention"].unflatten(0, (2, 100))
    golden.close("batch.bbox_attention", attention, rtol=0, atol=1e-4)
    for n in range(1, 6):
        golden.close(f"batch.mask_head.gn{n}", found[f"gn{n}"], rtol=1e-4, atol=5e-3)
    maps = found["maps"].unflatten(0, (2, 100))
    golden.close("batch.pred_masks", maps, rtol=1e-4, atol=5e-3)
    golden.close("batch.pred_masks.query_mean", maps.mean((2, 3)), rtol=1e-4, atol=1e-3)


def pairs(case: "Case", number: int) -> tuple[np.ndarray, np.ndarray]:
    """Return our detections of an image, best first, and which recorded query each of them is."""
    here = torch.where(case.raw.image == number)[0]
    assert (case.raw.scores[here].diff() <= 0).all()
    assert sorted(case.raw.query[here].tolist()) == list(range(100))
    return here.numpy(), case.raw.query[here].numpy()


@pytest.mark.parametrize("number", [0, 1])
def test_detections(case, number):
    ours, theirs = pairs(case, number)
    name = f"batch.PostProcess{number}"
    scores, labels = case.raw.scores[ours].numpy(), case.raw.labels[ours].numpy()
    np.testing.assert_allclose(scores, case.golden[f"{name}.scores"][theirs], rtol=0, atol=5e-4)
    assert np.array_equal(labels, case.golden[f"{name}.labels"][theirs])
    height, width = case.golden["orig_sizes_hw"][number]
    boxes = case.where(number).inverse().boxes(case.raw.boxes[ours].numpy())
    expected = case.golden[f"{name}.boxes_xyxy_abs"][theirs].clip(0, [width, height] * 2)
    np.testing.assert_allclose(boxes, expected, rtol=0, atol=0.05)


@pytest.mark.parametrize("number", [0, 1])
def test_masks_in_the_original_image(panoptic, number):
    maps = all_masks(panoptic.model, panoptic.seen)["maps"].unflatten(0, (2, 100))[number]
    raw = QueryMasks(
        torch.zeros(100, dtype=torch.int64),
        torch.zeros(100, 4),
        torch.ones(100),
        torch.zeros(100, dtype=torch.int64),
        torch.arange(100),
        maps,
        torch.tensor(PADDED),
    )
    (found,) = to_instances(raw, [panoptic.where(number)], things=None)
    expected = panoptic.golden.mask(f"batch.PostProcessSegm{number}.masks")
    near = panoptic.golden[f"batch.mask_near_zero_px{number}"]
    wrong = (found.masks.to_dense() != expected).sum(axis=(1, 2))
    assert (wrong <= np.maximum(4, 2 * near)).all(), wrong.max()
    assert expected.any(axis=(1, 2)).sum() > 50


def test_only_things_are_instances(panoptic):
    instances = panoptic.model.to_instances(panoptic.raw, [panoptic.where(n) for n in (0, 1)])
    for number, found in enumerate(instances):
        labels = panoptic.golden[f"batch.PostProcess{number}.labels"]
        assert abs(len(found) - (labels <= 90).sum()) <= 1
        assert 0 < len(found) < len(labels)
        assert (found.labels <= 90).all()


def test_masks_are_made_for_the_kept_queries_only(panoptic):
    few = panoptic.make(score_threshold=0.9)
    with torch.inference_mode():
        raw = few(panoptic.images, panoptic.sizes)
    kept = panoptic.raw.scores > 0.9
    assert 2 < len(raw.image) == kept.sum() < 100
    torch.testing.assert_close(raw.maps, panoptic.raw.maps[kept], rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("threshold", [0.85, 0.5])
@pytest.mark.parametrize("number", [0, 1])
def test_panoptic_images(panoptic, number, threshold):
    name = f"batch.Panoptic{number}.thr{threshold}.orig"
    where = [panoptic.where(n) for n in (0, 1)]
    found = panoptic.model.to_panoptic(panoptic.raw, where, score_threshold=threshold)[number]
    ids, segments = panoptic.golden[f"{name}.id_map"], panoptic.golden.json(f"{name}.segments_info")
    category = np.array([segment["category_id"] for segment in segments])[ids]
    ours = np.array(found.classes.source_ids)[to_semantic(found)]
    assert (ours != category).mean() <= 5e-4
    listed = sorted((s["category_id"], s["isthing"], s["area"]) for s in segments)
    kept = [(s.label, found.classes.is_thing(s.label), s.area) for s in found.segments]
    for expected, got in zip(listed, sorted(kept), strict=True):
        assert got[:2] == expected[:2]
        assert abs(got[2] - expected[2]) <= max(25, 1e-3 * expected[2])


# -- training --------------------------------------------------------------------------------------


def test_matching_and_losses_of_every_layer(case):
    golden, targets = case.golden, case.targets()
    config = case.model.config
    truth = [
        (target.labels, torch.from_numpy(golden[f"target{number}.boxes_cxcywh"]))
        for number, target in enumerate(targets)
    ]
    for layer in range(LAYERS):
        name = "matcher" if layer == LAYERS - 1 else f"matcher_aux{layer}_"
        matches = match_boxes(
            case.logits[layer],
            case.boxes[layer],
            truth,
            class_cost=config.class_weight,
            box_cost=config.box_weight,
            giou_cost=config.giou_weight,
        )
        for number, match in enumerate(matches):
            assert np.array_equal(match.query, golden[f"{name}{number}.query"])
            assert np.array_equal(match.target, golden[f"{name}{number}.target"])
    with torch.inference_mode():
        layers, matches = case.model.box_losses(case.seen, case.sizes, targets)
        if case.masks:
            layers[-1] |= case.model.matched_mask_losses(case.seen, PADDED, targets, matches)
    for number, losses in enumerate(layers):
        suffix = "" if number == LAYERS - 1 else f"_{number}"
        for ours, value in losses.items():
            expected = float(golden[f"loss.loss_{LOSSES[ours]}{suffix}"])
            assert value.item() == pytest.approx(expected, rel=1e-4), (ours, number)


def test_the_sum_of_the_losses_and_its_gradients(case, monkeypatch):
    model = case.make()
    with monkeypatch.context() as patch:
        patch.setattr(torch.backends.mkldnn, "enabled", False)  # its rounding is the processor's
        losses = model.losses(case.images, case.sizes, case.targets())
        total = sum(losses.values())
        total.backward()
    assert total.item() == pytest.approx(float(case.golden["loss_total_weighted"]), rel=1e-4)
    norms = {name: p.grad.norm().reshape(1) for name, p in model.named_parameters()}
    ours = model.state_dict() | {name: norms[name] for name in norms}
    for name in ours.keys() - norms.keys():
        ours[name] = torch.full((1,), torch.nan)
    theirs = renamed(case, ours)
    expected = dict(
        zip(case.golden.json("grad_l2.names"), case.golden["grad_l2"].tolist(), strict=True)
    )
    assert sum(norm > 1e-4 for norm in expected.values()) > 150
    worst = {n: abs(theirs[n] / norm - 1) for n, norm in expected.items() if norm > 1e-4}
    assert max(worst.values()) < 1e-3, max(worst.items(), key=lambda item: item[1])


def renamed(case: "Case", values: dict[str, Tensor]) -> dict[str, float]:
    """Return one number an entry under the originals' names."""
    table = FACEBOOK_PANOPTIC if case.masks else FACEBOOK_BOXES
    return {name: float(v.flatten()[0]) for name, v in to_theirs(values, table).items()}


def test_the_second_step_trains_masks_alone(panoptic):
    frozen = panoptic.make(freeze_boxes=True).train()
    whole = panoptic.make().eval()
    results = []
    for model in (frozen, whole):
        losses = model.losses(panoptic.images, panoptic.sizes, panoptic.targets())
        sum(losses.values()).backward()
        results.append({name: p.grad for name, p in model.named_parameters()})
    ours, all_of_them = results
    learning = {name for name, gradient in ours.items() if gradient is not None}
    assert learning == {name for name in ours if name.startswith("mask_")}
    for name in learning:
        scale = all_of_them[name].abs().max()
        torch.testing.assert_close(ours[name], all_of_them[name], rtol=0, atol=float(1e-4 * scale))
    assert not frozen.transformer.training
    assert frozen.mask_head.training


# -- functions on tiny inputs ---------------------------------------------------------------------


@pytest.fixture(scope="module")
def units(goldens) -> Golden:
    return Golden(goldens / "units.npz")


@pytest.mark.parametrize("number", [0, 1])
def test_post_processing_of_given_predictions(units, number):
    sizes = units["detr.processed_hw"].tolist(), units["detr.target_hw"].tolist()
    where = Geometry.resize(tuple(sizes[1][number]), tuple(sizes[0][number]))
    maps = torch.from_numpy(units["detr.pred_masks"][number])
    largest = torch.tensor(sizes[0]).max(dim=0).values
    kept = torch.arange(len(maps))
    raw = QueryMasks(
        torch.zeros_like(kept), torch.zeros(len(maps), 4), kept / 100, kept, kept, maps, largest
    )
    (found,) = to_instances(raw, [where], things=None)
    assert np.array_equal(found.masks.to_dense(), units.mask(f"detr.post{number}.masks"))


@pytest.mark.parametrize("number", [0, 1])
def test_matching_of_given_predictions(units, number):
    target = tuple(
        torch.from_numpy(units[f"detr.target{number}.{part}"]) for part in ("labels", "boxes")
    )
    logits, boxes = (
        torch.from_numpy(units[f"detr.pred_{part}"][number : number + 1])
        for part in ("logits", "boxes")
    )
    (match,) = match_boxes(logits, boxes, [target], class_cost=1, box_cost=5, giou_cost=2)
    assert np.array_equal(match.query, units[f"detr.match{number}.query"])
    assert np.array_equal(match.target, units[f"detr.match{number}.target"])


def test_generalised_iou_dice_and_focal(units):
    boxes = from_centres(torch.from_numpy(units["detr.pred_boxes"][0]))
    true = from_centres(torch.from_numpy(units["detr.target0.boxes"]))
    found = giou(boxes[:, None], true[None])
    np.testing.assert_allclose(found, units["detr.giou"], rtol=0, atol=1e-6)
    wanted = torch.from_numpy(units.mask("detr.losstarget")).float()
    logits = torch.from_numpy(units["detr.pred_masks"][0]).flatten(1)
    assert logits.shape == wanted.shape
    for function, name in ((dice, "dice"), (focal, "focal")):
        value = function(logits, wanted).sum() / OBJECTS
        assert value.item() == pytest.approx(float(units[f"detr.{name}_loss"]), rel=1e-5)


# -- that the comparisons notice -------------------------------------------------------------------


def test_a_softmax_for_each_head_is_noticed(panoptic, monkeypatch):
    def per_head(*arguments: Tensor) -> Tensor:
        together = AttentionMaps.forward(panoptic.model.mask_attention, *arguments)
        return together / together.sum(dim=(2, 3), keepdim=True).clamp(min=1e-30)

    monkeypatch.setattr(panoptic.model.mask_attention, "forward", per_head)
    with pytest.raises(AssertionError, match="bbox_attention differs"):
        test_mask_head(panoptic)


def test_swapped_colours_are_noticed(case):
    rule = replace(case.model.preprocess, colour="bgr")
    swapped = rule.normalise(case.golden["image0_rgb_u8"])
    with torch.inference_mode():
        seen = case.model.encode(torch.from_numpy(swapped)[None], case.sizes[:1])
        logits, _ = case.model.answer(seen.hidden[-1])
    with pytest.raises(AssertionError, match="pred_logits differs"):
        case.golden.close("single0.pred_logits", logits, rtol=1e-4, atol=5e-3)


def test_a_class_table_off_by_one_is_noticed(case, monkeypatch):
    with torch.inference_mode():
        model = case.make()
        model.class_head.weight.copy_(model.class_head.weight.roll(1, dims=0))
        model.class_head.bias.copy_(model.class_head.bias.roll(1))
        monkeypatch.setattr(case, "raw", model(case.images, case.sizes))
    with pytest.raises(AssertionError):
        test_detections(case, 0)
