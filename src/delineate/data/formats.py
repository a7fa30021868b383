"""Open data in any format: the one way in, and the place where ambiguity is told."""

from collections import Counter
from collections.abc import Collection, Sequence
from pathlib import Path

from delineate.data.annotated import OnError, check_on_error
from delineate.data.format_table import FORMATS, Format
from delineate.data.layouts import SPLITS, Source, Sources
from delineate.data.one_table import in_one_table
from delineate.data.pictures import check_folder
from delineate.data.sample import Dataset
from delineate.errors import ConfigError, DataError, nearest

_SHOWN = 3  # kinds of files, and folders, in a message


def open_dataset(
    path: Path | str,
    *,
    images: Path | str | None = None,
    format: str | None = None,
    on_error: OnError = "stop",
) -> Dataset:
    """Open one data set.

    Args:
        path: A file of annotations, or a data folder with a single split.
        images: Folder of the pictures; None: where the format expects it.
        format: A name in `FORMATS`; None: found out from the content.
        on_error: What broken records do: "stop" raises, "skip" leaves exactly them out and lists
            them as `problems`, "report" does so even if no image is left. A picture that nobody
            annotated is no fault: it is left out and listed in any case.

    Raises:
        DataError: There is no such place, or folder of pictures; it is of no known format, or may
            be of several; or its content is broken.
        ConfigError: `format` or `on_error` is unknown.
    """
    chosen, sources = find_sources(Path(path), format)
    if len(sources) > 1:
        example = list(sources.values())[-1].path
        raise DataError(
            f"{path}: expected one data set, found the splits {', '.join(sources)}: name one of "
            f"them, for example {example}."
        )
    (source,) = sources.values()
    dataset = open_source(chosen, source, images=images, on_error=on_error)
    _check_classes(path, [dataset])
    return dataset


def open_splits(
    path: Path | str,
    *,
    images: Path | str | None = None,
    format: str | None = None,
    on_error: OnError = "stop",
    only: Sequence[str] | None = None,
) -> dict[str, Dataset]:
    """Open the splits of a data folder.

    Args:
        path: A folder, or a file, in any of `FORMATS`; what has no splits is "train".
        images: As for `open_dataset`.
        format: As for `open_dataset`.
        on_error: As for `open_dataset`.
        only: Names of splits; the others are left alone, unopened and unchecked. None: open all.

    Returns:
        Split name -> data set, in the order of `SPLITS`; what the folder lacks is not in it. Where
        no list says the classes, each split has those that the objects of all opened splits have.

    Raises:
        DataError: As `open_dataset`; or the folder holds no annotations.
        ConfigError: As `open_dataset`; or `only` names no split.
    """
    chosen, sources = find_sources(Path(path), format)
    for name in only or ():
        if name not in SPLITS:
            raise ConfigError(f"no split is called {name!r}: {nearest(name, sources)}")
    splits = {
        split: open_source(chosen, source, images=images, on_error=on_error)
        for split, source in sources.items()
        if only is None or split in only
    }
    _check_classes(path, splits.values())
    unlisted = all(dataset.classes.from_objects for dataset in splits.values())
    return in_one_table(splits) if splits and unlisted else splits


def _check_classes(path: Path | str, datasets: Collection[Dataset]) -> None:
    """Make sure that there is a class, where there are pictures."""
    if any(map(len, datasets)) and not any(len(dataset.classes) for dataset in datasets):
        raise DataError(
            f"{path}: expected objects of at least one class, got none: name a data set with "
            "annotations."
        )


def open_source(
    format: Format, source: Source, *, images: Path | str | None, on_error: OnError
) -> Dataset:
    """Open one split that `find_sources` found; the rest is as for `open_dataset`."""
    check_on_error(on_error)
    check_folder(images)
    return format.read(source, images=images, on_error=on_error)


def find_sources(path: Path, format: str | None = None) -> tuple[Format, Sources]:
    """Find out of which format a data set is, and where its splits are.

    Args:
        path: A file or folder.
        format: A name in `FORMATS`; None: all are asked.

    Raises:
        DataError: There is nothing, no format knows it, or several do.
        ConfigError: `format` is unknown.
    """
    if format is not None and format not in FORMATS:
        raise ConfigError(f"no data format is called {format!r}: {nearest(format, FORMATS)}")
    asked = list(FORMATS.values()) if format is None else [FORMATS[format]]
    found: list[tuple[Format, Sources]] = []
    unclear: DataError | None = None
    try:
        if not path.exists():
            raise DataError(f"{path}: expected a data set, found nothing there: check the path.")
        for candidate in asked:
            try:
                sources = candidate.find(path)
            except DataError as error:
                unclear = unclear or error
                continue
            if sources:
                found.append((candidate, sources))
        if len(found) == 1:
            return found[0]
        if not found and unclear is None:
            if FORMATS["coco"] in asked and (sources := _files_for_coco(path)):
                return FORMATS["coco"], sources
            raise _unknown(path, asked)
    except OSError as error:
        raise DataError(
            f"{path}: expected a data set, but it cannot be read ({error.strerror or error}): "
            "check the path and its permissions."
        ) from error
    if unclear is not None and not found:
        raise unclear
    options = " or ".join(f"--format {candidate.name}" for candidate, _ in found)
    titles = " or ".join(candidate.title for candidate, _ in found)
    raise DataError(
        f"{path}: expected a data set of one format, and this may be {titles}: choose with "
        f"{options}, or name a single file or folder of it."
    )


def _files_for_coco(path: Path) -> Sources:
    """Return files that bear the names of COCO data and are none: reading them says why."""
    if path.is_file():
        return {"train": Source(path)} if path.suffix.lower() == ".json" else {}
    plain = {split: path / f"{split}.json" for split in SPLITS}
    return {split: Source(file, split) for split, file in plain.items() if file.is_file()}


def _unknown(path: Path, asked: Sequence[Format]) -> DataError:
    """Say what was expected and what is there instead."""
    if len(asked) == 1:
        (format,) = asked
        return DataError(
            f"{path}: expected {format.title} ({format.layout}), got {_content(path)}: name such a "
            "file or folder, or another --format."
        )
    return DataError(
        f"{path}: expected data of a known format, got {_content(path)}: `delineate data formats` "
        "shows how each of them lies, and --format NAME says which one this is."
    )


def _content(path: Path) -> str:
    """Return what is there: files by the ends of their names, the most frequent first, folders."""
    if not path.is_dir():
        return f"a {path.suffix or 'nameless'} file that is none"
    inside = sorted(path.iterdir())
    counts = Counter(file.suffix.lower() for file in inside if file.is_file())
    kinds = [f"{n:,} {suffix or 'without suffix'}" for suffix, n in counts.most_common(_SHOWN)]
    below = [folder.name for folder in inside if folder.is_dir()]
    parts = [f"files ({_some(kinds, len(counts))})"] if counts else []
    parts += [f"folders ({_some(below[:_SHOWN], len(below))})"] if below else []
    return f"a folder of {' and '.join(parts)}" if parts else "an empty folder"


def _some(shown: Sequence[str], of: int) -> str:
    return ", ".join(shown) + (" and more" if len(shown) < of else "")
