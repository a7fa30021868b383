"""Splits whose labels index one table of classes."""

from collections.abc import Mapping

from delineate.core.classes import ClassMap
from delineate.data.derived import Relabelled
from delineate.data.sample import Dataset, PanopticDataset


def in_one_table(splits: Mapping[str, Dataset]) -> dict[str, Dataset]:
    """Return the splits with the classes of all of them, in the same order.

    Formats that list no classes name those that a split's objects have; of all splits together they
    are sorted, and what such a format calls the class of a split without objects is left out. Where
    tables are equal already, and of panoptic data, whose stuff would be lost, nothing changes.
    """
    tables = [dataset.classes for dataset in splits.values()]
    same = all(table.names == tables[0].names for table in tables)
    if same or any(isinstance(dataset, PanopticDataset) for dataset in splits.values()):
        return dict(splits)
    empty = {split for split, dataset in splits.items() if _is_empty(dataset)}
    known = [dataset.classes.names for split, dataset in splits.items() if split not in empty]
    names = list(dict.fromkeys(name for table in known for name in table))
    unlisted = all(table.from_objects for table in tables)
    classes = ClassMap.from_names(sorted(names) if unlisted else names, from_objects=unlisted)
    return {
        split: Relabelled(dataset, classes, empty=split in empty)
        for split, dataset in splits.items()
    }


def _is_empty(dataset: Dataset) -> bool:
    """Tell whether there is no object whose class was found, as no list says the classes."""
    return dataset.classes.from_objects and not any(
        len(dataset.instances(index)) for index in range(len(dataset))
    )
