"""Our own checkpoints: one safetensors file that holds a model and everything needed to use it.

Beside the tensors of the state dict there is one entry of metadata, ``delineate``, a JSON object:

    format      1; a reader refuses numbers above the one it knows
    family      a key of `delineate.models.zoo.FAMILIES`
    name        zoo name or name of the run, for people
    config      values of the family's configuration
    classes     names and source ids of labels 0, 1, ...
    preprocess  how images come in
    licence     terms of use of the weights, where known
    source      where they come from, where known
    extra       whatever the writer wants to keep: metrics, epoch, ...

Reading runs no code from the file and allocates nothing before the header is checked.
"""

import contextlib
import json
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from delineate._files import write_whole
from delineate.core.classes import ClassMap
from delineate.core.preprocess import Preprocess
from delineate.errors import InputError, ModelError, nearest
from delineate.models.api import SegModel
from delineate.models.zoo import FAMILIES

FORMAT = 1
KEY = "delineate"
_BAD_VALUES = (InputError, TypeError, ValueError, KeyError, AttributeError, IndexError)


@dataclass(frozen=True, slots=True, kw_only=True)
class Card:
    """What a checkpoint says about itself; see the head of this file."""

    family: str
    config: Any
    classes: ClassMap
    preprocess: Preprocess
    name: str = ""
    licence: str = ""
    source: str = ""
    extra: dict[str, Any] = field(default_factory=dict)


def save_model(
    model: SegModel,
    path: str | os.PathLike[str],
    *,
    name: str = "",
    licence: str = "",
    source: str = "",
    extra: Mapping[str, Any] | None = None,
) -> None:
    """Write `model` to `path`, replacing what was there; the same model gives the same bytes.

    Args:
        model: Any model; its weights may be on any device.
        path: By convention with the suffix ``.safetensors``.
        name: See the head of this file, as for the others.
        licence: Terms of use.
        source: Where the weights come from.
        extra: Values that JSON can hold.

    Raises:
        OutputError: The place cannot be written or the disk is full; nothing is left behind.
    """
    card = {
        "format": FORMAT,
        "family": model.family,
        "name": name,
        "config": model.config.to_json(),
        "classes": model.classes.to_json(),
        "preprocess": model.preprocess.to_json(),
        "licence": licence,
        "source": source,
        "extra": dict(extra or {}),
    }
    tensors = {key: value.cpu().contiguous() for key, value in model.state_dict().items()}
    write_whole(path, save(tensors, {KEY: json.dumps(card)}))


def load_model(path: str | os.PathLike[str]) -> SegModel:
    """Read a checkpoint that `save_model` wrote; the model is on the CPU and in evaluation mode.

    Raises:
        ModelError: The file is missing, damaged, from another program or a newer version, or its
            tensors are not those of the model it describes.
    """
    with _opened(path) as file:
        card = _card(file, path)
        shapes = {key: tuple(file.get_slice(key).get_shape()) for key in file.keys()}  # noqa: SIM118
        with torch.device("meta"):  # costs no memory, whatever the header demands
            skeleton = _build(card, path)
        _compare(skeleton, shapes, f"{path} is damaged or belongs to another version")
        model = _build(card, path)
        fill(model, {key: file.get_tensor(key) for key in shapes})
    return model.eval()


def read_card(path: str | os.PathLike[str]) -> Card:
    """Read what a checkpoint says about itself, without its weights.

    Raises:
        ModelError: As `load_model`, as far as the header goes.
    """
    with _opened(path) as file:
        return _card(file, path)


def is_ours(path: str | os.PathLike[str]) -> bool:
    """Tell whether a file is a checkpoint that `save_model` wrote; False also where it is none."""
    try:
        with safe_open(os.fspath(path), framework="pt") as file:
            return KEY in (file.metadata() or {})
    except (SafetensorError, OSError):
        return False


def fill(model: SegModel, tensors: Mapping[str, Tensor]) -> None:
    """Copy `tensors` into the state dict of `model`: every entry, and no other.

    Raises:
        ModelError: An entry is missing, has no use, or has another shape; `model` is as it was.
    """
    shapes = {key: tuple(value.shape) for key, value in tensors.items()}
    _compare(model, shapes, "the weights do not fit the model")
    model.load_state_dict(dict(tensors))


@contextlib.contextmanager
def _opened(path: str | os.PathLike[str]) -> Iterator[safe_open]:
    """Open a safetensors file; a failure, also later within the block, becomes one sentence."""
    try:
        with safe_open(os.fspath(path), framework="pt") as file:
            yield file
    except SafetensorError as error:
        raise ModelError(
            f"expected a checkpoint (.safetensors) in {path}, and it is another kind of file or "
            f"was cut off ({error}): check the path, or copy it again."
        ) from error
    except OSError as error:
        raise ModelError(
            f"the checkpoint {path} cannot be read ({_why(path, error)}): check the path."
        ) from error


def _why(path: str | os.PathLike[str], error: OSError) -> str:
    """Return what the system says; safetensors calls missing what may not be read."""
    if os.path.exists(path) and not os.access(path, os.R_OK):
        return "this user may not"
    return error.strerror or str(error)


def _card(file: safe_open, path: str | os.PathLike[str]) -> Card:
    """Read and check the metadata."""
    text = (file.metadata() or {}).get(KEY)
    if text is None:
        raise ModelError(
            f"expected a checkpoint of Delineate in {path}, got a safetensors file of another "
            "program: load published weights by their `name:tag` instead."
        )
    try:
        values = json.loads(text)
        version, family = int(values["format"]), str(values["family"])
    except (*_BAD_VALUES, RecursionError) as error:
        raise _unusable(path, error) from error
    if version > FORMAT:
        raise ModelError(
            f"{path} was written by a newer Delineate (format {version}, this one reads up to "
            f"{FORMAT}): upgrade with `pip install -U delineate`."
        )
    if family not in FAMILIES:
        raise ModelError(
            f"{path} holds a model of the family {family!r}, which this version does not have: "
            f"{nearest(family, FAMILIES)}"
        )
    config_class = FAMILIES[family].config
    try:
        return Card(
            family=family,
            config=config_class.from_json(values["config"]),
            classes=ClassMap.from_json(values["classes"]),
            preprocess=Preprocess.from_json(values["preprocess"]),
            name=str(values["name"]),
            licence=str(values["licence"]),
            source=str(values["source"]),
            extra=dict(values["extra"]),
        )
    except _BAD_VALUES as error:
        raise _unusable(path, error) from error


def _build(card: Card, path: str | os.PathLike[str]) -> SegModel:
    model_class = FAMILIES[card.family].model
    try:
        return model_class(card.config, card.classes, card.preprocess)
    except (*_BAD_VALUES, RuntimeError) as error:
        raise _unusable(path, error) from error


def _unusable(path: str | os.PathLike[str], error: Exception) -> ModelError:
    return ModelError(
        f"the description of the model in {path} cannot be used ({type(error).__name__}: "
        f"{str(error)[:200]}): copy the file again, or write it with `save_model`."
    )


def _compare(model: SegModel, shapes: Mapping[str, tuple[int, ...]], verdict: str) -> None:
    """Raise unless the names and shapes are those of the model's state dict."""
    wanted = {key: tuple(value.shape) for key, value in model.state_dict().items()}
    problems = [f"{key} is missing" for key in wanted.keys() - shapes.keys()]
    problems += [f"{key} has no use" for key in shapes.keys() - wanted.keys()]
    problems += [
        f"{key} has the shape {shapes[key]} and should have {wanted[key]}"
        for key in wanted.keys() & shapes.keys()
        if shapes[key] != wanted[key]
    ]
    if problems:
        shown = "; ".join(sorted(problems)[:5])
        more = f" and {len(problems) - 5} more" if len(problems) > 5 else ""
        raise ModelError(f"{verdict}: {shown}{more}; choose the checkpoint of this model.")
