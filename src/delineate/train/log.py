"""What a run says while it learns, and where it goes: JSON lines, a terminal, TensorBoard.

The loop tells every sink the same three things and knows nothing about files or screens.
"""

import contextlib
import json
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from rich.console import Console as RichConsole
from rich.console import Group
from rich.live import Live
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn
from rich.text import Text

from delineate._files import output_error, write_whole
from delineate._optional import need


@dataclass(frozen=True, slots=True, kw_only=True)
class StepEvent:
    """One optimizer step was done."""

    step: int
    """Steps done so far, this one included."""
    epoch: int
    """Pass over the training set, counted from 0."""
    progress: float
    """Share of the budget used, 0 to 1."""
    seconds: float
    """Time the run has taken so far, over all its resumptions."""
    images: int
    """Images in this step."""
    lr: float
    losses: Mapping[str, float]
    """The terms of the loss; their sum is the loss."""

    @property
    def seconds_left(self) -> float:
        """Time the rest of the budget takes at the pace so far."""
        return self.seconds * (1 - self.progress) / self.progress if self.progress else float("inf")


@dataclass(frozen=True, slots=True, kw_only=True)
class ValidationEvent:
    """The weights were measured on the validation split."""

    step: int
    seconds: float
    metrics: Mapping[str, Mapping[str, float]]
    """COCO's measures by name under "segm" and "bbox"; under "panoptic" PQ and its parts."""
    best: bool
    """No earlier weights of this run were better."""


_TOLD = {
    "panoptic": ("PQ", "PQ_things", "PQ_stuff"),
    "segm": ("AP", "AP50", "AP75"),
    "bbox": ("AP", "AP50", "AP75"),
}
"""Measures for people: those of the first kind that there is."""

_ROUNDING = 1e-3  # seconds are written with three digits


class Sink(Protocol):
    """Somewhere to tell what happens."""

    def step(self, event: StepEvent) -> None:
        """Take note of a step."""

    def validation(self, event: ValidationEvent) -> None:
        """Take note of a validation."""

    def note(self, text: str) -> None:
        """Take note of a sentence for people."""

    def close(self) -> None:
        """Finish; nothing is told afterwards."""


@dataclass(slots=True)
class Window:
    """Means over the last few steps."""

    steps: int = 0
    images: int = 0
    sums: dict[str, float] = field(default_factory=dict)
    since: float = field(default_factory=time.monotonic)

    def add(self, event: StepEvent) -> None:
        """Count a step in."""
        self.steps += 1
        self.images += event.images
        for name, value in event.losses.items():
            self.sums[name] = self.sums.get(name, 0.0) + value

    def losses(self) -> dict[str, float]:
        """Return the mean of the whole loss and of each of its terms."""
        means = {name: total / self.steps for name, total in self.sums.items()}
        return {"loss": sum(means.values())} | means

    def images_per_second(self) -> float:
        """Return the pace since the window was opened."""
        return self.images / max(time.monotonic() - self.since, 1e-9)


class JsonLines:
    """One JSON object a line: every few steps their means, every validation its measures."""

    def __init__(self, path: Path, *, every: int, until: float) -> None:
        """Open the file for appending.

        Args:
            path: The file.
            every: Steps summed up in one line.
            until: Time of the run, in seconds; later lines, left when it was killed, are dropped.

        Raises:
            OutputError: The file cannot be written.
        """
        self._every = every
        self._window = Window()
        try:
            _drop_after(path, until)
            self._file = path.open("a", encoding="utf-8")
        except OSError as error:
            raise output_error(path, error) from error

    def step(self, event: StepEvent) -> None:
        """Add to the mean, and write it when enough steps are in."""
        self._window.add(event)
        if event.step % self._every == 0:
            self._write(
                {
                    "kind": "train",
                    "step": event.step,
                    "epoch": event.epoch,
                    "progress": round(event.progress, 6),
                    "seconds": round(event.seconds, 3),
                    "lr": event.lr,
                    "losses": self._window.losses(),
                    "images_per_second": round(self._window.images_per_second(), 3),
                }
            )
            self._window = Window()

    def validation(self, event: ValidationEvent) -> None:
        """Write one line."""
        self._write(
            {
                "kind": "validation",
                "step": event.step,
                "seconds": round(event.seconds, 3),
                "best": event.best,
                **event.metrics,
            }
        )
        self._window = Window()

    def note(self, text: str) -> None:
        """Leave sentences to people's sinks."""

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def _write(self, record: Mapping[str, Any]) -> None:
        try:
            self._file.write(json.dumps(record) + "\n")
            self._file.flush()
        except OSError as error:
            raise output_error(self._file.name, error) from error


def _drop_after(path: Path, seconds: float) -> None:
    """Keep the whole lines up to a time; the last line may have been cut by a kill."""
    if not path.exists():
        return
    kept = []
    for line in path.read_text(encoding="utf-8").splitlines():
        with contextlib.suppress(json.JSONDecodeError):
            if json.loads(line)["seconds"] <= seconds + _ROUNDING:
                kept.append(line + "\n")
    write_whole(path, "".join(kept).encode())


class Console:
    """Progress for people, on stderr: a live bar on a terminal, else a plain line now and then."""

    def __init__(self, console: RichConsole | None = None, *, every_seconds: float = 10.0) -> None:
        """Prepare the display.

        Args:
            console: Where to write; stderr by default.
            every_seconds: Time between two plain lines where there is no terminal.
        """
        self._console = console or RichConsole(stderr=True)
        self._every = every_seconds
        self._window = Window()
        self._smooth: dict[str, float] = {}
        self._bar = Progress(
            BarColumn(bar_width=20),
            TaskProgressColumn(),
            TextColumn("{task.description}"),
            console=self._console,
        )
        self._task = self._bar.add_task("", total=1.0)
        self._losses = Text()
        lines = Group(self._bar, self._losses)
        self._live = Live(lines, console=self._console, transient=True)

    def step(self, event: StepEvent) -> None:
        """Move the bar, or print a line when the last is old enough."""
        for name, value in event.losses.items():
            self._smooth[name] = 0.95 * self._smooth.get(name, value) + 0.05 * value
        self._window.add(event)
        pace = (
            f"{_duration(event.seconds_left)} left  step {event.step}  "
            f"{self._window.images_per_second():.1f} images/s  lr {event.lr:.1e}"
        )
        terms = ", ".join(f"{name} {value:.2f}" for name, value in self._smooth.items())
        losses = f"loss {sum(self._smooth.values()):.2f}: {terms}"
        is_due = time.monotonic() - self._window.since >= self._every
        if self._console.is_terminal:
            self._live.start()  # once; a run that fails before its first step leaves no bar behind
            self._bar.update(self._task, completed=event.progress, description=pace)
            self._losses.plain = losses
        elif is_due:
            self._print(f"{100 * event.progress:3.0f}%  {pace}  {losses}")
        if is_due:
            self._window = Window()

    def validation(self, event: ValidationEvent) -> None:
        """Print the panoptic quality, else the measures of the masks, else of the boxes."""
        kind = next(kind for kind in _TOLD if kind in event.metrics)
        values = event.metrics[kind]
        told = "  ".join(f"{name} {values[name]:.3f}" for name in _TOLD[kind])
        mark = "  (best so far)" if event.best else ""
        self._print(
            f"step {event.step}, {_duration(event.seconds)}: validation {kind} {told}{mark}"
        )
        self._window = Window()

    def note(self, text: str) -> None:
        """Print the sentence."""
        self._print(text)

    def close(self) -> None:
        """Remove the bar."""
        self._live.stop()

    def _print(self, text: str) -> None:
        self._console.print(text, markup=False, highlight=False, soft_wrap=True)


class TensorBoard:
    """Curves for TensorBoard (extra ``track``)."""

    def __init__(self, folder: Path, *, every: int) -> None:
        """Open a writer in `folder`; `every` steps are averaged into one point.

        Raises:
            MissingExtra: TensorBoard is not installed.
        """
        self._writer = need("torch.utils.tensorboard", extra="track").SummaryWriter(str(folder))
        self._every = every
        self._window = Window()

    def step(self, event: StepEvent) -> None:
        """Add to the mean, and write it when enough steps are in."""
        self._window.add(event)
        if event.step % self._every == 0:
            for name, value in self._window.losses().items():
                self._writer.add_scalar(f"train/{name}", value, event.step)
            self._writer.add_scalar("train/lr", event.lr, event.step)
            pace = self._window.images_per_second()
            self._writer.add_scalar("train/images_per_second", pace, event.step)
            self._window = Window()

    def validation(self, event: ValidationEvent) -> None:
        """Write one point for each measure."""
        for kind, values in event.metrics.items():
            for name, value in values.items():
                self._writer.add_scalar(f"validation/{kind}/{name}", value, event.step)
        self._window = Window()

    def note(self, text: str) -> None:
        """Leave sentences to people's sinks."""

    def close(self) -> None:
        """Write what is left."""
        self._writer.close()


def _duration(seconds: float) -> str:
    if seconds == float("inf"):
        return "?"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"
