"""What happens when somebody stops a verb, by Ctrl-C or by SIGTERM as `timeout` and docker send."""

import contextlib
import functools
import os
import signal
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from types import FrameType
from typing import ParamSpec

from delineate.cli_parts import say

P = ParamSpec("P")

INTERRUPTED, TERMINATED = 130, 143
"""Exit codes, 128 + the number of the signal."""


@contextlib.contextmanager
def sigterm_as_ctrl_c() -> Iterator[None]:
    """While entered, the first SIGTERM does what Ctrl-C does then, and the exit code tells it.

    Later ones do nothing: `timeout` sends two at once, and who is in earnest sends SIGKILL. Outside
    the main thread, and where SIGTERM is ignored, it changes nothing.
    """
    in_main_thread = threading.current_thread() is threading.main_thread()
    if not in_main_thread or signal.getsignal(signal.SIGTERM) is not signal.SIG_DFL:
        yield
        return
    asked = False

    def ask(number: int, frame: FrameType | None) -> None:
        nonlocal asked
        if asked:
            return
        asked = True
        on_ctrl_c = signal.getsignal(signal.SIGINT)  # ignored in the background of a script
        (on_ctrl_c if callable(on_ctrl_c) else signal.default_int_handler)(signal.SIGINT, frame)

    signal.signal(signal.SIGTERM, ask)
    try:
        yield
    except SystemExit as end:
        if asked and end.code == INTERRUPTED:
            raise SystemExit(TERMINATED) from None
        raise
    finally:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)


def tells_stop(verb: Callable[P, None]) -> Callable[P, None]:
    """Make a verb say that it was stopped, and where nothing was written then.

    Args:
        verb: Its options ``out`` and ``fix`` are places that it writes.
    """

    @functools.wraps(verb)
    def told(*arguments: P.args, **options: P.kwargs) -> None:
        given = [options.get("out"), options.get("fix")]
        before = {place: _state(place) for place in given if isinstance(place, Path)}
        try:
            verb(*arguments, **options)
        except (KeyboardInterrupt, RuntimeError) as error:
            if is_stop(error):
                same = [str(place) for place, state in before.items() if _state(place) == state]
                say(f"stopped; nothing was written to {' or '.join(same)}" if same else "stopped")
            raise

    return told


def is_stop(error: BaseException | None) -> bool:
    """Tell whether an error is a Ctrl-C, or has come of one.

    Where it comes while a thread pool is waited for, Python may lose a lock, and complain of that.
    """
    return error is not None and (
        isinstance(error, KeyboardInterrupt) or is_stop(error.__context__)
    )


def _state(place: Path) -> object:
    """Return what is another when a file, or what is directly in a folder, has been written."""
    try:
        if place.is_dir():
            return sorted((entry.name, entry.stat().st_mtime_ns) for entry in os.scandir(place))
        return place.stat().st_mtime_ns
    except OSError:
        return None
