"""A run that is killed and resumed is the run that was never killed, bit for bit."""

import json
import multiprocessing
import time
from pathlib import Path

import numpy as np
import pytest
import torch
from tiny_run import run, scenes, tiny_config

from delineate.train import checkpoint
from delineate.train.config import (
    AugmentConfig,
    BudgetConfig,
    DataConfig,
    EmaConfig,
    LossConfig,
    OptimConfig,
)
from delineate.train.loop import fit
from delineate.weights.file import load_model, read_card

REPEATED = DataConfig(workers=0, balance="repeat_factor")
BY_CLASS = DataConfig(workers=0, balance="class_aware")


class Crash(Exception):
    """Stands for whatever ends a process between two steps."""


class CrashAt:
    """A sink that ends the run after some step."""

    def __init__(self, step: int) -> None:
        self._step = step

    def step(self, event):
        if event.step == self._step:
            raise Crash

    def validation(self, event):
        pass

    def note(self, text):
        pass

    def close(self):
        pass


def state(out: Path) -> dict[str, torch.Tensor]:
    return dict(checkpoint.load(checkpoint.file_in(out)).tensors)


def assert_same_run(first: Path, second: Path) -> None:
    expected, found = state(first), state(second)
    assert expected.keys() == found.keys()
    assert [n for n in expected if not torch.equal(expected[n], found[n])] == []
    mine, theirs = (load_model(out / "best.safetensors").state_dict() for out in (first, second))
    assert [n for n in mine if not torch.equal(mine[n], theirs[n])] == []
    assert validations(first) == validations(second)


def validations(out: Path) -> list[tuple[int, dict]]:
    lines = [json.loads(line) for line in (out / "metrics.jsonl").read_text().splitlines()]
    return [(line["step"], line["segm"]) for line in lines if line["kind"] == "validation"]


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"optim": OptimConfig(name="sgd", lr=0.01, warmup_steps=1), "ema": EmaConfig(decay=None)},
        {"accumulate": 2},
        {"accumulate": 2, "augment": AugmentConfig(crop=32, crops_by_area=True)},
        {"data": REPEATED, "loss": LossConfig(class_weights="effective")},
        {"data": BY_CLASS, "augment": AugmentConfig(crop=32, crops_by_area=True)},
    ],
    ids=[
        "adamw",
        "sgd without average",
        "accumulated",
        "four crops an image",
        "rare classes repeated and weighed",
        "by class",
    ],
)
@pytest.mark.parametrize("crash", [1, 4])
def test_a_crash_between_two_steps_changes_nothing(tmp_path, changes, crash):
    run(tmp_path / "whole", 5, **changes)
    config = tiny_config(budget=BudgetConfig(steps=5), checkpoint_steps=2, **changes)
    cut, sinks = tmp_path / "cut", [CrashAt(crash)]
    with pytest.raises(Crash):
        fit(config, scenes(), scenes(2, seed=2), cut, sinks=sinks, device="cpu")
    run(tmp_path / "cut", 5, **changes)
    assert_same_run(tmp_path / "whole", tmp_path / "cut")


def test_killed_at_random_moments(tmp_path):
    """The process gets SIGKILL again and again, wherever it is: in a step, in a write."""
    steps, rng = 40, np.random.default_rng(0)
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["delineate.train.loop"])
    cut, last = tmp_path / "cut", checkpoint.file_in(tmp_path / "cut")
    ends = []
    for _ in range(6):
        before = last.stat().st_mtime_ns if last.exists() else 0
        process = context.Process(target=run, args=(cut, steps))
        process.start()
        while process.is_alive() and (not last.exists() or last.stat().st_mtime_ns == before):
            time.sleep(0.005)  # importing and building; from the first checkpoint on it counts
        time.sleep(rng.uniform(0, 0.3))
        process.kill()
        process.join()
        ends.append(checkpoint.load(last).position.step)
    assert len({end for end in ends if 0 < end < steps}) >= 3, ends
    run(cut, steps)
    run(tmp_path / "whole", steps)
    assert_same_run(tmp_path / "whole", cut)


def test_what_a_kill_left_half_written_is_swept_up(tmp_path):
    run(tmp_path, 1)
    halves = [tmp_path / ".best.safetensors.0a.tmp", tmp_path / "last" / ".checkpoint.0b.tmp"]
    for half in halves:
        half.write_bytes(b"half")
    run(tmp_path, 1)
    assert not any(half.exists() for half in halves)


def test_a_finished_run_is_returned_as_it_is(tmp_path):
    first = run(tmp_path, 2)
    written = first.best.stat().st_mtime_ns
    assert run(tmp_path, 2) == first
    assert first.best.stat().st_mtime_ns == written


def test_the_comparison_would_see_a_lost_random_state(tmp_path, monkeypatch):
    """Without one part of the state the runs part, so the tests above can fail."""
    run(tmp_path / "whole", 5)
    config = tiny_config(budget=BudgetConfig(steps=5), checkpoint_steps=2)
    with pytest.raises(Crash):
        fit(config, scenes(), scenes(2, seed=2), tmp_path / "cut", sinks=[CrashAt(3)], device="cpu")
    monkeypatch.setattr(torch, "set_rng_state", lambda state: None)
    run(tmp_path / "cut", 5)
    with pytest.raises(AssertionError):
        assert_same_run(tmp_path / "whole", tmp_path / "cut")


def test_the_best_weights_are_the_average(tmp_path):
    result = run(tmp_path, 3)
    best, tensors = load_model(result.best).state_dict(), state(tmp_path)
    assert read_card(result.best).extra["step"] == 3
    name = "rpn.objectness.weight"
    assert torch.equal(best[name], tensors[f"ema/{name}"])
    assert not torch.equal(best[name], tensors[f"model/{name}"])


def test_workers_change_nothing(tmp_path):
    run(tmp_path / "none", 4)
    run(tmp_path / "one", 4, data=DataConfig(workers=1))
    assert_same_run(tmp_path / "none", tmp_path / "one")


def test_a_run_leaves_the_callers_random_state_alone(tmp_path):
    torch.manual_seed(5)
    before, legacy = torch.get_rng_state(), np.random.get_state()[1].copy()
    run(tmp_path, 2)
    assert torch.equal(torch.get_rng_state(), before)
    assert np.array_equal(np.random.get_state()[1], legacy)


def test_average_class_is_used_only_when_asked(tmp_path):
    run(tmp_path, 2, ema=EmaConfig(decay=None))
    assert not [name for name in state(tmp_path) if name.startswith("ema/")]
