"""What holds on a CPU holds on a CUDA device: the same answers, and learning in 16 bit."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from contract.cases import batch, detect, each, make, truth
from contract.families import FAMILIES
from delineate.data.synthetic import SyntheticScenes
from delineate.data.synthetic_panoptic import PanopticScenes
from delineate.models.zoo import MODELS
from delineate.predict.predictor import Predictor
from delineate.recipes.table import RECIPES
from delineate.train.config import BudgetConfig
from delineate.train.folder import saved_config
from delineate.train.loop import fit
from delineate.weights.load import load

pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")

SMALL_RECIPES = ["mask_rcnn_nano", "panoptic_fpn_nano", "yolact_nano", "detr_nano"]


@pytest.fixture(autouse=True)
def whole_float32(monkeypatch):
    """Ampere and later round the inputs of convolutions to 10 bits unless told not to."""
    monkeypatch.setattr(torch.backends.cudnn, "allow_tf32", False)


@pytest.mark.parametrize("name", sorted(MODELS))
def test_answers_are_those_of_the_cpu(name):
    model = make(name, seed=0).eval()
    images, sizes = batch()
    expected = detect(model, images, sizes)
    found = detect(model.cuda(), images.cuda(), sizes.cuda())
    assert found.boxes.device.type == "cuda"
    assert found.image.tolist() == expected.image.tolist()
    assert found.labels.tolist() == expected.labels.tolist()
    family = FAMILIES[model.family]
    for part, want in each(expected, family).items():
        got = each(found, family)[part].cpu()
        torch.testing.assert_close(
            got, want, rtol=2e-3, atol=2e-3, msg=lambda m, p=part: f"{p}: {m}"
        )


@pytest.mark.parametrize("name", sorted(MODELS))
def test_every_parameter_learns_in_bfloat16(name):
    model = make(name, seed=0).cuda().train()
    images, sizes = batch()
    targets = [truth((4, 4, 40, 40), (50, 10, 90, 60), (0, 0, 96, 64)), truth((20, 20, 50, 50))]
    with torch.autocast("cuda", torch.bfloat16):
        losses = model.losses(images.cuda(), sizes.cuda(), [t.to("cuda") for t in targets])
    assert all(loss.isfinite() and loss > 0 for loss in losses.values())
    sum(losses.values()).backward()
    lost = [n for n, p in model.named_parameters() if p.grad is None or not p.grad.isfinite().all()]
    assert lost == []


@pytest.mark.parametrize("precision", ["auto", "16-mixed"])
@pytest.mark.parametrize("recipe", SMALL_RECIPES)
def test_a_run_is_trained_resumed_and_used(recipe, precision, tmp_path):
    drawn = PanopticScenes if recipe.startswith("panoptic") else SyntheticScenes
    train, val = drawn(16, size=(96, 128), seed=1), drawn(2, size=(96, 128), seed=2)
    config = replace(RECIPES[recipe](), precision=precision, validate_every=0.5, batch_size=4)
    fit(
        replace(config, budget=BudgetConfig(steps=6)), train, val, tmp_path / "first", device="cuda"
    )
    assert saved_config(tmp_path / "first").precision in ("bf16-mixed", "16-mixed")
    model = load(tmp_path / "first")
    image = val[0].image
    here = Predictor(model, device="cpu", score_threshold=0.0)(image)
    there = Predictor(model, device="cuda", score_threshold=0.0)(image)
    assert abs(len(here) - len(there)) <= 0.1 * len(here)
    best = min(len(here), len(there), 5)
    np.testing.assert_allclose(there.scores[:best], here.scores[:best], atol=2e-3)


def test_a_run_goes_on_where_it_was_left(tmp_path):
    scenes = SyntheticScenes(16, size=(96, 128), seed=1)
    config = replace(RECIPES["mask_rcnn_nano"](), budget=BudgetConfig(steps=8), batch_size=4)

    class Interrupt:
        def step(self, event):
            if event.step == 4:
                raise KeyboardInterrupt

        def validation(self, event): ...
        def note(self, text): ...
        def close(self): ...

    config = replace(config, checkpoint_steps=2)
    with pytest.raises(KeyboardInterrupt):
        fit(config, scenes, None, tmp_path / "run", device="cuda", sinks=[Interrupt()])
    result = fit(config, scenes, None, tmp_path / "run", device="cuda", resume=True)
    assert result.metrics["step"] == 8
