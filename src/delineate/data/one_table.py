"""Splits whose labels index one table of classes."""

from collections.abc import Mapping

from delineate.core.classes import ClassMap
from delineate.data.derived import Relabelled
from delineate.data.sample import Dataset, PanopticDataset


def in_one_table(splits: Mapping[str, Dataset]) -> dict[str, Dataset]:
    """Return the splits with the classes of all of them, in the same order.

    Formats that list no classes name those that a split's objects have. Where tables are equal
    already, and of panoptic data, whose stuff would be lost, nothing changes.
    """
    tables = [dataset.classes for dataset in splits.values()]
    same = all(table.names == tables[0].names for table in tables)
    if same or any(isinstance(dataset, PanopticDataset) for dataset in splits.values()):
        return dict(splits)
    names = dict.fromkeys(name for table in tables for name in table.names)
    classes = ClassMap.from_names(list(names))
    return {split: Relabelled(dataset, classes) for split, dataset in splits.items()}
