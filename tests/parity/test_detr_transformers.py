"""Our DETR against transformers' own, live: its random weights, converted, and the same images.

Both are built small in depth, as published in everything else. What transformers makes of its
outputs afterwards is another algorithm than the original's and is not compared.
"""

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from delineate.core.instances import Instances
from delineate.core.masks import Masks
from delineate.models.api import Target
from delineate.models.detr.model import DETR
from delineate.models.zoo import build
from delineate.weights.detr import LAYOUTS

transformers = pytest.importorskip("transformers")

SIZES = torch.tensor([[96, 160], [128, 70]])
LAYERS = {"encoder_layers": 2, "decoder_layers": 2}
BOXES = (((10, 5, 90, 60), (30, 40, 150, 96)), ((0, 20, 64, 120),))
NAMES = {"class": "ce", "box": "bbox", "giou": "giou", "mask": "mask", "dice": "dice"}


def theirs(kind: str, *, dilated: bool = False) -> nn.Module:
    """Return transformers' model with random weights that let every part be seen.

    Only with timm's backbone it can be dilated.
    """
    torch.manual_seed(0)
    backbone = {"use_timm_backbone": True, "backbone": "resnet50", "dilation": True}
    if not dilated:
        stages = ["stage1", "stage2", "stage3", "stage4"]
        own = transformers.ResNetConfig(depths=[3, 4, 6, 3], out_features=stages)
        backbone = {"use_timm_backbone": False, "backbone": None, "backbone_config": own}
    config = transformers.DetrConfig(
        num_labels=250 if kind == "DetrForSegmentation" else 91,
        num_queries=20,
        auxiliary_loss=True,
        **backbone,
        **LAYERS,
    )
    model = getattr(transformers, kind)(config).eval()
    random = torch.Generator().manual_seed(1)
    norms = [module for module in model.modules() if hasattr(module, "running_var")]
    with torch.no_grad():
        for norm in norms:  # timm's last norm of a block starts at 0 and would hide the block
            norm.weight.uniform_(0.3, 0.6, generator=random)
            norm.running_var.uniform_(0.5, 1.5, generator=random)
            norm.bias.normal_(0, 0.1, generator=random)
            norm.running_mean.normal_(0, 0.1, generator=random)
    assert len(norms) == 53
    return model


def ours(model: nn.Module, kind: str, *, dilated: bool = False) -> DETR:
    name = "huggingface_detr" + ("_panoptic" if kind == "DetrForSegmentation" else "")
    layout = next(layout for layout in LAYOUTS if layout.name == name)
    state = model.state_dict()
    identity = layout.identify(state)
    assert identity.options["queries"] == 20
    assert {key: identity.options[key] for key in LAYERS} == LAYERS
    name = identity.model + ("_dc5" if dilated else "")
    copy = build(name, classes=identity.classes, **identity.options)
    copy.load_state_dict(layout.to_ours(copy, state))
    assert isinstance(copy, DETR)
    return copy.eval()


def batch() -> tuple[Tensor, Tensor]:
    """Return images padded to one size, and which pixels are real."""
    height, width = SIZES.max(dim=0).values.tolist()
    images = torch.randn(2, 3, height, width, generator=torch.Generator().manual_seed(2))
    real = torch.zeros(2, height, width, dtype=torch.int64)
    for image, mask, (h, w) in zip(images, real, SIZES.tolist(), strict=True):
        mask[:h, :w] = 1
        image *= mask
    return images, real


@pytest.mark.parametrize("kind", ["DetrForObjectDetection", "DetrForSegmentation"])
def test_equals_transformers(kind):
    original = theirs(kind)
    model = ours(original, kind)
    images, real = batch()
    with torch.inference_mode():
        expected = original(pixel_values=images, pixel_mask=real)
        seen = model.encode(images, SIZES)
        logits, boxes = model.answer(seen.hidden[-1])
        torch.testing.assert_close(logits, expected.logits, rtol=1e-4, atol=1e-4)
        torch.testing.assert_close(boxes, expected.pred_boxes, rtol=1e-4, atol=1e-5)
        assert boxes.std() > 1e-3
        if kind == "DetrForSegmentation":
            maps = model.masks(seen, [torch.arange(20)] * 2).unflatten(0, (2, 20))
            assert maps.std() > 1e-2
            torch.testing.assert_close(maps, expected.pred_masks, rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize("dilated", [True, False])
def test_a_dilated_last_stage_is_transformers_s(dilated):
    kind = "DetrForObjectDetection"
    original = theirs(kind, dilated=True)
    model = ours(original, kind, dilated=dilated)
    images, real = batch()
    with torch.inference_mode():
        expected = original(pixel_values=images, pixel_mask=real)
        logits, boxes = model.answer(model.encode(images, SIZES).hidden[-1])
    same = torch.allclose(logits, expected.logits, rtol=1e-4, atol=1e-4)
    assert same == dilated  # the names and shapes of both are equal, the answers are not
    if dilated:
        torch.testing.assert_close(boxes, expected.pred_boxes, rtol=1e-4, atol=1e-5)


def truth(padded: tuple[int, int]) -> tuple[list[Target], list[dict[str, Tensor]]]:
    """Return the same rectangles as we and as they take them; their masks are padded."""
    targets, labels = [], []
    for number, (boxes, size) in enumerate(zip(BOXES, SIZES.tolist(), strict=True)):
        bitmaps = np.zeros((len(boxes), *padded), bool)
        for bitmap, (x0, y0, x1, y1) in zip(bitmaps, boxes, strict=True):
            bitmap[y0:y1, x0:x1] = True
        masks = Masks.from_bitmaps(bitmaps[:, : size[0], : size[1]], tuple(size))
        classes = np.arange(len(boxes)) + 17 * (number + 1)
        found = Instances(image_size=masks.size, boxes=masks.boxes(), labels=classes, masks=masks)
        targets.append(Target.from_instances(found))
        extent = torch.tensor([size[1], size[0]] * 2)
        low, high = (torch.tensor(boxes) / extent).split(2, dim=1)
        labels.append(
            {
                "class_labels": torch.from_numpy(classes),
                "boxes": torch.cat([(low + high) / 2, high - low], dim=1),
                "masks": torch.from_numpy(bitmaps).float(),
            }
        )
    return targets, labels


@pytest.mark.parametrize("kind", ["DetrForObjectDetection", "DetrForSegmentation"])
def test_losses_of_both_layers_are_transformers_s(kind):
    original = theirs(kind)
    model = ours(original, kind)
    images, real = batch()
    targets, labels = truth(tuple(images.shape[-2:]))
    if kind == "DetrForObjectDetection":
        targets = [target._replace(masks=None) for target in targets]
    with torch.inference_mode():
        expected = original(pixel_values=images, pixel_mask=real, labels=labels)
        losses = model.losses(images, SIZES, targets)
    assert sum(losses.values()).item() == pytest.approx(expected.loss.item(), rel=1e-4)
    for ours_name, theirs_name in NAMES.items():
        if ours_name in losses:
            weight = getattr(model.config, f"{ours_name}_weight")
            value = weight * expected.loss_dict[f"loss_{theirs_name}"].item()
            assert losses[ours_name].item() == pytest.approx(value, rel=1e-4), ours_name
    early = sum(
        getattr(model.config, f"{name}_weight") * expected.loss_dict[f"loss_{NAMES[name]}_0"]
        for name in ("class", "box", "giou")
    )
    assert losses["auxiliary"].item() == pytest.approx(early.item(), rel=1e-4)
    assert len(losses) == (6 if kind == "DetrForSegmentation" else 4)
