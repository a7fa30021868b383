"""What every measure of quality offers: update image by image, merge workers, compute once."""

from typing import Protocol, Self, TypeVar

Seen_contra = TypeVar("Seen_contra", contravariant=True)
Result_co = TypeVar("Result_co", covariant=True)


class Metric(Protocol[Seen_contra, Result_co]):
    """A measure over a data set that sees one image at a time and never a model.

    What it sees of an image are `Instances`, a `Panoptic` or a map of labels. A metric keeps only
    what its result needs, never pictures or dense masks, so that its memory grows by a few bytes
    per object. It pickles: workers each fill their own and one of them merges.
    """

    def update(self, truth: Seen_contra, predicted: Seen_contra) -> None:
        """Add one image.

        Args:
            truth: Its ground truth; regions marked ``crowd`` are to be ignored.
            predicted: What a model found in it, with scores where they matter.
        """
        ...

    def merge(self, other: Self) -> None:
        """Add all images of `other`, which is left as it is."""
        ...

    def compute(self) -> Result_co:
        """Return the result over all images so far; more may follow afterwards."""
        ...
