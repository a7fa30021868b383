"""What jobs have in common: find the annotations, tell what is wrong with them, show progress."""

from collections.abc import Callable, Iterable
from pathlib import Path

from rich.console import Console
from rich.progress import track

from delineate.data.sample import Dataset
from delineate.errors import DataError, OutputError

Say = Callable[[str], None]
"""Where a job tells the user what happens: the command line prints it on stderr."""

_SHOWN = 10


def tell_problems(dataset: Dataset, say: Say) -> None:
    """Tell which broken records of a data set were left out."""
    problems = dataset.problems
    if problems:
        say(f"{dataset.name}: {len(problems)} broken record(s) left out:")
    for problem in problems[:_SHOWN]:
        say(f"  {problem}")
    if len(problems) > _SHOWN:
        say(f"  ... and {len(problems) - _SHOWN} more")


def annotation_file(data: Path) -> Path:
    """Return the file to evaluate on: `data` itself, or the val.json or test.json in it.

    Raises:
        DataError: The folder has neither.
    """
    if not data.is_dir():
        return data
    for split in ("val", "test"):
        if (data / f"{split}.json").is_file():
            return data / f"{split}.json"
    raise DataError(
        f"{data}: expected a folder with val.json or test.json to evaluate on, got neither: name "
        "the file."
    )


def not_a_run(out: Path) -> Path:
    """Return the folder for results, which must not be that of a training.

    Raises:
        OutputError: It is one; its own measures would be overwritten.
    """
    if (out / "config.yaml").is_file():
        raise OutputError(
            f"{out} is the folder of a training, whose own metrics would be overwritten: choose "
            "another place with --out."
        )
    return out


def counted(count: int, verb: str) -> Iterable[int]:
    """Return 0 .. count-1, with a bar on stderr that moves along where that is a terminal."""
    console = Console(stderr=True)
    return track(
        range(count), verb, console=console, transient=True, disable=not console.is_terminal
    )


def plural(count: int, noun: str) -> str:
    """Return ``1 object`` or ``2,000 objects``."""
    return f"{count:,} {noun}{'s' * (count != 1)}"
