"""Options that would have no effect where they stand: one sentence, and nothing is written."""

import shutil

import pytest

from builders import tiny_coco
from command_line import files_in, refused

ABOUT_MODELS = "with results.json, which is measured as it stands"
ABOUT_SOURCES = "without --from, the data whose objects are pasted"
# fmt: off
IDLE = [
    (["data", "view", "DATA", "--out", "x.html"], ["--seed", "0"], "without --augment"),
    (["data", "view", "DATA", "--augment", "light"], ["--findings", "f"], "with --augment"),
    (["data", "synth", "OUT"], ["--format", "coco"], ABOUT_SOURCES),
    (["data", "synth", "OUT"], ["--on-error", "skip"], ABOUT_SOURCES),
    (["data", "synth", "OUT"], ["--backgrounds", "drawn"], ABOUT_SOURCES),
    (["data", "check", "DATA"], ["--device", "cpu"], "without --model"),
    (["data", "check", "x", "--model", "results.json"], ["--device", "cpu"], "with results.json"),
    (["train", "DATA", "--out", "run", "--resume"], ["--recipe", "yolact_nano"], "with --resume"),
    (["evaluate", "results.json", "DATA"], ["--images", "pictures"], ABOUT_MODELS),
    (["evaluate", "results.json", "DATA"], ["--device", "cpu"], ABOUT_MODELS),
    (["evaluate", "results.json", "DATA"], ["--format", "coco"], ABOUT_MODELS),
    (["evaluate", "results.json", "DATA"], ["--on-error", "skip"], ABOUT_MODELS),
    (["evaluate", "run", "DATA", "--panoptic"], ["--max-dets", "100"], "with --panoptic"),
    (["predict", "DATA", "--model", "run", "--panoptic"], ["--score", "0.5"], "with --panoptic"),
]
# fmt: on


@pytest.mark.parametrize(
    ("words", "idle", "why"), IDLE, ids=[" ".join(w[:2] + i[:1]) for w, i, _ in IDLE]
)
def test_an_option_without_effect_is_refused(words, idle, why, tmp_path, monkeypatch, capfd):
    data = tiny_coco(tmp_path)
    shutil.copy(data, tmp_path / "results.json")
    monkeypatch.chdir(tmp_path)
    before = files_in(tmp_path)
    words = [data if word == "DATA" else word for word in words]
    told = refused([*words, *idle], monkeypatch, capfd)
    assert told.startswith(f"delineate: expected no {idle[0]} {why}")
    assert told.endswith(".")
    assert files_in(tmp_path) == before


def test_several_are_told_together(monkeypatch, capfd):
    words = ["data", "synth", "out", "--format", "coco", "--on-error", "stop"]
    told = refused(words, monkeypatch, capfd)
    assert "expected no --format and --on-error without --from" in told
