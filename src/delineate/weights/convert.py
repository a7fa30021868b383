"""Bring a checkpoint of another program into our format, once, and ours into that of another."""

import hashlib
import os
from collections.abc import Mapping
from pathlib import Path, PurePosixPath
from typing import NamedTuple
from urllib.parse import urlsplit

import torch
from safetensors.torch import save_file
from torch import Tensor

from delineate._files import writing_whole
from delineate.core.classes import ClassMap
from delineate.errors import ModelError
from delineate.weights.file import is_ours, load_model, save_model
from delineate.weights.foreign_file import read_foreign
from delineate.weights.hub import WEIGHTS
from delineate.weights.layout import Layout
from delineate.weights.layouts import LAYOUTS, build_from, recognise

PROGRAMS: Mapping[str, tuple[Layout, ...]] = {
    program: tuple(layout for layout in LAYOUTS if layout.name.startswith(prefix))
    for program, prefix in (
        ("torchvision", "torchvision_"),
        ("detectron2", "detectron2_"),
        ("detr", "facebook_detr"),
        ("yolact", "yolact"),
        ("huggingface", "huggingface_"),
    )
}
"""Name of a program -> the layouts that it reads."""
_WRAPPED = ("detectron2", "detr")  # they look for the state dict under "model"
_CHUNK = 1 << 20


class Converted(NamedTuple):
    """What came out of a conversion."""

    reason: str
    """A sentence: which layout it is, and by what that is known."""
    model: str
    """Name in the zoo."""
    layout: str
    classes: ClassMap
    published: str
    """``name:tag`` of the published file it is; empty if it is none."""
    sha256: str
    """Of the source."""


def convert(
    file: str | os.PathLike[str],
    out: str | os.PathLike[str],
    *,
    classes: ClassMap | None = None,
) -> Converted:
    """Write another program's checkpoint as ours: with classes, preprocessing, licence, source.

    Args:
        file: A ``.pth``, ``.pkl`` or ``.safetensors`` file of a whole model.
        out: A ``.safetensors`` file.
        classes: What the outputs mean, where the file's own number of them does not say.

    Raises:
        ModelError: The file cannot be read, is of no program we know or of several, or its entries
            are not those of the model it seems to be.
        OutputError: The place cannot be written.
    """
    if Path(out).suffix != ".safetensors":
        raise ModelError(
            f"expected a name that ends in .safetensors to write to, got {out}: change it."
        )
    if is_ours(file):
        raise ModelError(
            f"expected another program's checkpoint, got {file}, which is ours already: use it as "
            f"it is, or name a program to write it for with --to ({', '.join(PROGRAMS)})."
        )
    state = read_foreign(file)
    layout = recognise(state)
    digest = _sha256(file)
    published = _published(Path(file).name, digest, layout)
    name = published.partition(":")[0] or layout.identify(state).model
    model = build_from(state, layout, name=name, classes=classes)
    record = WEIGHTS[published] if published else None
    save_model(
        model,
        out,
        name=published or name,
        licence=record.licence if record else "",
        source=record.source if record else f"{Path(file).name}, sha256 {digest}",
        extra={"layout": layout.name, "source_file": Path(file).name, "source_sha256": digest},
    )
    return Converted(_reason(layout), name, layout.name, model.classes, published, digest)


def convert_back(ours: str | os.PathLike[str], program: str, out: str | os.PathLike[str]) -> Layout:
    """Write our checkpoint under another program's names; values stay as they are, bit for bit.

    Args:
        ours: A checkpoint that `save_model` wrote.
        program: A key of `PROGRAMS`.
        out: A ``.safetensors`` or ``.pth`` file of tensors alone; in a ``.pth`` for detectron2
            or DETR they lie under ``"model"``, where these programs look for them.

    Returns:
        The layout it was written in.

    Raises:
        ModelError: The program is unknown, or has no such model.
        OutputError: The place cannot be written.
    """
    if program not in PROGRAMS:
        raise ModelError(
            f"expected a program to convert to, got {program!r}: choose one of "
            f"{', '.join(PROGRAMS)}."
        )
    if Path(out).suffix not in (".safetensors", ".pth"):
        raise ModelError(
            f"expected a name that ends in .safetensors or .pth to write to, got {out}: change it."
        )
    model = load_model(ours)
    refusals = []
    for layout in PROGRAMS[program]:
        try:
            state = layout.to_theirs(model)
        except ModelError as error:
            refusals.append(f"{layout.name}: {error}")
            continue
        if any(mark not in state for mark in layout.marks):
            refusals.append(f"{layout.name}: it needs the entries {', '.join(layout.marks)}")
            continue
        _write(state, out, wrapped=program in _WRAPPED)
        return layout
    raise ModelError(
        f"{ours} cannot be written for {program}: {' Or '.join(text[:300] for text in refusals)}"
    )


def _write(state: Mapping[str, Tensor], out: str | os.PathLike[str], *, wrapped: bool) -> None:
    tensors = {key: value.contiguous() for key, value in state.items()}
    with writing_whole(out) as file:
        if Path(out).suffix == ".pth":
            torch.save({"model": tensors} if wrapped else tensors, file)
        else:
            save_file(tensors, file.name)


def _published(name: str, digest: str, layout: Layout) -> str:
    """Return which published file it is, by name and, where they are stated, digits of its hash."""
    for spec, record in WEIGHTS.items():
        same = PurePosixPath(urlsplit(record.url).path).name == name
        if same and digest.startswith(record.sha256) and record.layout == layout.name:
            return spec
    return ""


def _reason(layout: Layout) -> str:
    return f"It is a checkpoint of {layout.name}: it has {', '.join(layout.marks)}."


def _sha256(file: str | os.PathLike[str]) -> str:
    digest = hashlib.sha256()
    with Path(file).open("rb") as stream:
        while chunk := stream.read(_CHUNK):
            digest.update(chunk)
    return digest.hexdigest()
