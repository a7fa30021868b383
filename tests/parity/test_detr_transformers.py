"""Our DETR against transformers' own, live: its random weights, converted, and the same images.

Both are built small in depth, as published in everything else. What transformers makes of its
outputs afterwards is another algorithm than the original's and is not compared.
"""

import pytest
import torch
from torch import Tensor, nn

from delineate.models.detr.model import DETR
from delineate.models.zoo import build
from delineate.weights.detr import LAYOUTS

transformers = pytest.importorskip("transformers")

SIZES = torch.tensor([[96, 160], [128, 70]])
LAYERS = {"encoder_layers": 2, "decoder_layers": 2}


def theirs(kind: str) -> nn.Module:
    """Return transformers' model with random weights that let every part be seen."""
    torch.manual_seed(0)
    backbone = transformers.ResNetConfig(
        depths=[3, 4, 6, 3], out_features=["stage1", "stage2", "stage3", "stage4"]
    )
    config = transformers.DetrConfig(
        use_timm_backbone=False,
        use_pretrained_backbone=False,
        backbone_config=backbone,
        backbone=None,
        num_labels=250 if kind == "DetrForSegmentation" else 91,
        num_queries=20,
        auxiliary_loss=False,
        **LAYERS,
    )
    model = getattr(transformers, kind)(config).eval()
    random = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for name, value in model.state_dict().items():
            if name.endswith("running_var"):
                value.uniform_(0.5, 1.5, generator=random)
            elif name.endswith(("normalization.bias", "running_mean")):
                value.normal_(0, 0.1, generator=random)
    return model


def ours(model: nn.Module, kind: str) -> DETR:
    name = "huggingface_detr" + ("_panoptic" if kind == "DetrForSegmentation" else "")
    layout = next(layout for layout in LAYOUTS if layout.name == name)
    state = model.state_dict()
    identity = layout.identify(state)
    assert identity.options["queries"] == 20
    assert {key: identity.options[key] for key in LAYERS} == LAYERS
    copy = build(identity.model, classes=identity.classes, **identity.options)
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
