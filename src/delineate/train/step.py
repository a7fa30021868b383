"""One step of learning: images in, weights changed.

`Learner` holds everything that a step reads and writes; the loop around it holds none of it.
Lightning Fabric places the model, casts the arithmetic and scales the loss.
"""

import math
from collections.abc import Mapping, Sequence
from typing import cast

import torch
from lightning_fabric import Fabric
from torch import Tensor

from delineate.core.classes import ClassMap
from delineate.data.sample import Sample
from delineate.errors import TrainingDiverged
from delineate.models.api import SegModel, Target
from delineate.models.zoo import build
from delineate.train.balance import weights_of
from delineate.train.checkpoint import capture, restore
from delineate.train.config import TrainConfig
from delineate.train.optim import Ema, build_optimizer, set_learning_rate
from delineate.train.start import give_start


class Learner:
    """A model that learns, with its optimizer and its running average.

    Args:
        config: Resolved.
        classes: The classes to learn.
        accelerator: "cpu", "cuda" or "mps".
        begin: Give it the weights to begin with; False leaves them random for `restore`.

    Raises:
        ConfigError: See `give_start`, as for the next two.
        ModelError: The weights to begin with are unknown or do not fit.
        DownloadError: They cannot be fetched.
    """

    def __init__(
        self, config: TrainConfig, classes: ClassMap, *, accelerator: str, begin: bool
    ) -> None:
        assert config.precision != "auto"
        self.fabric = Fabric(accelerator=accelerator, devices=1, precision=config.precision)
        self.model = build(config.model, classes=classes, preprocess=config.preprocess)
        self.new_parts = give_start(self.model, config.pretrained) if begin else ()
        self.model.to(self.fabric.device).to(memory_format=torch.channels_last).train()
        decay = config.ema.decay
        self.ema = None if decay is None else Ema(self.model, decay)
        self.optimizer = build_optimizer(self.model, config.optim)
        weights = weights_of(config.loss, classes)
        self._class_weights = None if weights is None else weights.to(self.fabric.device)
        self._clip = config.optim.clip_norm or math.inf
        self._network, self._stepper = self.fabric.setup(self.model, self.optimizer)
        self._network.mark_forward_method("losses")

    @property
    def measured(self) -> SegModel:
        """The model to validate and to keep: the running average where there is one."""
        return self.model if self.ema is None else self.ema.model

    def step(
        self, batches: Sequence[Sequence[Sample]], *, number: int, rate: float
    ) -> dict[str, float]:
        """Learn from the images of one optimizer step.

        Args:
            batches: Their gradients are averaged.
            number: Steps done before.
            rate: Learning rate.

        Returns:
            The terms of the loss, averaged over the batches.

        Raises:
            TrainingDiverged: The loss or its gradient is not a number; the weights are as before.
        """
        set_learning_rate(self.optimizer, rate)
        means: dict[str, float] = {}
        for samples in batches:
            losses = self._network.losses(*self._tensors(samples), self._class_weights)
            values = dict(zip(losses, torch.stack(list(losses.values())).tolist(), strict=True))
            if not all(map(math.isfinite, values.values())):
                raise _diverged("loss", values, samples, number, rate)
            self.fabric.backward(sum(losses.values()) / len(batches))
            for name, value in values.items():
                means[name] = means.get(name, 0.0) + value / len(batches)
        norm = self.fabric.clip_gradients(
            self._network, self._stepper, max_norm=self._clip, error_if_nonfinite=False
        )
        # 16-bit training finds the largest scale of its gradients by overflowing now and then.
        if not self.scaler() and not math.isfinite(cast(Tensor, norm)):
            everything = [sample for samples in batches for sample in samples]
            raise _diverged("gradient", means, everything, number, rate)
        self._stepper.step()
        self._stepper.zero_grad()
        if self.ema is not None:
            self.ema.update(self.model, number)
        return means

    def scaler(self) -> dict[str, float]:
        """Return the state of the loss scaling; empty unless the precision is 16-mixed."""
        return self.fabric.strategy.precision.state_dict()

    def tensors(self) -> dict[str, Tensor]:
        """Return all tensors that the next step depends on."""
        return capture(self.model, self.ema, self.optimizer)

    def restore(self, tensors: Mapping[str, Tensor], scaler: Mapping[str, float]) -> None:
        """Go back to a state that `tensors` and `scaler` described."""
        restore(tensors, self.model, self.ema, self.optimizer)
        self.fabric.strategy.precision.load_state_dict(dict(scaler))

    def _tensors(self, samples: Sequence[Sample]) -> tuple[Tensor, Tensor, list[Target]]:
        """Turn samples, at the size the network sees, into the arguments of `SegModel.losses`."""
        preprocess = self.model.preprocess
        images, sizes = preprocess.batch([preprocess.normalise(s.image) for s in samples])
        device = self.fabric.device
        return (
            torch.from_numpy(images).to(device),
            torch.from_numpy(sizes).to(device),
            [Target.from_instances(s.instances, s.stuff).to(device) for s in samples],
        )


def _diverged(
    what: str, losses: Mapping[str, float], samples: Sequence[Sample], number: int, rate: float
) -> TrainingDiverged:
    terms = ", ".join(f"{name} {value:.4g}" for name, value in losses.items())
    names = ", ".join(sample.name for sample in samples)
    return TrainingDiverged(
        f"the {what} of step {number + 1} is not a finite number ({terms}) on the images {names}: "
        f"lower optim.lr (the rate is {rate:.2g} here), lengthen optim.warmup_steps, or look at "
        "these images and their masks; last/ holds the weights of an earlier step."
    )
