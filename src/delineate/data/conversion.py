"""Write a data set in another format, and tell what that has cost by reading the result again."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path, PurePath
from typing import Any

from delineate._files import writing_folder
from delineate.core.classes import ClassMap
from delineate.data.comparison import Difference, differences
from delineate.data.format_table import FORMATS, Format
from delineate.data.formats import find_sources, open_source
from delineate.data.naming import uniquely_named
from delineate.data.one_table import in_one_table
from delineate.data.sample import Dataset, PanopticDataset
from delineate.errors import ConfigError, DataError, nearest


@dataclass(frozen=True, slots=True, kw_only=True)
class Conversion:
    """What became of a data set.

    Attributes:
        format: Name of the format it was written in.
        images: Images of each split.
        objects: Objects of each split.
        left_out: Broken records, and pictures that nobody annotated, which opening each split of
            the source left out.
        losses: What is not as it was, by split.
        lost_classes: Classes of the source, stuff included, that the result does not know.
        renamed: Old name -> new name of the pictures that are called otherwise now, by split. In
            another folder, or with an ending that is the format's, a picture keeps its name.
        renumbered: Class -> its id in the source and the other one that it has now, by split, where
            both formats have ids.
    """

    format: str
    images: Mapping[str, int]
    objects: Mapping[str, int]
    left_out: Mapping[str, int]
    losses: Mapping[str, tuple[Difference, ...]]
    lost_classes: tuple[str, ...]
    renamed: Mapping[str, Mapping[str, str]]
    renumbered: Mapping[str, Mapping[str, tuple[int, int]]]

    @property
    def exact(self) -> bool:
        """Whether every object is as it was, and so are stuff and what is known of classes."""
        return not any(self.losses.values())

    def to_json(self) -> dict[str, Any]:
        """Return what JSON can hold."""
        return {
            "format": self.format,
            "images": dict(self.images),
            "objects": dict(self.objects),
            "left_out": dict(self.left_out),
            "exact": self.exact,
            "losses": {s: [loss.to_json() for loss in found] for s, found in self.losses.items()},
            "lost_classes": list(self.lost_classes),
            "renamed": {split: dict(names) for split, names in self.renamed.items() if names},
            "renumbered": {
                split: {name: list(ids) for name, ids in found.items()}
                for split, found in self.renumbered.items()
                if found
            },
        }


def writable(name: str) -> Format:
    """Return a format that can be written.

    Raises:
        ConfigError: There is none of this name, or it is only read.
    """
    able = [format.name for format in FORMATS.values() if format.write is not None]
    if name not in FORMATS:
        raise ConfigError(f"no data format is called {name!r}: {nearest(name, able)}")
    if FORMATS[name].write is None:
        raise ConfigError(
            f"the format {name!r} can be read, but not written: choose one of {', '.join(able)}."
        )
    return FORMATS[name]


def convert(
    splits: Mapping[str, Dataset], name: str, out: Path, *, strict: bool = False
) -> Conversion:
    """Write splits in a format, read them again and compare every object.

    Args:
        splits: Split name -> data set.
        name: A name in `FORMATS`.
        out: A folder that does not exist yet, or is empty. It appears last, whole.
        strict: Write nothing where an object would not come back exactly.

    Raises:
        ConfigError: There is no such format, or it cannot be written.
        DataError: The data cannot be expressed at all, or `strict` and something would be lost.
        OutputError: The place cannot be written, or is not empty.
    """
    format = writable(name)
    assert format.write is not None
    with_masks(splits)
    with writing_folder(out) as folder:
        named = uniquely_named(in_one_table(splits))
        names = format.write(folder, named)
        result = _compared(format, splits, folder, names)
        if strict and not result.exact:
            raise DataError(_refusal(result))
    return result


def with_masks(splits: Mapping[str, Dataset]) -> None:
    """Make sure that all objects have masks.

    Raises:
        DataError: Those of an image have boxes only.
    """
    for dataset in splits.values():
        for index, record in enumerate(dataset.records):
            if dataset.instances(index).masks is None:
                raise DataError(
                    f"{dataset.name}: expected masks, but image {record.name!r} has boxes only: "
                    "give its objects masks, or leave it out."
                )


def _compared(
    format: Format,
    splits: Mapping[str, Dataset],
    folder: Path,
    names: Mapping[str, Any],
) -> Conversion:
    _, sources = find_sources(folder, format.name)
    losses: dict[str, tuple[Difference, ...]] = {}
    renumbered: dict[str, Mapping[str, tuple[int, int]]] = {}
    known: set[str] = set()
    for split, before in splits.items():
        after = open_source(format, sources[split], images=None, on_error="skip")
        known.update(_classes(after).names)
        renumbered[split] = _other_ids(before, after)
        losses[split] = tuple(differences(before, after, names[split]))
    wanted = dict.fromkeys(name for dataset in splits.values() for name in _classes(dataset).names)
    return Conversion(
        format=format.name,
        images={split: len(dataset) for split, dataset in splits.items()},
        objects={
            split: sum(len(dataset.instances(i)) for i in range(len(dataset)))
            for split, dataset in splits.items()
        },
        left_out={split: len(dataset.problems) for split, dataset in splits.items()},
        losses=losses,
        lost_classes=tuple(name for name in wanted if name not in known),
        renamed={
            split: {
                record.name: name
                for record, name in zip(dataset.records, names[split], strict=True)
                if not PurePath(name).name.startswith(PurePath(record.name).stem)
            }
            for split, dataset in splits.items()
        },
        renumbered=renumbered,
    )


def _classes(dataset: Dataset) -> ClassMap:
    """Return its classes, those of stuff included."""
    if isinstance(dataset, PanopticDataset):
        return dataset.panoptic_classes.joint
    return dataset.classes


def _other_ids(before: Dataset, after: Dataset) -> dict[str, tuple[int, int]]:
    """Return class -> old and new id of those that have another one."""
    if not (before.classes.own_ids and after.classes.own_ids):
        return {}
    olds, news = (
        dict(zip(table.names, table.source_ids, strict=True))
        for table in map(_classes, (before, after))
    )
    return {name: (old, news[name]) for name, old in olds.items() if old != news.get(name, old)}


def _refusal(result: Conversion) -> str:
    found = [loss for losses in result.losses.values() for loss in losses]
    others = sum(loss.kind in ("stuff", "federated") for loss in found)
    beside = f", and {others} facts about stuff or classes," if others else ""
    return (
        f"expected a conversion without loss, but {len(found) - others} of "
        f"{sum(result.objects.values())} objects{beside} would not come back from {result.format} "
        f"as they are (the first: {found[0]}): choose another format, or leave out --strict."
    )
