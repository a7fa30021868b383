"""What holds on a CPU holds on a CUDA device: the same answers, and learning in 16 bit."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from contract.cases import NAMES, batch, detect, make, truth
from delineate.data.synthetic import SyntheticScenes
from delineate.data.synthetic_panoptic import PanopticScenes
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


@pytest.mark.parametrize("name", NAMES)
def test_answers_are_those_of_the_cpu(name):
    model = make(name, seed=0).eval()
    images, sizes = batch()
    expected = detect(model, images, sizes)._asdict()
    found = detect(model.cuda(), images.cuda(), sizes.cuda())._asdict()
    assert found["boxes"].device.type == "cuda"
    assert found["image"].tolist() == expected["image"].tolist()
    assert found["labels"].tolist() == expected["labels"].tolist()
    for part, want in expected.items():
        least = 2e-3 * max(1.0, float(want.abs().max())) if want.is_floating_point() else 0.0
        torch.testing.assert_close(
            found[part].cpu(), want, rtol=2e-3, atol=least, msg=lambda m, p=part: f"{p}: {m}"
        )


@pytest.mark.parametrize("name", NAMES)
def test_every_parameter_learns_in_bfloat16(name):
    model = make(name, seed=0).cuda().train()
    images, sizes = batch()
    targets = [truth((4, 4, 40, 40), (50, 10, 90, 60), (0, 0, 96, 64)), truth((20, 20, 50, 50))]
    with torch.autocast("cuda", torch.bfloat16):
        losses = model.losses(images.cuda(), sizes.cuda(), [t.to("cuda") for t in targets])
    assert all(loss.isfinite() and loss > 0 for loss in losses.values())
    sum(losses.values()).backward()
    gradients = {name: p.grad for name, p in model.named_parameters()}
    assert [n for n, g in gradients.items() if g is None or not g.isfinite().all()] == []
    assert [n for n, g in gradients.items() if not g.any()] == []


@pytest.mark.parametrize("precision", ["auto", "16-mixed"])
@pytest.mark.parametrize("recipe", SMALL_RECIPES)
def test_a_run_is_trained_and_used(recipe, precision, tmp_path):
    drawn = PanopticScenes if recipe.startswith("panoptic") else SyntheticScenes
    train, val = drawn(16, size=(96, 128), seed=1), drawn(2, size=(96, 128), seed=2)
    config = RECIPES[recipe]()
    config = replace(
        config,
        model=config.model.replace(score_threshold=0.0),
        budget=BudgetConfig(steps=6),
        precision=precision,
        validate_every=0.5,
        batch_size=4,
    )
    fit(config, train, val, tmp_path / "run", device="cuda")
    assert saved_config(tmp_path / "run").precision == precision.replace("auto", "bf16-mixed")
    model = load(tmp_path / "run")
    here, there = (
        Predictor(model, device=device, score_threshold=0.0)(val[0].image)
        for device in ("cpu", "cuda")
    )
    assert len(here) > 5
    assert abs(len(here) - len(there)) <= 0.1 * len(here)
    np.testing.assert_allclose(there.scores[:5], here.scores[:5], atol=2e-3)


def test_a_run_goes_on_where_it_was_left(tmp_path):
    scenes = SyntheticScenes(16, size=(96, 128), seed=1)
    config = replace(
        RECIPES["mask_rcnn_nano"](),
        budget=BudgetConfig(steps=8),
        checkpoint_steps=2,
        batch_size=4,
    )

    class Steps:
        def __init__(self, until):
            self.done, self._until = [], until

        def step(self, event):
            self.done.append(event.step)
            if event.step == self._until:
                raise KeyboardInterrupt

        def validation(self, event): ...
        def note(self, text): ...
        def close(self): ...

    first, then = Steps(5), Steps(None)
    with pytest.raises(KeyboardInterrupt):
        fit(config, scenes, None, tmp_path / "run", device="cuda", sinks=[first])
    fit(config, scenes, None, tmp_path / "run", device="cuda", resume=True, sinks=[then])
    assert (first.done, then.done) == ([1, 2, 3, 4, 5], [5, 6, 7, 8])
