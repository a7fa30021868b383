"""`delineate data synth OUT`: made pictures whose objects are known exactly, as a data set."""

import re
import shlex
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from delineate import __version__
from delineate._files import check_free, writing_folder
from delineate.core.boxes import Size
from delineate.core.draw import overlay, sheet
from delineate.core.image import ImageArray, write_image
from delineate.data.annotated import StopOrSkip
from delineate.data.drawn.scenes import DrawnScenes
from delineate.data.formats import open_splits
from delineate.data.pasted.cut_paste import CutPaste
from delineate.data.pasted.grounds import DrawnGrounds, FolderGrounds, Grounds, SomeGrounds
from delineate.data.sample import Dataset
from delineate.data.split import split
from delineate.data.synth import SynthDataset, write_synth
from delineate.errors import ConfigError, DataError
from delineate.jobs.opening import Say, counted, plural, tell_problems

PREVIEW = "preview.png"
OWN, DRAWN = "own", "drawn"
"""Words for `--backgrounds` beside a folder."""

_SHOWN = 12
_SIZE = (512, 512)  # of drawn backgrounds


def synth(
    out: Path,
    *,
    images: int = 500,
    classes: Sequence[str] | None = None,
    source: Path | None = None,
    format: str | None = None,
    on_error: StopOrSkip = "stop",
    backgrounds: str = OWN,
    size: Size | None = None,
    objects: tuple[int, int] | None = None,
    seed: int = 0,
    val: float = 0.1,
    say: Say,
) -> dict[str, Any]:
    """Draw scenes, or paste labelled objects, into a new data set.

    The same options give the same bytes. Images that objects come from, and grounds, are divided
    first: no object, and no ground, is in both splits.

    Args:
        out: A folder that is new or empty; it receives train.json, val.json, images/, preview.png.
        images: Number of pictures, both splits together.
        classes: Names of classes: of those that are drawn, or of those of `source`; None: all.
        source: A data set whose objects are cut out and pasted; None: scenes are drawn.
        format: Name of the source's format; None: found out.
        on_error: What broken records of the source do.
        backgrounds: What objects are pasted on: `OWN`, the images of `source` without their
            objects; `DRAWN`; or a folder of pictures.
        size: (height, width); None: that of the background, 512 x 512 where scenes are drawn.
        objects: Fewest and most objects; None: 5 to 20 drawn, or as many as in real images.
        seed: Another seed, other pictures.
        val: Share of the pictures that become val.json; 0: none do, nor does a single picture.
        say: Receives lines for the user.

    Returns:
        The images and objects of each split, and where the preview is.

    Raises:
        ConfigError: A number makes no sense, or an option belongs to `source`, which is not given.
        DataError: A class is unknown, there is nothing to cut out or to paste on, too little of
            either for both splits, or the source cannot be read.
        OutputError: The place cannot be written, or is not empty.
    """
    if source is None:
        _check_drawn(format, on_error, backgrounds)
    check_free(out)
    counts = _counts(images, val, say)
    given = {"classes": classes, "size": size, "objects": objects, "seed": seed}
    options: dict[str, Any] = {n: value for n, value in given.items() if value is not None}
    made: dict[str, SynthDataset] = {}
    if source is None:
        for name, (first, count) in counts.items():
            made[name] = DrawnScenes(count, first=first, **options)
    else:
        grounds = _grounds(backgrounds, size or _SIZE, counts, seed)
        parts = _parts(source, format, on_error, counts, seed, say)
        _check_objects(source, parts, classes)
        for name, (first, count) in counts.items():
            say(f"learning from {plural(len(parts[name]), 'image')} for {name}.json")
            made[name] = CutPaste(parts[name], count, first=first, grounds=grounds[name], **options)
    lent = {"from": f"{source}", "format": format or "", "backgrounds": backgrounds}
    info = _info(
        {} if source is None else lent | {"on-error": "skip" if on_error == "skip" else ""},
        images=f"{images}",
        classes=",".join(classes or ()),
        size="x".join(map(str, reversed(size or ()))),
        objects="-".join(map(str, objects or ())),
        seed=f"{seed}",
        val=f"{val}",
    )
    found = _write(out, made, info)
    return {
        "out": str(out),
        "preview": str(out / PREVIEW),
        "method": "drawn" if source is None else "cut_paste",
        "classes": list(made["train"].classes.names),
        "images": {name: len(dataset) for name, dataset in made.items()},
        "objects": found,
    }


def summary(result: dict[str, Any]) -> str:
    """Return the closing words."""
    splits = ", ".join(
        f"{name}.json {plural(count, 'image')} with {plural(result['objects'][name], 'object')}"
        for name, count in result["images"].items()
    )
    return (
        f"wrote {result['out']}: {splits}\n"
        f"classes  {', '.join(result['classes'])}\nlook at  {result['preview']}"
    )


def parsed_size(text: str) -> Size:
    """Read ``512`` or ``640x480``, width first, as (height, width).

    Raises:
        ConfigError: It is neither.
    """
    found = re.fullmatch(r"(\d{1,5})(?:x(\d{1,5}))?", text.strip())
    if not found:
        raise ConfigError(f"expected --size as 512 or 640x480 (width x height), got {text!r}.")
    width = int(found[1])
    return int(found[2] or width), width


def parsed_range(text: str) -> tuple[int, int]:
    """Read ``5-20`` or ``12`` as fewest and most.

    Raises:
        ConfigError: It is neither.
    """
    found = re.fullmatch(r"(\d{1,6})(?:-(\d{1,6}))?", text.strip())
    if not found:
        raise ConfigError(f"expected --objects as 5-20 or 12, got {text!r}.")
    return int(found[1]), int(found[2] or found[1])


def _check_drawn(format: str | None, on_error: StopOrSkip, backgrounds: str) -> None:
    """Make sure that nothing was asked for that belongs to a source of objects.

    Raises:
        ConfigError: Something was.
    """
    if format is not None or on_error != "stop" or backgrounds != OWN:
        raise ConfigError(
            "format, on_error and backgrounds say how objects of `source` are read and pasted, and "
            "no source came with them: name it, or leave them out."
        )


def _counts(images: int, val: float, say: Say) -> dict[str, tuple[int, int]]:
    """Return the first number and the count of pictures of each split."""
    held_out = max(round(images * val), 1) if val and images > 1 else 0
    if not 0 <= val < 1 or images <= held_out:
        raise ConfigError(
            f"expected at least one picture in every split, got --images {images} --val {val:g}: "
            "ask for more pictures, or for --val 0."
        )
    if val and not held_out:
        say("a single picture is no two splits: it goes to train.json, and there is no val.json")
    counts = {"train": (0, images - held_out)}
    return counts | ({"val": (images - held_out, held_out)} if held_out else {})


def _parts(
    source: Path,
    format: str | None,
    on_error: StopOrSkip,
    counts: Mapping[str, tuple[int, int]],
    seed: int,
    say: Say,
) -> Mapping[str, Dataset]:
    """Open the source, and divide it as the pictures are divided."""
    splits = open_splits(source, format=format, on_error=on_error, only=("train",))
    if "train" not in splits:
        raise DataError(
            f"{source}: expected a split train whose objects are pasted, got none: name the file "
            "or folder."
        )
    tell_problems(splits["train"], say)
    if len(counts) == 1:
        return {"train": splits["train"]}
    if len(splits["train"]) < len(counts):
        raise DataError(
            f"{source}: expected images with objects to paste for every split, got "
            f"{len(splits['train'])} for {len(counts)}: add some, or ask for --val 0."
        )
    total = sum(count for _, count in counts.values())
    shares = {name: count / total for name, (_, count) in counts.items()}
    return split(splits["train"], shares, seed=seed)


def _check_objects(
    source: Path, parts: Mapping[str, Dataset], classes: Sequence[str] | None
) -> None:
    """Refuse a source whose few objects have all come into one of several splits."""
    has_some = {name: _has_objects(part, classes) for name, part in parts.items()}
    for name, has in has_some.items():
        if not has and any(has_some.values()):
            raise DataError(
                f"{source}: expected objects to paste in every split, got none in the "
                f"{plural(len(parts[name]), 'image')} for {name}.json: label more, or ask for "
                "--val 0."
            )


def _has_objects(dataset: Dataset, classes: Sequence[str] | None) -> bool:
    names = dataset.classes.names
    labels = [i for i, name in enumerate(names) if classes is None or name in classes]
    return any(np.isin(dataset.instances(i).labels, labels).any() for i in range(len(dataset)))


def _grounds(
    backgrounds: str, size: Size, counts: Mapping[str, tuple[int, int]], seed: int
) -> Mapping[str, Grounds | None]:
    """Return what is pasted on in each split, divided as the pictures are divided."""
    if backgrounds == OWN:
        return dict.fromkeys(counts)
    drawn = backgrounds == DRAWN
    grounds = DrawnGrounds(size, seed) if drawn else FolderGrounds(Path(backgrounds))
    if "val" not in counts:
        return {"train": grounds}
    if len(grounds) < len(counts):
        raise DataError(
            f"{backgrounds}: expected pictures to paste on for every split, got "
            f"{len(grounds)} for {len(counts)}: add some, or ask for --val 0."
        )
    share = counts["val"][1] / sum(count for _, count in counts.values())
    held_out = min(max(round(share * len(grounds)), 1), len(grounds) - 1)
    order = np.random.default_rng(seed).permutation(len(grounds))
    return {
        "train": SomeGrounds(grounds, order[held_out:]),
        "val": SomeGrounds(grounds, order[:held_out]),
    }


def _info(lent: Mapping[str, str], **words: str) -> dict[str, Any]:
    """Return what the files say of how they came about.

    Args:
        lent: Options about data whose objects are pasted; empty where scenes are drawn.
        words: All other options, as the command line takes them.
    """
    return {
        "description": f"made pictures, {'cut and pasted' if lent else 'drawn'}",
        "version": __version__,
        "seed": int(words["seed"]),
        "command": _command(lent | words),
    }


def _command(options: Mapping[str, str]) -> str:
    """Return the command that makes the same again; empty options are left out."""
    words = [word for name, text in options.items() if text for word in (f"--{name}", text)]
    return shlex.join(["delineate", "data", "synth", "OUT", *words])


def _write(out: Path, made: Mapping[str, SynthDataset], info: Mapping[str, Any]) -> dict[str, int]:
    """Write all splits and the preview; return the number of objects in each split."""
    found = {}
    with writing_folder(out) as folder:
        for name, dataset in made.items():
            bar = partial(counted, verb=f"making {name}")
            found[name] = write_synth(folder / f"{name}.json", dataset, info=info, count=bar)
        write_image(folder / PREVIEW, _preview(made["train"]))
    return found


def _preview(dataset: SynthDataset) -> ImageArray:
    """Return a sheet of the first pictures, their objects drawn."""
    samples = [dataset[i] for i in range(min(_SHOWN, len(dataset)))]
    drawn = [overlay(s.image, s.instances, dataset.classes) for s in samples]
    captions = [f"{s.name}: {plural(len(s.instances), 'object')}" for s in samples]
    return sheet(drawn, captions)
