"""The training loop, from data to a run folder, in one file to be read from top to bottom.

A run folder holds ``config.yaml`` (resolved), ``metrics.jsonl``, ``best.safetensors`` (the weights
that were best on the validation split), ``last/`` (everything to resume) and, at the end,
``metrics.json``.

A run whose budget is in steps or epochs depends on its config and data alone: killed and resumed at
any moment, it ends on one CPU with the same weights bit for bit. A budget in minutes follows the
clock.
"""

import contextlib
import shutil
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from itertools import islice
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np
import torch

from delineate._files import write_whole
from delineate._optional import need
from delineate.data.loader import Loader, check_may_start_workers
from delineate.data.pasted.learnt import LOOKED_AT
from delineate.data.sample import Dataset, Sample
from delineate.errors import DataError, DelineateError, ReaderLost
from delineate.train import checkpoint
from delineate.train.budget import Budget
from delineate.train.checkpoint import Checkpoint, Origin, Position
from delineate.train.config import TrainConfig, from_dict, to_dict, to_yaml
from delineate.train.feed import epoch_of, feed, held_out, labelled
from delineate.train.folder import BEST, CONFIG, CURVES, LINES, finish, offer, open_folder
from delineate.train.log import JsonLines, Sink, StepEvent, TensorBoard, ValidationEvent
from delineate.train.optim import learning_rate
from delineate.train.resolve import accelerator_of, resolve
from delineate.train.step import Learner
from delineate.train.stop import Stop
from delineate.train.validate import measure


@dataclass(frozen=True, slots=True, kw_only=True)
class FitResult:
    """What came out of a run."""

    run: Path
    """The run folder."""
    best: Path
    """The checkpoint to use."""
    metrics: dict[str, Any]
    """Content of ``metrics.json``: COCO's measures of the best checkpoint, its step and minutes."""
    val: Dataset | None = field(compare=False, repr=False)
    """The validation split that was used, given or held out; its labels are the model's."""


@dataclass(slots=True, kw_only=True)
class Run:
    """The parts of a run in progress; only `position` and the learner's weights change."""

    config: TrainConfig
    val: Dataset | None
    out: Path
    origin: Origin
    learner: Learner
    loader: Loader
    budget: Budget
    position: Position
    sinks: list[Sink] = field(default_factory=list)

    def save(self) -> None:
        """Write ``last/``."""
        state = Checkpoint(
            position=self.position,
            origin=self.origin,
            scaler=self.learner.scaler(),
            tensors=self.learner.tensors(),
        )
        checkpoint.save(checkpoint.file_in(self.out), state)

    def note(self, text: str) -> None:
        """Tell people a sentence."""
        for sink in self.sinks:
            sink.note(text)


def fit(
    config: TrainConfig,
    train: Dataset,
    val: Dataset | None,
    out: str | Path,
    *,
    resume: bool = False,
    sinks: Sequence[Sink] = (),
    device: str = "auto",
) -> FitResult:
    """Train a model.

    Args:
        config: What to do; every "auto" is resolved first.
        train: The training set; its classes become the model's.
        val: The validation split. Without one, `DataConfig.val_fraction` of `train` is held out.
        out: The run folder; it must not hold a run yet, unless `resume`.
        resume: Go on from ``out/last``. A run that was not begun yet is begun, a finished one is
            returned as it is.
        sinks: Who else is told what happens; ``metrics.jsonl`` is always written.
        device: "auto", "cpu", "cuda" or "mps".

    Raises:
        ConfigError: An option does not fit, `out` holds another run, or a script has begun again
            in one of its own processes.
        DataError: There is nothing to learn from, or a picture cannot be read; in the middle of a
            run, ``last/`` then has everything up to the last step.
        ReaderLost: A process that reads images has ended; ``last/`` has everything, as above, but
            before the first step a new run leaves no folder.
        ClassMismatch: The validation split has classes that the training set lacks.
        OutputError: The run folder cannot be written.
        TrainingDiverged: The loss became infinite or not a number.
        MissingExtra: The config wants TensorBoard, and it is not installed.
        KeyboardInterrupt: The user stopped the run; ``last/`` has everything up to the last step.
    """
    check_may_start_workers()
    accelerator = accelerator_of(device)
    config = from_dict(to_dict(config))  # checks what a recipe or a script put in
    train, val = held_out(config, train, val)
    if val is not None and not any(len(val.instances(index)) for index in range(len(val))):
        raise DataError(
            f"the validation split {val.name!r} should have objects to measure by, but none of its "
            f"{len(val)} images has any: label some, or take other images to measure by."
        )
    config = resolve(config, train, accelerator=accelerator)
    train, val = labelled(config, train, val)
    if config.tensorboard:
        need("torch.utils.tensorboard", extra="track")  # before there is a run folder
    gpus = [torch.cuda.current_device()] if accelerator == "cuda" else []
    with torch.random.fork_rng(gpus), contextlib.ExitStack() as stack:
        run = _begin(config, train, val, Path(out), accelerator, resume=resume, sinks=sinks)
        if not resume:
            stack.push(partial(_drop_if_unbegun, run))  # when all sinks are closed
        lines = JsonLines(run.out / LINES, every=config.log_every, until=run.position.seconds)
        run.sinks.extend([lines, *sinks])
        if config.tensorboard:
            run.sinks.append(TensorBoard(run.out / CURVES, every=config.log_every))
        for sink in run.sinks:
            stack.callback(sink.close)
        verb = f"resuming after step {run.position.step}" if run.position.step else "training"
        run.note(
            f"{verb}: {len(train)} images{epoch_of(config, run.loader)}, {len(val or ())} for "
            f"validation, {len(train.classes)} class{'es' * (len(train.classes) != 1)}, on "
            f"{run.learner.fabric.device}, in {out}"
        )
        if parts := run.learner.new_parts:
            run.note(f"{config.pretrained} has no {', '.join(parts)}: random at the start")
        with Stop() as stop:
            try:
                _learn(run, stop)
            except DataError as error:
                raise _kept(run, error, "mend the file, and --resume goes on") from error
            except ReaderLost as error:
                if not run.position.step:
                    raise
                raise _kept(run, error, "--resume goes on") from error
    return FitResult(run=run.out, best=run.out / BEST, metrics=finish(run.out), val=val)


def _begin(
    config: TrainConfig,
    train: Dataset,
    val: Dataset | None,
    out: Path,
    accelerator: str,
    *,
    resume: bool,
    sinks: Sequence[Sink],
) -> Run:
    """Put a run together: at its start, or as its last checkpoint left it."""
    origin = Origin.of(config, {"train": train} if val is None else {"train": train, "val": val})
    is_new = not out.exists()
    earlier = open_folder(out, origin, resume=resume)
    try:
        if config.data.synthetic:
            for sink in sinks:
                sink.note(f"learning from {min(len(train), LOOKED_AT)} images how to make others")
        loader = feed(config, train)
        torch.manual_seed(config.seed)
        learner = Learner(config, train.classes, accelerator=accelerator, begin=earlier is None)
    except BaseException:
        if is_new:
            with contextlib.suppress(OSError):  # what is wrong is said by the error itself
                out.rmdir()
        raise
    if earlier is not None:
        learner.restore(earlier.tensors, earlier.scaler)
    run = Run(
        config=config,
        val=val,
        out=out,
        origin=origin,
        learner=learner,
        loader=loader,
        budget=Budget.of(config, batches_per_epoch=loader.batches_per_epoch),
        position=earlier.position if earlier else Position(),
    )
    write_whole(out / CONFIG, to_yaml(config).encode())
    if earlier is None:
        run.save()
    return run


def _learn(run: Run, stop: Stop) -> None:
    """Step and validate until the budget is used up or the user says stop."""
    config, position, batches = run.config, run.position, _batches(run)
    saved = time.monotonic()
    started = saved - position.seconds
    while not stop.requested:
        position.seconds = time.monotonic() - started
        progress = run.budget.progress(position)
        if run.val is not None and run.budget.trial_is_due(position, progress):
            position.validation_seconds = _expected_seconds(run, run.val, stop)
            continue
        if run.budget.validation_is_due(position, progress):
            _validate(run, progress, stop)
            saved = time.monotonic()
            continue
        if progress >= 1:
            return
        rate = learning_rate(config.optim, position.step, progress)
        try:
            samples = list(islice(batches, config.accumulate))
        except ReaderLost:
            if not stop.requested:
                raise
            break  # what stopped the training has ended its readers, too
        losses = run.learner.step(samples, number=position.step, rate=rate)
        epoch = position.step * config.accumulate // run.loader.batches_per_epoch
        position.step += 1
        position.step_seconds = time.monotonic() - started - position.seconds
        position.seconds += position.step_seconds
        event = StepEvent(
            step=position.step,
            epoch=epoch,
            progress=run.budget.progress(position),
            seconds=position.seconds,
            images=sum(map(len, samples)),
            lr=rate,
            losses=losses,
        )
        for sink in run.sinks:
            sink.step(event)
        by_clock = time.monotonic() - saved >= 60 * config.checkpoint_minutes
        by_count = config.checkpoint_steps and position.step % config.checkpoint_steps == 0
        if by_clock or by_count:
            run.save()
            saved = time.monotonic()
    run.save()
    run.note(f"stopped after step {position.step}; nothing is lost: --resume goes on in {run.out}")
    raise KeyboardInterrupt


def _drop_if_unbegun(
    run: Run,
    kind: type[BaseException] | None,
    error: BaseException | None,
    trace: TracebackType | None,
) -> None:
    """Remove a new run that never had a batch, so that the mended script can begin it again."""
    if isinstance(error, ReaderLost) and not run.position.step:
        shutil.rmtree(run.out, ignore_errors=True)  # its folder was empty or new


def _kept(run: Run, error: DelineateError, advice: str) -> DelineateError:
    """Save a run that was stopped between two steps; return the error with advice."""
    run.save()
    return type(error)(
        f"{str(error).removesuffix('.')}; the run stopped after step {run.position.step} and "
        f"nothing is lost: {advice} in {run.out}."
    )


def _expected_seconds(run: Run, val: Dataset, stop: Stop) -> float:
    """Return how long a validation will take, from the first few images."""
    times: list[float] = []

    def enough() -> bool:
        times.append(time.monotonic())
        done, spent = len(times) - 1, times[-1] - times[0]
        return stop.requested or run.budget.trial_is_enough(done, spent)

    measure(run.learner.measured, val, enough)
    if stop.requested:
        return 0.0  # still unknown
    if len(times) == 1:
        times.append(time.monotonic())
    return len(val) * float(np.median(np.diff(times)))  # the first image may be slow


def _validate(run: Run, progress: float, stop: Stop) -> None:
    """Measure the weights, keep them if they are the best so far, and write ``last/``."""
    began, position = time.monotonic(), run.position
    metrics: dict[str, Any] = {}
    if run.val is not None:
        metrics = measure(run.learner.measured, run.val, lambda: stop.requested, run.note)
    if stop.requested:
        return  # after a resume the validation is due again
    facts = {"step": position.step, "minutes": round(position.seconds / 60, 3)}
    is_best = offer(run.out, run.learner.measured, metrics, facts)
    position.validated, position.validated_step = progress, position.step
    position.validation_seconds = time.monotonic() - began
    position.seconds += position.validation_seconds
    position.validation_ended = position.seconds
    if metrics:
        event = ValidationEvent(
            step=position.step, seconds=position.seconds, metrics=metrics, best=is_best
        )
        for sink in run.sinks:
            sink.validation(event)
    run.save()
    position.validation_seconds = time.monotonic() - began  # now with the writing


def _batches(run: Run) -> Iterator[list[Sample]]:
    """Yield batch after batch, from the position on, without end."""
    done = run.position.step * run.config.accumulate
    epoch, start = divmod(done, run.loader.batches_per_epoch)
    while True:
        yield from run.loader.batches(epoch, start)
        epoch, start = epoch + 1, 0
