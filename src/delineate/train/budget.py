"""How much of a run is done, and when it is time to validate: arithmetic on a `Position`.

In steps or epochs the answer depends on the step alone. In minutes it depends on the clock, and the
learning ends early enough for the last validation to fit in: how long one takes is estimated from a
few images until the first is done.
"""

import math
from dataclasses import dataclass
from typing import Self

from delineate.train.checkpoint import Position
from delineate.train.config import TrainConfig

_RESERVE = 1.25  # times a step and the last validation are kept free for the end
_PATIENCE = 5.0  # times a validation's duration is spent learning before the next, on the clock
_TRIAL_IMAGES = 5
_TRIAL = 0.05  # share of the budget after which the first validation's duration is estimated
_ROUNDING = 1e-9


@dataclass(frozen=True, slots=True, kw_only=True)
class Budget:
    """The end of a run; exactly one of `steps` and `seconds` is set."""

    steps: int | None
    seconds: float | None
    validate_every: float
    """Share of the budget between two validations."""

    @classmethod
    def of(cls, config: TrainConfig, *, batches_per_epoch: int) -> Self:
        """Read it from a resolved config."""
        assert config.validate_every != "auto"
        steps, minutes = config.budget.steps, config.budget.minutes
        if config.budget.epochs is not None:
            steps = math.ceil(config.budget.epochs * batches_per_epoch / config.accumulate)
        return cls(
            steps=steps,
            seconds=None if minutes is None else 60 * minutes,
            validate_every=config.validate_every,
        )

    def progress(self, position: Position) -> float:
        """Return the share of the budget that is used, 0 to 1."""
        if self.steps is not None:
            return min(1.0, position.step / self.steps)
        assert self.seconds is not None
        reserve = _RESERVE * (position.validation_seconds + position.step_seconds)
        available = self.seconds - reserve
        return min(1.0, position.seconds / available) if available > 0 else 1.0

    def validation_is_due(self, position: Position, progress: float) -> bool:
        """Return whether to validate before the next step, or at the end."""
        if progress >= 1:
            return position.validated_step != position.step
        if self.seconds is not None:
            learned = position.seconds - position.validation_ended
            if learned < _PATIENCE * position.validation_seconds:
                return False
        return self._mark(progress) > self._mark(position.validated)

    def trial_is_due(self, position: Position, progress: float) -> bool:
        """Return whether it is time to estimate how long a validation takes, on the clock."""
        is_unknown = self.seconds is not None and not position.validation_seconds
        return is_unknown and _TRIAL <= progress < 1

    def trial_is_enough(self, images: int, seconds: float) -> bool:
        """Return whether an estimate has seen enough images, or has cost enough time."""
        assert self.seconds is not None
        return images >= _TRIAL_IMAGES or seconds >= _TRIAL * self.seconds

    def _mark(self, progress: float) -> int:
        """Count the points of validation up to `progress`."""
        return math.floor(progress / self.validate_every + _ROUNDING)
