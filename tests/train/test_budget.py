"""Arithmetic of the budget."""

from dataclasses import replace

import pytest
from tiny_run import tiny_config

from delineate.train.budget import Budget
from delineate.train.checkpoint import Position
from delineate.train.config import BudgetConfig

STEPS = Budget(steps=10, seconds=None, validate_every=0.25)
CLOCK = Budget(steps=None, seconds=100.0, validate_every=0.25)


def test_steps_count_steps_only():
    assert STEPS.progress(Position(step=5, seconds=1e9)) == 0.5
    assert STEPS.progress(Position(step=12)) == 1.0


@pytest.mark.parametrize(("epochs", "accumulate", "steps"), [(2, 1, 14), (2, 4, 4), (0.1, 1, 1)])
def test_epochs_become_steps(epochs, accumulate, steps):
    config = replace(tiny_config(budget=BudgetConfig(epochs=epochs)), accumulate=accumulate)
    assert Budget.of(config, batches_per_epoch=7).steps == steps


def test_minutes_are_seconds():
    budget = Budget.of(tiny_config(budget=BudgetConfig(minutes=1.5)), batches_per_epoch=7)
    assert (budget.steps, budget.seconds) == (None, 90.0)


def test_validations_come_at_their_marks_and_at_the_end():
    position = Position()
    validated = []
    for step in range(11):
        position.step = step
        progress = STEPS.progress(position)
        if STEPS.validation_is_due(position, progress):
            validated.append(step)
            position.validated, position.validated_step = progress, step
            assert not STEPS.validation_is_due(position, progress)
    assert validated == [3, 5, 8, 10]


def test_a_mark_that_rounding_would_miss():
    budget = Budget(steps=10, seconds=None, validate_every=0.1)
    position = Position(step=3, validated=0.2)  # 0.3 / 0.1 is a little less than 3
    assert budget.validation_is_due(position, budget.progress(position))


def test_the_clock_keeps_time_free_for_a_step_and_the_last_validation():
    assert CLOCK.progress(Position(seconds=45, validation_seconds=6, step_seconds=2)) == 0.5
    assert CLOCK.progress(Position(seconds=50)) == 0.5
    assert CLOCK.progress(Position(seconds=45, validation_seconds=8)) == 0.5
    assert CLOCK.progress(Position(seconds=90, validation_seconds=8)) == 1.0


def test_validations_longer_than_the_budget_end_it():
    assert CLOCK.progress(Position(seconds=1, validation_seconds=200)) == 1.0


def test_the_clock_waits_between_costly_validations():
    position = Position(seconds=40, validated=0.1, validation_seconds=8, validation_ended=20)
    assert not CLOCK.validation_is_due(position, 0.44)
    position.seconds = 60
    assert CLOCK.validation_is_due(position, 0.66)


def test_the_end_is_always_validated_once():
    position = Position(seconds=99, validated=0.9, validation_seconds=30, validation_ended=98)
    assert CLOCK.validation_is_due(position, 1.0)
    position.validated, position.validated_step = 1.0, position.step
    assert not CLOCK.validation_is_due(position, 1.0)


def test_weights_are_not_validated_twice_when_their_validation_used_up_the_clock():
    position = Position(step=7, seconds=30)
    assert CLOCK.validation_is_due(position, CLOCK.progress(position))
    position.validated, position.validated_step = 0.3, 7
    position.validation_seconds, position.seconds = 60.0, 90.0
    assert CLOCK.progress(position) == 1.0
    assert not CLOCK.validation_is_due(position, 1.0)
    position.step = 8
    assert CLOCK.validation_is_due(position, 1.0)


def test_a_trial_is_due_once_early_and_on_the_clock_only():
    assert not CLOCK.trial_is_due(Position(seconds=4), 0.04)
    assert CLOCK.trial_is_due(Position(seconds=5), 0.05)
    assert not CLOCK.trial_is_due(Position(seconds=5, validation_seconds=1.0), 0.05)
    assert not CLOCK.trial_is_due(Position(seconds=100), 1.0)
    assert not STEPS.trial_is_due(Position(step=5), 0.5)


@pytest.mark.parametrize(
    ("images", "seconds", "enough"), [(4, 4.9, False), (5, 0.1, True), (1, 5.0, True)]
)
def test_a_trial_sees_five_images_or_costs_a_twentieth(images, seconds, enough):
    assert CLOCK.trial_is_enough(images, seconds) == enough
