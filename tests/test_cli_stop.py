"""Ctrl-C and SIGTERM: what a verb leaves behind, what it says, and how it exits."""

import os
import signal
import subprocess
import sys
import threading
import time

import pytest

from builders import tiny_coco
from command_line import SMALL, call, files_in
from delineate.jobs import check as doctor
from delineate.jobs import convert, convert_data, evaluate_results, stats, synth

pytestmark = pytest.mark.skipif(os.name != "posix", reason="sends signals")

CODES = {signal.SIGINT: 130, signal.SIGTERM: 143}
VERBS = {
    "check": (["data", "check", "DATA", "--quick", "--out", "OUT"], doctor, "write_whole"),
    "check --fix": (["data", "check", "DATA", "--quick", "--fix", "OUT"], doctor, "examine"),
    "convert": (["data", "convert", "DATA", "OUT", "--to", "yolo"], convert_data, "convert"),
    "stats": (["data", "stats", "DATA", "--out", "OUT"], stats, "opened"),
    "synth": (["data", "synth", "OUT", "--images", "2", "--size", "64"], synth, "write_image"),
    "evaluate": (
        ["evaluate", "r.json", "DATA", "--out", "OUT"],
        evaluate_results,
        "evaluate_results",
    ),
    "models convert": (["models", "convert", "x.pth", "--out", "OUT"], convert, "convert_file"),
}


def signalling(number, then):
    """Return a function that is sent a signal, and goes on where that does not end it."""

    def run(*arguments, **options):
        signal.raise_signal(number)
        return then(*arguments, **options)

    return run


@pytest.fixture(autouse=True)
def handlers():
    before = {number: signal.getsignal(number) for number in CODES}
    yield
    assert {number: signal.getsignal(number) for number in CODES} == before


@pytest.mark.parametrize("number", CODES)
@pytest.mark.parametrize("verb", VERBS)
def test_a_verb_says_that_nothing_was_written(verb, number, tmp_path, monkeypatch, capfd):
    words, module, name = VERBS[verb]
    data, out = tiny_coco(tmp_path / "data"), tmp_path / "place" / "out"
    out.parent.mkdir()
    monkeypatch.setattr(module, name, signalling(number, getattr(module, name)))
    places = {"DATA": data, "OUT": out}
    assert call([places.get(w, w) for w in words], monkeypatch) == CODES[number]
    printed, told = capfd.readouterr()
    assert told.splitlines()[-1] == f"stopped; nothing was written to {out}"
    assert printed == ""
    assert not any(out.parent.iterdir())


def test_what_was_written_before_is_not_denied(tmp_path, monkeypatch, capfd):
    data, out, mended = tiny_coco(tmp_path / "data"), tmp_path / "out", tmp_path / "mended"
    monkeypatch.setattr(doctor, "repair", signalling(signal.SIGINT, doctor.repair))
    words = ["data", "check", data, "--quick", "--out", out, "--fix", mended]
    assert call(words, monkeypatch) == 130
    assert capfd.readouterr().err.splitlines()[-1] == f"stopped; nothing was written to {mended}"
    assert files_in(out) == ["findings.json", "report.html"]


def test_without_a_place_it_says_that_it_stopped(tmp_path, monkeypatch, capfd):
    monkeypatch.setattr(stats, "opened", signalling(signal.SIGTERM, stats.opened))
    assert call(["data", "stats", tiny_coco(tmp_path)], monkeypatch) == 143
    assert capfd.readouterr().err.splitlines() == ["stopped"]


def test_what_python_says_of_a_lock_that_ctrl_c_took_is_ctrl_c(tmp_path, monkeypatch, capfd):
    def waited(*arguments, **options):
        try:
            signal.raise_signal(signal.SIGTERM)
        finally:
            threading.Lock().release()

    monkeypatch.setattr(stats, "opened", waited)
    words = ["data", "stats", tiny_coco(tmp_path), "--out", tmp_path / "out"]
    assert call(words, monkeypatch) == 143
    told = capfd.readouterr().err.splitlines()
    assert told == [f"stopped; nothing was written to {tmp_path / 'out'}"]


def test_a_second_sigterm_does_not_disturb_the_first(tmp_path, monkeypatch, capfd):
    """As `timeout` sends them: the second comes while what was begun is cleared away."""

    def cleared(*arguments):
        try:
            signal.raise_signal(signal.SIGTERM)
        finally:
            signal.raise_signal(signal.SIGTERM)
            (tmp_path / "cleared").touch()

    monkeypatch.setattr(synth, "write_image", cleared)
    words = ["data", "synth", tmp_path / "out", "--images", "2", "--size", "64"]
    assert call(words, monkeypatch) == 143
    assert files_in(tmp_path) == ["cleared"]


def test_sigterm_ends_where_ctrl_c_is_ignored(tmp_path, monkeypatch):
    """As a shell starts what runs in the background of a script."""
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        monkeypatch.setattr(synth, "write_image", signalling(signal.SIGTERM, None))
        words = ["data", "synth", tmp_path / "out", "--images", "2", "--size", "64"]
        assert call(words, monkeypatch) == 143
    finally:
        signal.signal(signal.SIGINT, before)
    assert files_in(tmp_path) == []


def test_where_sigterm_is_ignored_it_stays_so(tmp_path, monkeypatch):
    before = signal.signal(signal.SIGTERM, signal.SIG_IGN)
    try:
        monkeypatch.setattr(synth, "write_image", signalling(signal.SIGTERM, synth.write_image))
        words = ["data", "synth", tmp_path / "out", "--images", "2", "--size", "64"]
        assert call(words, monkeypatch) == 0
        assert signal.getsignal(signal.SIGTERM) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGTERM, before)


@pytest.mark.parametrize("workers", [0, 1])
def test_sigterm_to_all_of_a_training_exits_143_and_loses_nothing(workers, tmp_path):
    """As `timeout` sends it: to the training, and to the processes that read for it."""
    data, run = tiny_coco(tmp_path / "data", images=6), tmp_path / "run"
    words = ["train", str(data), "--out", str(run), *SMALL, "--set", f"data.workers={workers}"]
    words += ["--set", "budget.steps=100000", "--set", "log_every=1"]
    child = subprocess.Popen(
        [sys.executable, "-m", "delineate.cli", *words],
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    log = run / "metrics.jsonl"
    deadline = time.monotonic() + 120
    while not (log.exists() and log.stat().st_size) and time.monotonic() < deadline:
        time.sleep(0.2)
    os.killpg(child.pid, signal.SIGTERM)
    _, err = child.communicate(timeout=60)
    assert child.returncode == 143, err
    assert "Traceback" not in err
    assert "nothing is lost: --resume goes on" in err
    assert list((run / "last").iterdir())
