"""The pictures of a prediction: sound before the work, and a place for what is found in them."""

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import Progress

from delineate.core.image import check_file
from delineate.data.annotated import StopOrSkip
from delineate.errors import DataError, ImageError, OutputError
from delineate.jobs.opening import Say, not_a_run, plural
from delineate.predict.sources import in_subfolders
from delineate.predict.sources import sources as find_images

RESULTS, OVERLAYS, LABEL_MASKS = "predictions.json", "overlays", "label_masks"
SEGMENTS, MAPS = "panoptic.json", "panoptic"

_SHOWN = 5


def pictures_to_predict(
    sources: Sequence[str], out: Path, on_error: StopOrSkip, say: Say
) -> list[Path]:
    """Return the pictures that `sources` name, where `out` can take results.

    Those in subfolders of folders that are named are left out, which is told, but for what earlier
    predictions have drawn there.

    Raises:
        DataError: Something named does not exist, or holds no picture.
        ImageError: A picture cannot be read, and `on_error` is "stop".
        OutputError: `out` holds a run, or results of an earlier prediction.
    """
    pictures = list(find_images(sources))
    _without_results(not_a_run(out))
    _tell_subfolders(sources, pictures, say)
    if on_error == "stop":
        _check(pictures)
    return pictures


def _tell_subfolders(sources: Sequence[str], pictures: Sequence[Path], say: Say) -> None:
    taken, made = set(map(os.path.abspath, pictures)), {OVERLAYS, LABEL_MASKS, MAPS}
    for folder in dict.fromkeys(Path(name) for name in sources if Path(name).is_dir()):
        below = [
            p
            for p in in_subfolders(folder)
            if os.path.abspath(p) not in taken and made.isdisjoint(p.relative_to(folder).parts)
        ]
        if below:
            pattern = folder / "**" / f"*{below[0].suffix}"
            say(
                f"{folder}: {plural(len(below), 'picture')} in its subfolders left out, such as "
                f"{below[0]}: name those folders, too, or a pattern such as '{pattern}'"
            )


def _check(pictures: Sequence[Path]) -> None:
    """Refuse pictures that cannot be read, all in one sentence, before the work."""
    broken = []
    for picture in pictures:
        try:
            check_file(picture)
        except ImageError as error:
            if len(pictures) == 1:
                raise
            broken.append(str(error).removesuffix("."))
    if broken:
        more = f"; and {len(broken) - _SHOWN} more" if len(broken) > _SHOWN else ""
        raise ImageError(
            f"{len(broken)} of {len(pictures)} pictures cannot be used: "
            f"{'; '.join(broken[:_SHOWN])}{more}; mend them, or pass --on-error skip to leave them "
            "out."
        )


def _without_results(out: Path) -> None:
    """Refuse a folder where results of an earlier run would stay beside the new ones."""
    found = [name for name in (RESULTS, SEGMENTS) if (out / name).exists()]
    folders = (OVERLAYS, LABEL_MASKS, MAPS)
    found += [f"a file {name}" for name in folders if (out / name).is_file()]
    for name in folders:
        count = len(list((out / name).iterdir())) if (out / name).is_dir() else 0
        found += [f"{count} file(s) in {name}/"] if count else []
    if found:
        raise OutputError(
            f"expected a folder without results as --out, got {out}, which holds "
            f"{' and '.join(found)}: choose another folder, or remove them first."
        )


def none_read(count: int) -> DataError:
    """Return the error where all pictures were skipped."""
    return DataError(f"none of {plural(count, 'picture')} could be read: see the list above.")


def stopped(images: int, count: int, out: Path) -> str:
    """Return what is said where a prediction ends early."""
    return f"stopped after {images} of {count} pictures; their results are in {out}"


def summary(result: Mapping[str, Any], found: str) -> str:
    """Return the closing words of a prediction; `found` is what it counts: object or segment."""
    skipped = f", {plural(result['skipped'], 'picture')} skipped" if result["skipped"] else ""
    counted = f"{plural(result[found + 's'], found)} in {plural(result['images'], 'picture')}"
    return f"{counted}{skipped}\nresults in {result['out']}"


@contextmanager
def bar(total: int) -> Iterator[Callable[[int], None]]:
    """Show a bar on stderr, where that is a terminal; what is yielded is told how far it is."""
    console = Console(stderr=True)
    with Progress(console=console, transient=True, disable=not console.is_terminal) as shown:
        task = shown.add_task("predict", total=total)
        yield lambda done: shown.update(task, completed=done)
