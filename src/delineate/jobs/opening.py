"""What jobs have in common: find the annotations, tell what is wrong with them, show progress."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path

from rich.console import Console
from rich.progress import track

from delineate.data.annotated import StopOrSkip
from delineate.data.bare_splits import bare_splits
from delineate.data.format_table import Format
from delineate.data.formats import find_sources, open_splits
from delineate.data.layouts import SPLITS, Source
from delineate.data.sample import UNANNOTATED, Dataset, Problem
from delineate.errors import DataError, OutputError

Say = Callable[[str], None]
"""Where a job tells the user what happens: the command line prints it on stderr."""

_SHOWN = 10
_NAMES = 5  # of pictures without annotations


def tell_problems(dataset: Dataset, say: Say) -> None:
    """Tell which broken records of a data set were left out, and which pictures unannotated."""
    broken, unannotated = told_apart(dataset.problems)
    if broken:
        say(f"{dataset.name}: {plural(len(broken), 'broken record')} left out:")
    for problem in broken[:_SHOWN]:
        say(f"  {problem}")
    if len(broken) > _SHOWN:
        say(f"  ... and {len(broken) - _SHOWN} more")
    if unannotated:
        names = ", ".join(problem.name for problem in unannotated[:_NAMES])
        more = f" and {len(unannotated) - _NAMES:,} more" if len(unannotated) > _NAMES else ""
        say(
            f"{dataset.name}: left out {plural(len(unannotated), 'picture')} without a file of "
            f"annotations, {names}{more}: annotate them (a file without objects says that a "
            "picture shows none), or move them away"
        )


def tell_bare_splits(
    data: Path, splits: Mapping[str, Dataset], say: Say, *, of: Sequence[str] = SPLITS
) -> None:
    """Tell which folders hold pictures of a split, one of `of`, that has no annotations."""
    for bare in (bare for bare in bare_splits(data, splits) if bare.split in of):
        say(f"{bare.folder}: left out, for {bare.why}: {bare.fix}")


def told_apart(problems: Iterable[Problem]) -> tuple[list[Problem], list[Problem]]:
    """Return the broken records, and the pictures without annotations."""
    problems = list(problems)
    return (
        [problem for problem in problems if problem.kind != UNANNOTATED],
        [problem for problem in problems if problem.kind == UNANNOTATED],
    )


def opened(
    data: Path,
    *,
    images: Path | None,
    format: str | None,
    on_error: StopOrSkip,
    only: Sequence[str] | None,
    say: Say,
) -> dict[str, Dataset]:
    """Open the splits of a data set, and tell what is wrong with them.

    Args:
        data: A data folder or file.
        images: Folder of the pictures, where it is not the usual one.
        format: A name in `delineate.data.formats.FORMATS`; None: found out.
        on_error: "stop" refuses a data set with broken records, "skip" leaves them out.
        only: The splits to take; None: all.
        say: Receives lines for the user.

    Raises:
        DataError: It is broken, or has none of the splits.
        ConfigError: An option is wrong.
    """
    splits = open_splits(data, images=images, format=format, on_error=on_error, only=only)
    if not splits:
        raise DataError(
            f"{data}: expected the split {' or '.join(only or ())}, got "
            f"{' and '.join(find_sources(data, format)[1])}: name another with --only, or leave it "
            "out."
        )
    for dataset in splits.values():
        tell_problems(dataset, say)
    if only is None:
        tell_bare_splits(data, splits, say)
    return splits


def title_of(data: Path) -> str:
    """Return what pages call a data set: a folder's name, or a file's behind its folder's."""
    data = data.resolve()
    return data.name if data.is_dir() else f"{data.parent.name}/{data.stem}"


def evaluation_source(data: Path, format: str | None) -> tuple[str, Format, Source]:
    """Find what to evaluate on: `data` itself, or the val or the test split in it.

    Args:
        data: A file or folder in any format.
        format: A name in `delineate.data.formats.FORMATS`; None: found out.

    Returns:
        A name for it, its format, and where it is.

    Raises:
        DataError: It is of no known format, or has neither split.
        ConfigError: `format` is unknown.
    """
    found, sources = find_sources(data, format)
    if data.is_file() and len(sources) == 1:
        (source,) = sources.values()
        return data.stem, found, source
    for split in ("val", "test"):
        if split in sources:
            return split, found, sources[split]
    raise DataError(
        f"{data}: expected a split val or test to evaluate on, got {', '.join(sources)}: name the "
        "file or folder to evaluate on."
    )


def evaluation_file(data: Path, format: str) -> Path:
    """Return the file to compare results with: `data` itself, or that of its val or test split.

    Args:
        data: A file, or a folder.
        format: Of which format it must be.

    Raises:
        DataError: The folder holds no val or test split of this format.
    """
    return data if data.is_file() else evaluation_source(data, format)[2].path


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
