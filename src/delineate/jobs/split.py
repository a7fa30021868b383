"""`delineate data split SRC DST`: a data set becomes train, val and test that share no group."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path, PurePath
from typing import Any

import numpy as np

from delineate._files import check_apart, check_free, writing_folder
from delineate.data.annotated import StopOrSkip
from delineate.data.coco_panoptic_write import write_coco_panoptic
from delineate.data.coco_write import write_coco
from delineate.data.conversion import convert, writable
from delineate.data.derived import Concat
from delineate.data.groups import joined, keys_by_folder, keys_by_pattern
from delineate.data.layouts import SPLITS
from delineate.data.naming import uniquely_named
from delineate.data.one_table import in_one_table
from delineate.data.sample import Dataset, PanopticDataset
from delineate.data.split import objects_by_size, split
from delineate.errors import ConfigError, DataError
from delineate.jobs.opening import Say, counted, opened
from delineate.jobs.split_report import counted_split, largest_deviation
from delineate.quality.duplicates import clusters


def split_data(
    source: Path,
    out: Path,
    *,
    fractions: str,
    seed: int = 0,
    group_by: Sequence[str] = (),
    to: str = "coco",
    only: Sequence[str] | None = None,
    images: Path | None = None,
    format: str | None = None,
    copy: bool = True,
    on_error: StopOrSkip = "stop",
    say: Say,
) -> dict[str, Any]:
    """Divide a data set and write the parts, all or none.

    Args:
        source: A data set; several splits of it are put together first. It is only read.
        out: The new data folder; nothing may be there yet.
        fractions: Such as ``train=0.8,val=0.2``.
        seed: Decides between choices that are equally good.
        group_by: What keeps images together, all of it at once: ``folder``, ``near-duplicates``,
            regular expressions on the names whose first group is the key; nothing, or ``none``.
        to: Format to write, a name in `delineate.data.formats.FORMATS`; a panoptic set stays one,
            for which it is "coco" or "coco_panoptic".
        only: The splits of `source` to take; None: all.
        images: Folder of the pictures, where it is not the usual one.
        format: Name of the source's format; None: found out.
        copy: Copy the pictures. False: write COCO files alone, with names relative to the folder
            in which the pictures lie.
        on_error: "stop" refuses a data set with broken records, "skip" leaves them out.
        say: Receives lines for the user.

    Returns:
        What came out; see `delineate.jobs.split_report.summary`.

    Raises:
        ConfigError: An option is wrong.
        DataError: The data set is broken, or a picture is in two splits of it.
        OutputError: There is something at `out`, or it cannot be written.
    """
    shares = parse_fractions(fractions)
    _check_writable(to, copy)
    (check_apart(source, out) if copy else check_free(out))
    splits = opened(source, images=images, format=format, on_error=on_error, only=only, say=say)
    names = [record.name for dataset in splits.values() for record in dataset.records]
    _check_kind(splits, to)
    whole = _together(in_one_table(uniquely_named(splits) if copy else splits))
    home = None if copy else _home(whole)
    groups = _groups(whole, names, group_by)
    parts = split(whole, shares, seed=seed, groups=groups)
    losses = _write(parts, out, to, copy)
    of_all = objects_by_size(whole)
    counts = {name: of_all[list(part.indices)] for name, part in parts.items()}
    _, sizes = np.unique(groups, return_counts=True)
    return {
        "source": str(source),
        "out": str(out),
        "pictures": None if home is None else str(home),
        "losses": losses,
        "seed": seed,
        "fractions": shares,
        "group_by": [key for key in group_by if key != "none"],
        "groups": len(sizes),
        "largest_group": int(sizes.max()),
        "splits": {name: counted_split(part, whole.classes) for name, part in counts.items()},
        "largest_deviation": largest_deviation(counts, shares, whole.classes),
    }


def parse_fractions(text: str) -> dict[str, float]:
    """Read ``train=0.8,val=0.2``.

    Raises:
        ConfigError: A part is no split of a data folder, comes twice, or has no number.
    """
    shares: dict[str, float] = {}
    for item in text.split(","):
        name, _, value = (word.strip() for word in item.partition("="))
        try:
            share = float(value)
        except ValueError:
            share = -1.0
        if name not in SPLITS or name in shares or not 0 < share <= 1:
            raise ConfigError(
                f"expected shares for {', '.join(SPLITS)}, each once and between 0 and 1, got "
                f"{item.strip()!r}: write for example train=0.8,val=0.2."
            )
        shares[name] = share
    return shares


def _together(splits: Mapping[str, Dataset]) -> Dataset:
    """Return all splits as one data set."""
    datasets = list(splits.values())
    if len(datasets) == 1:
        return datasets[0]
    if any(isinstance(dataset, PanopticDataset) for dataset in datasets):
        raise DataError(
            f"expected one panoptic data set to divide, got the splits {', '.join(splits)}, which "
            "are not put together: name the file of one."
        )
    seen: dict[Path, str] = {}
    for name, dataset in splits.items():
        for record in dataset.records:
            if record.path is not None and seen.setdefault(record.path.resolve(), name) != name:
                raise DataError(
                    f"expected every picture in one split, but {record.path} is in "
                    f"{seen[record.path.resolve()]} and in {name}: remove one of the two records, "
                    "or take one split with --only."
                )
    return Concat(datasets)


def _home(dataset: Dataset) -> Path:
    """Return the folder to which the names of all pictures are relative."""
    homes = set()
    for record in dataset.records:
        inside = PurePath(record.name).parts
        if record.path is None or record.path.parts[-len(inside) :] != inside:
            homes.add(None)
        else:
            homes.add(record.path.parents[len(inside) - 1])
    (home, *more) = homes
    if home is None or more:
        raise ConfigError(
            "expected pictures in one folder for --no-copy, which writes their names alone, but "
            "they lie in several or share names: leave --no-copy out."
        )
    return home


def _check_writable(to: str, copy: bool) -> None:
    writable(to)
    if not copy and to != "coco":
        raise ConfigError(
            f"expected --no-copy with COCO files, which name their pictures, got --to {to}: leave "
            "one of the two out."
        )


def _check_kind(splits: Mapping[str, Dataset], to: str) -> None:
    panoptic = any(isinstance(dataset, PanopticDataset) for dataset in splits.values())
    if panoptic and to not in ("coco", "coco_panoptic"):
        raise ConfigError(
            f"expected --to coco_panoptic for a panoptic data set, which stays one, got --to {to}: "
            "divide it so, and convert the parts with `delineate data convert`."
        )


def _write(parts: Mapping[str, Dataset], out: Path, to: str, copy: bool) -> int:
    """Write all parts or none; return how many objects do not come back exactly."""
    if copy and not isinstance(next(iter(parts.values())), PanopticDataset):
        return sum(map(len, convert(parts, to, out).losses.values()))
    with writing_folder(out) as folder:
        for name, part in parts.items():
            if isinstance(part, PanopticDataset):
                write_coco_panoptic(folder / f"{name}.json", part, copy_images=copy)
            else:
                write_coco(folder / f"{name}.json", part, copy_images=copy)
    return 0


def _groups(dataset: Dataset, names: Sequence[str], group_by: Sequence[str]) -> list[int]:
    """Return the group of each image; `names` are those of the source."""
    known: dict[str, Callable[[], Sequence[Any]]] = {
        "folder": lambda: keys_by_folder(names),
        "near-duplicates": lambda: clusters(dataset, counted=counted).tolist(),
    }
    keys = [
        known[key]() if key in known else keys_by_pattern(names, key)
        for key in group_by
        if key != "none"
    ]
    return joined(keys) if keys else list(range(len(dataset)))
