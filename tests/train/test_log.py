"""What a run says, to a file, to a person and to TensorBoard."""

import io
import json

import pytest
from rich.console import Console as RichConsole

from delineate.errors import OutputError
from delineate.train.log import Console, JsonLines, StepEvent, TensorBoard, ValidationEvent

METRICS = {
    "segm": {"AP": 0.25, "AP50": 0.5, "AP75": 0.125},
    "bbox": {"AP": 0.3, "AP50": 0.6, "AP75": 0.2},
}


def step(number: int, *, loss: float = 1.0) -> StepEvent:
    return StepEvent(
        step=number,
        epoch=0,
        progress=number / 10,
        seconds=2.0 * number,
        images=4,
        lr=0.01,
        losses={"class": loss, "box": 0.5},
    )


def validation(number: int, *, best: bool = True) -> ValidationEvent:
    return ValidationEvent(step=number, seconds=2.0 * number + 1, metrics=METRICS, best=best)


def lines(path):
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_time_left_follows_the_pace_so_far():
    assert step(4).seconds_left == pytest.approx(12.0)
    assert step(0).seconds_left == float("inf")


def test_json_lines_hold_means_and_validations(tmp_path):
    sink = JsonLines(tmp_path / "m.jsonl", every=2, until=0)
    for number in range(1, 6):
        sink.step(step(number, loss=number))
    sink.validation(validation(5))
    sink.close()
    first, second, third = lines(tmp_path / "m.jsonl")
    assert (first["kind"], first["step"], first["lr"]) == ("train", 2, 0.01)
    assert first["losses"] == {"loss": 2.0, "class": 1.5, "box": 0.5}
    assert second["losses"]["class"] == 3.5
    assert (third["kind"], third["best"], third["segm"]) == ("validation", True, METRICS["segm"])


def test_lines_from_after_the_checkpoint_are_dropped(tmp_path):
    path = tmp_path / "m.jsonl"
    sink = JsonLines(path, every=1, until=0)
    for number in (1, 2, 3):
        sink.step(step(number))
    sink.close()
    path.write_text(path.read_text() + '{"kind": "train", "st')  # cut by a kill
    JsonLines(path, every=1, until=4.0).close()
    assert [line["step"] for line in lines(path)] == [1, 2]


def test_a_place_that_cannot_be_written_is_one_sentence(tmp_path):
    with pytest.raises(OutputError, match=r"m\.jsonl"):
        JsonLines(tmp_path / "none" / "m.jsonl", every=1, until=0)


def test_without_a_terminal_lines_are_plain_and_rare():
    text = io.StringIO()
    sink = Console(RichConsole(file=text, width=200), every_seconds=3600)
    for number in range(1, 6):
        sink.step(step(number))
    sink.validation(validation(5, best=False))
    sink.note("a note [with brackets]")
    sink.close()
    assert text.getvalue().splitlines() == [
        "step 5, 0:11: validation segm AP 0.250  AP50 0.500  AP75 0.125",
        "a note [with brackets]",
    ]


def test_a_plain_line_has_losses_rate_pace_and_time_left():
    text = io.StringIO()
    sink = Console(RichConsole(file=text, width=200), every_seconds=0)
    sink.step(step(5))
    sink.close()
    line = text.getvalue()
    for part in ("50%", "0:10 left", "step 5", "images/s", "lr 1.0e-02"):
        assert part in line
    assert line.endswith("loss 1.50: class 1.00, box 0.50\n")


def test_on_a_terminal_there_is_a_bar():
    text = io.StringIO()
    sink = Console(RichConsole(file=text, width=200, force_terminal=True))
    sink.step(step(5))
    sink.validation(validation(5))
    sink.close()
    assert "━" in text.getvalue()
    assert "loss 1.50: class 1.00, box 0.50" in text.getvalue()
    assert "(best so far)" in text.getvalue()


def test_tensorboard_gets_curves(tmp_path):
    pytest.importorskip("tensorboard")
    sink = TensorBoard(tmp_path, every=1)
    sink.step(step(1))
    sink.validation(validation(1))
    sink.close()
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    events = EventAccumulator(str(tmp_path)).Reload()
    assert events.Scalars("train/loss")[0].value == pytest.approx(1.5)
    assert events.Scalars("validation/segm/AP")[0].value == pytest.approx(0.25)
