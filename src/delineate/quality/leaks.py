"""Pictures that two splits share, told by their files. Copies are found by their pixels."""

from collections.abc import Iterator, Mapping

from delineate.data.sample import Dataset
from delineate.quality.findings import Finding, Place, place_of


def shared_pictures(splits: Mapping[str, Dataset]) -> Iterator[Finding]:
    """Find files that two splits list."""
    first: dict[str, Place] = {}
    for split, dataset in splits.items():
        for record in dataset.records:
            if record.path is None:
                continue
            place = place_of(split, record)
            other = first.setdefault(str(record.path), place)
            if other.split != split:
                yield Finding(
                    kind="picture_in_two_splits",
                    severity="error",
                    place=place,
                    why=f"the same file is in {other.split!r}, so that a model is measured on what "
                    "it has learnt by heart",
                    fix="leave it out of one of the two",
                    others=(other,),
                )
