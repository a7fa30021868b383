"""Annotator noise: outlines drawn in haste, by a tool, or on another picture than this one."""

from collections.abc import Iterator, Mapping

from delineate.data.sample import Dataset
from delineate.quality import alignment, mask_edges, vertices
from delineate.quality.findings import Finding
from delineate.quality.view import Counted, silently

KINDS = (*vertices.KINDS, *mask_edges.KINDS, *alignment.KINDS)
"""Kinds of findings."""


def annotator_noise(
    splits: Mapping[str, Dataset], *, counted: Counted = silently
) -> Iterator[Finding]:
    """Find outlines of too few points, with coarse or ragged edges, or beside their objects.

    Args:
        splits: Split name -> data set.
        counted: Shows how far it is.
    """
    yield from vertices.few_points(splits)
    yield from mask_edges.rough_edges(splits, counted=counted)
    yield from alignment.misaligned(splits, counted=counted)
