"""What the jobs take: "report" is for the doctor alone."""

import importlib
import inspect
import pkgutil
from typing import get_args, get_type_hints

from delineate import jobs
from delineate.data.annotated import OnError, StopOrSkip


def functions():
    for module in pkgutil.iter_modules(jobs.__path__):
        found = importlib.import_module(f"{jobs.__name__}.{module.name}")
        for function in vars(found).values():
            if inspect.isfunction(function) and function.__module__ == found.__name__:
                yield function


def test_no_job_takes_a_report():
    taken = [f for f in functions() if "on_error" in inspect.signature(f).parameters]
    assert len(taken) > 10
    for function in taken:
        assert get_type_hints(function)["on_error"] == StopOrSkip, function
    assert set(get_args(OnError)) - set(get_args(StopOrSkip)) == {"report"}
