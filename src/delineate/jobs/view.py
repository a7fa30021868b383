"""`delineate data view`: every image of a data set with its objects, on one page."""

import re
import webbrowser
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from delineate._files import check_own
from delineate.core.image import write_image
from delineate.core.json_file import read_json
from delineate.core.page import generator
from delineate.data.annotated import StopOrSkip
from delineate.data.derived import Subset
from delineate.data.one_table import in_one_table
from delineate.data.sample import Dataset
from delineate.errors import ConfigError, DataError, nearest
from delineate.jobs.augmented import augmented_sheet
from delineate.jobs.opening import Say, counted, opened, plural, title_of
from delineate.quality.findings import Finding, Place
from delineate.quality.gallery import KIND, Chosen, write_gallery

_SOFTWARE = "Delineate: sheet"
"""What a sheet says that it was made by; of all formats only BMP cannot say it."""

_PAGE, _SHEET = re.escape(generator(KIND).encode()), re.escape(_SOFTWARE.encode())
"""By what an earlier gallery, and an earlier sheet, is known; only such a file is replaced."""


def view(
    data: Path,
    out: Path,
    *,
    limit: int | None = None,
    shows: str | None = None,
    findings: Path | None = None,
    only: Sequence[str] | None = None,
    images: Path | None = None,
    format: str | None = None,
    on_error: StopOrSkip = "stop",
    show: bool = False,
    say: Say,
) -> dict[str, Any]:
    """Write a gallery.

    Args:
        data: A data folder or file.
        out: The HTML file.
        limit: How many images are shown at most, evenly spread over the data set; None: all.
        shows: A class; images without an object of it are left out.
        findings: ``findings.json`` of a check of the data; each is told beside its image.
        only: The splits to take; None: all.
        images: Folder of the pictures, where it is not the usual one.
        format: Name of the format; None: found out.
        on_error: "stop" refuses a data set with broken records, "skip" leaves them out.
        show: Open the page in the browser.
        say: Receives lines for the user.

    Returns:
        Where what was written; see `summary`.

    Raises:
        ConfigError: An option is wrong.
        DataError: The data set is broken, no image is left to show, or `findings` is another file,
            or of other data.
        OutputError: The page cannot be written, or another file is there.
    """
    if out.suffix.lower() not in (".html", ".htm"):
        raise ConfigError(f"expected a page to write with --out, got {out}: write x.html.")
    check_own(out, _PAGE)
    found = [] if findings is None else _found(findings)
    splits = in_one_table(
        opened(data, images=images, format=format, on_error=on_error, only=only, say=say)
    )
    if findings is not None:
        found = _fitting(found, splits, only, findings, say)
    chosen = _chosen(splits, shows, limit)
    written = write_gallery(out, chosen, title=title_of(data), findings=found, counted=counted)
    if show:
        webbrowser.open(out.resolve().as_uri())
    return {
        "out": str(out),
        "folder": None if written.folder is None else str(written.folder),
        "images": written.images,
        "of": sum(map(len, splits.values())),
        "broken": written.broken,
        "bytes": out.stat().st_size,
    }


def view_augmented(
    data: Path,
    out: Path,
    *,
    preset: str,
    seed: int = 0,
    limit: int | None = None,
    shows: str | None = None,
    only: Sequence[str] | None = None,
    images: Path | None = None,
    format: str | None = None,
    on_error: StopOrSkip = "stop",
    show: bool = False,
    say: Say,
) -> dict[str, Any]:
    """Write a sheet of pictures, each beside what a training would see of it.

    Args:
        data: A data folder or file; of several splits the first is shown.
        out: The picture.
        preset: Name of the preset of augmentation.
        seed: That of the training.
        limit: How many pictures, a row each; None: 4.
        shows: As for `view`, like what follows.
        only: As for `view`.
        images: As for `view`.
        format: As for `view`.
        on_error: As for `view`.
        show: As for `view`.
        say: As for `view`.

    Returns:
        Where what was written.

    Raises:
        ConfigError: An option is wrong.
        DataError: The data set is broken, or no image is left to show.
        OutputError: The picture cannot be written, or another file is there.
    """
    if out.suffix.lower() == ".bmp":
        raise ConfigError(
            f"expected a picture that can tell who made it, which no BMP can, got --out {out}: "
            "write x.png, x.jpg or x.webp."
        )
    check_own(out, _SHEET)
    splits = opened(data, images=images, format=format, on_error=on_error, only=only, say=say)
    split, dataset = next(iter(splits.items()))
    (chosen,) = _chosen({split: dataset}, shows, None)
    rows = 4 if limit is None else limit
    sheet = augmented_sheet(Subset(dataset, chosen.indices), preset, seed=seed, images=rows)
    write_image(out, sheet, software=_SOFTWARE)
    if show:
        webbrowser.open(out.resolve().as_uri())
    return {"out": str(out), "split": split, "preset": preset, "seed": seed}


def _chosen(splits: Mapping[str, Dataset], shows: str | None, limit: int | None) -> list[Chosen]:
    """Return which images are shown."""
    names = next(iter(splits.values())).classes.names
    if shows is not None and shows not in names:
        raise ConfigError(f"no class is called {shows!r}: {nearest(shows, names)}")
    label = None if shows is None else names.index(shows)
    places = [
        (split, i)
        for split, dataset in splits.items()
        for i in range(len(dataset))
        if label is None or (dataset.instances(i).labels == label).any()
    ]
    if not places:
        raise DataError(f"expected images that show {shows!r}, got none: choose another class.")
    if limit is not None and limit < len(places):
        places = [places[i] for i in np.linspace(0, len(places) - 1, limit).round().astype(int)]
    indices = {split: [i for s, i in places if s == split] for split in splits}
    return [
        Chosen(split=split, dataset=dataset, indices=indices[split])
        for split, dataset in splits.items()
        if indices[split]
    ]


def _found(path: Path) -> list[Finding]:
    told = read_json(path)
    if not isinstance(told, list):
        raise DataError(
            f"{path}: expected the findings.json that `delineate data check --out` writes, got "
            "other JSON: run the check, and name its file."
        )
    try:
        return [Finding.from_json(finding) for finding in told]
    except DataError as error:
        raise DataError(f"{path}: {error}") from None


def _fitting(
    found: Sequence[Finding],
    splits: Mapping[str, Dataset],
    only: Sequence[str] | None,
    path: Path,
    say: Say,
) -> list[Finding]:
    """Return the findings whose images are in the data, by split, id and name; tell of others."""
    names = {
        (split, record.image_id): record.name
        for split, dataset in splits.items()
        for record in dataset.records
    }

    def fits(place: Place) -> bool:
        image = place.split, place.image_id or 0
        return image in names and place.name in ("", names[image])

    about: dict[int, list[Place]] = {}
    for k, finding in enumerate(found):
        for place in (finding.place, *finding.others):
            if place.image_id is not None and (not only or place.split in only):
                about.setdefault(k, []).append(place)
    strange = {k for k, places in about.items() if not all(map(fits, places))}
    if strange and len(strange) == len(about):
        raise DataError(
            f"{path}: expected findings about images of these data, but the images of all "
            f"{len(strange):,} are others: run `delineate data check` on the data, and name its "
            "file."
        )
    if strange:
        say(
            f"{path}: {len(strange):,} of {plural(len(about), 'finding')} are about images that "
            "are not in these data, and are left out: check the data anew"
        )
    return [finding for k, finding in enumerate(found) if k not in strange]


def summary(result: Mapping[str, Any]) -> str:
    """Return in words what `view` returned."""
    shown = plural(result["images"], "image")
    if result["images"] < result["of"]:
        shown += f" of {result['of']:,}"
    where = f"gallery of {shown} in {result['out']} ({result['bytes'] / 1e6:,.1f} MB)"
    if result["folder"] is not None:
        where += f", its small pictures in {result['folder']}: keep the two together"
    if result["broken"]:
        where += f"; {plural(result['broken'], 'image')} cannot be read"
    return where
