"""`delineate data stats`: what a data set is made of, as text, JSON and a page."""

import contextlib
import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from delineate._files import check_free, write_whole, writing_folder
from delineate.core.page import generator
from delineate.data.annotated import StopOrSkip
from delineate.data.one_table import in_one_table
from delineate.jobs.opening import Say, counted, opened, title_of
from delineate.quality.measures import measure
from delineate.quality.statistics import statistics
from delineate.quality.statistics_html import KIND, write_statistics
from delineate.quality.statistics_text import statistics_text

STATS, PAGE = "stats.json", "stats.html"

_OWN = {
    PAGE: re.escape(generator(KIND).encode()),
    STATS: rb'\A\{\s*"name": "([^"\\]|\\.)*",\s*"splits": \{.*"without_objects": \d',
}
"""By what the files of an earlier result are known; only such files are replaced."""


def stats(
    data: Path,
    *,
    out: Path | None = None,
    only: Sequence[str] | None = None,
    images: Path | None = None,
    format: str | None = None,
    on_error: StopOrSkip = "stop",
    say: Say,
) -> tuple[dict[str, Any], str]:
    """Measure a data set; no picture is decoded.

    Args:
        data: A data folder or file.
        out: A folder that gets ``stats.json`` and ``stats.html``; it is new or empty, or holds
            earlier ones. None: none are written.
        only: The splits to take; None: all.
        images: Folder of the pictures, where it is not the usual one.
        format: Name of the format; None: found out.
        on_error: "stop" refuses a data set with broken records, "skip" leaves them out.
        say: Receives lines for the user.

    Returns:
        The statistics, and the same to read.

    Raises:
        DataError: The data set is broken.
        OutputError: The folder cannot be written to, or holds something else.
    """
    if out is not None:
        check_free(out, own=_OWN)
    splits = in_one_table(
        opened(data, images=images, format=format, on_error=on_error, only=only, say=say)
    )
    with contextlib.ExitStack() as stack:
        folder = out and stack.enter_context(writing_folder(out, own=_OWN))
        measures = {
            split: measure(dataset, counted(len(dataset), split))
            for split, dataset in splits.items()
        }
        result = statistics(title_of(data), measures, next(iter(splits.values())).classes.names)
        if folder is not None:
            write_whole(folder / STATS, json.dumps(result.to_json(), indent=1).encode())
            write_statistics(folder / PAGE, result)
    if out is not None:
        say(f"page in {out / PAGE}")
    return result.to_json(), statistics_text(result)
