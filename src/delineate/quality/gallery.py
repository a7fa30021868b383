"""A gallery of a data set: one page with every image and its objects, to search and to filter.

Up to `EMBEDDED` images the page is one file that holds everything but the original pictures, which
it shows where they still lie in their places. Beyond that its small pictures lie in a folder beside
it. Only what is in sight is drawn, so 10,000 images are no burden.
"""

import base64
import contextlib
import json
import os
import re
import shutil
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from string import Template
from typing import Any
from urllib.parse import quote

from delineate._files import output_error, write_whole, writing_folder
from delineate.core.classes import colour
from delineate.core.page import page, template
from delineate.data.sample import Dataset
from delineate.errors import OutputError
from delineate.quality.findings import SEVERITIES, Finding
from delineate.quality.gallery_entries import Entry, entry
from delineate.quality.view import Counted, silently

KIND = "gallery"
"""Which kind of page it is; see `delineate.core.page.generator`."""

EMBEDDED = 2000
"""Images up to which their small pictures are in the page itself."""

_OUTLINES = 800_000  # about 60 MB of them
_OUTLINES_OF_ONE = (20, 300)  # objects outlined in an image: at least, at most
_PALETTE = 12  # colours of objects where there is one class
_PICTURES = "data: 'self' file:"  # those of the page, and the originals beside it
_THREADS = min(os.cpu_count() or 1, 8)
_OURS = re.compile(r"\d{6,}\.webp")


@dataclass(frozen=True, slots=True, kw_only=True)
class Chosen:
    """Some images of a split.

    Attributes:
        split: Its name.
        dataset: The split.
        indices: Positions of the images.
    """

    split: str
    dataset: Dataset
    indices: Sequence[int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Written:
    """What was written.

    Attributes:
        images: How many images the gallery shows.
        folder: Where their small pictures are; None: in the page.
        broken: How many could not be read.
    """

    images: int
    folder: Path | None
    broken: int


def write_gallery(
    path: Path,
    chosen: Sequence[Chosen],
    *,
    title: str,
    findings: Sequence[Finding] = (),
    counted: Counted = silently,
) -> Written:
    """Write a gallery, whole or not at all.

    Args:
        path: The HTML file.
        chosen: What it shows; all have the same classes.
        title: What it is about.
        findings: What was found in these images, for a filter and to be read beside them.
        counted: Shows how far the work is.

    Raises:
        OutputError: The file or its folder cannot be written, or there is another folder of its
            name.
    """
    total = sum(len(part.indices) for part in chosen)
    folder = path.with_name(f"{path.stem}_files") if total > EMBEDDED else None
    if folder is not None:
        _check_ours(folder)
    kinds = _kinds(findings)
    told: list[dict[str, Any]] = []
    with contextlib.ExitStack() as stack:
        files = None if folder is None else stack.enter_context(_replacing(folder))
        for number, made in enumerate(_entries(path, chosen, findings, kinds, total, counted)):
            thumb = "" if files is not None else base64.b64encode(made.webp).decode("ascii")
            if files is not None and made.webp:
                thumb = f"{number:06d}.webp"
                (files / thumb).write_bytes(made.webp)
            told.append({**made.told, "thumb": thumb})
    write_whole(path, _page(title, chosen, kinds, told, folder).encode(errors="replace"))
    broken = sum("broken" in image for image in told)
    return Written(images=total, folder=folder, broken=broken)


def _entries(
    path: Path,
    chosen: Sequence[Chosen],
    findings: Sequence[Finding],
    kinds: Sequence[tuple[str, str]],
    total: int,
    counted: Counted,
) -> Iterator[Entry]:
    """Yield the entries in order, made by as many threads as there are processors."""
    found = _by_image(findings, kinds)
    fewest, most = _OUTLINES_OF_ONE
    outlines = min(max(_OUTLINES // max(total, 1), fewest), most)
    places = ((k, part, i) for k, part in enumerate(chosen) for i in part.indices)
    waiting: deque[Future[Entry]] = deque()
    with ThreadPoolExecutor(_THREADS) as pool:
        for _ in counted(total, "gallery"):
            while len(waiting) < 4 * _THREADS and (place := next(places, None)):
                k, part, i = place
                image = part.split, part.dataset.records[i].image_id
                waiting.append(
                    pool.submit(
                        entry,
                        part.dataset,
                        i,
                        split=part.split,
                        number=k,
                        findings=found.get(image, ()),
                        home=path.parent,
                        outlines=outlines,
                    )
                )
            yield waiting.popleft().result()


def _kinds(findings: Sequence[Finding]) -> list[tuple[str, str]]:
    """Return each kind of finding and its worst severity, the worst kind first."""
    worst: dict[str, int] = {}
    for finding in findings:
        rank = SEVERITIES.index(finding.severity)
        worst[finding.kind] = min(worst.get(finding.kind, rank), rank)
    return [(kind, SEVERITIES[rank]) for kind, rank in sorted(worst.items(), key=lambda k: k[::-1])]


def _by_image(
    findings: Sequence[Finding], kinds: Sequence[tuple[str, str]]
) -> Mapping[tuple[str, int], Sequence[tuple[int, Finding]]]:
    """Return the findings about each image, by split and id; those about no image are left out."""
    number = {kind: k for k, (kind, _) in enumerate(kinds)}
    found: dict[tuple[str, int], list[tuple[int, Finding]]] = {}
    for finding in findings:
        images = {
            (place.split, place.image_id): None
            for place in (finding.place, *finding.others)
            if place.image_id is not None
        }
        for split, image_id in images:
            found.setdefault((split, image_id), []).append((number[finding.kind], finding))
    return found


def _page(
    title: str,
    chosen: Sequence[Chosen],
    kinds: Sequence[tuple[str, str]],
    told: Sequence[Mapping[str, Any]],
    folder: Path | None,
) -> str:
    names = chosen[0].dataset.classes.names if chosen else ()
    colours = range(len(names) if len(names) > 1 else _PALETTE)
    data = {
        "classes": names,
        "colours": [
            f"#{red:02x}{green:02x}{blue:02x}" for red, green, blue in map(colour, colours)
        ],
        "splits": [part.split for part in chosen],
        "kinds": kinds,
        "folder": "" if folder is None else quote(os.fsencode(folder.name)),
        "images": told,
    }
    text = json.dumps(data, separators=(",", ":")).replace("<", "\\u003c")
    room = "delineate.quality"
    return page(
        kind=KIND,
        title=title,
        body=Template(template(room, "gallery.html")).substitute(data=text),
        facts={part.split: f"{len(part.indices):,} images" for part in chosen},
        style=template(room, "gallery.css"),
        script=template(room, "gallery.js"),
        pictures=_PICTURES,
    )


def _check_ours(folder: Path) -> None:
    """Make sure that a folder is new, or holds nothing but small pictures of a gallery."""
    if folder.exists() and not (
        folder.is_dir() and all(_OURS.fullmatch(file.name) for file in folder.iterdir())
    ):
        raise OutputError(
            f"{folder}: expected a new folder for small pictures, or an older gallery's, got "
            "something else: choose another name with --out."
        )


@contextlib.contextmanager
def _replacing(folder: Path) -> Iterator[Path]:
    """Give a folder to fill, which takes the place of an older one when the block ends well."""
    new = folder.with_name(f"{folder.name}.new")
    with writing_folder(new) as files:
        yield files
    try:
        if folder.exists():
            shutil.rmtree(folder)
        new.rename(folder)
    except OSError as error:
        raise output_error(folder, error) from error
