"""Get a model with its weights: by published name, from a file, or from the folder of a run."""

import contextlib
import os
from pathlib import Path

from torch import Tensor

from delineate._download import cache_folder, fetch
from delineate.errors import ModelError, nearest
from delineate.models.api import SegModel
from delineate.models.zoo import MODELS
from delineate.weights.file import load_model, save_model
from delineate.weights.foreign_file import SUFFIXES, read_foreign
from delineate.weights.hub import WEIGHTS, Published, find, tags
from delineate.weights.layouts import build_from, layout_named
from delineate.weights.torchvision import fill_backbone

BEST = "best.safetensors"


def load(spec: str | Path) -> SegModel:
    """Return a model with weights, on the CPU and in evaluation mode.

    Args:
        spec: ``name:tag`` of published weights, such as ``maskrcnn_resnet50_fpn:coco_v1`` (fetched
            and converted once, then kept in the cache); a ``.safetensors`` file; or the folder of a
            run, whose best checkpoint is taken.

    Raises:
        ModelError: Nothing is known by that name, or the file is no checkpoint of ours.
        DownloadError: Published weights cannot be fetched.
        OutputError: The cache cannot be written.
    """
    if not isinstance(spec, str | os.PathLike):
        raise ModelError(
            f"expected a path or a `name:tag`, got {type(spec).__name__}: name the weights."
        )
    path = Path(spec)
    if path.is_dir():
        return _from_run(path)
    if path.suffix == ".safetensors":
        return load_model(path)
    if path.suffix in SUFFIXES and not path.is_file():
        raise ModelError(f"expected a checkpoint at {path}, got no file there: check the path.")
    if path.suffix in SUFFIXES:
        raise ModelError(
            f"expected a .safetensors file, got {path}: convert it once with `delineate models "
            f"convert {path} --out {path.stem}.safetensors`, or load published weights by their "
            f"`name:tag`, for example {next(iter(WEIGHTS))!r}."
        )
    if ":" in str(spec):
        return _published(str(spec))
    raise ModelError(_no_weights(str(spec)))


def load_backbone(model: SegModel, spec: str) -> None:
    """Give the backbone of `model` published weights, as a start for training.

    Args:
        model: A model of any family with one of our own ResNets as backbone.
        spec: ``name:tag`` of the same ResNet, such as ``resnet50:imagenet1k_v1``.

    Raises:
        ModelError: There are no such weights, or they are those of another backbone.
        DownloadError: They cannot be fetched.
        OutputError: The cache cannot be written.
    """
    record = find(spec)
    name = spec.partition(":")[0]
    if name != model.config.backbone:
        raise ModelError(
            f"expected weights of the backbone {model.config.backbone!r}, got {spec!r}: choose one "
            f"of {', '.join(tags(model.config.backbone)) or 'none (there are no others)'}."
        )
    fill_backbone(model, _fetched(record))


def _from_run(folder: Path) -> SegModel:
    best = folder / BEST
    if not best.is_file():
        raise ModelError(
            f"expected a run with {BEST} in the folder {folder}, which has none: choose the folder "
            "that `delineate train --out` made, or a .safetensors file."
        )
    return load_model(best)


def _published(spec: str) -> SegModel:
    """Return published weights from the cache, after fetching and converting them if need be."""
    record = find(spec)
    name, _, tag = spec.partition(":")
    if record.classes is None:
        raise ModelError(
            f"{spec!r} are weights of a backbone, from which a training can start: choose a whole "
            f"model, for example {next(iter(WEIGHTS))!r}."
        )
    converted = cache_folder() / f"{name}-{tag}-{record.sha256}.safetensors"
    if converted.is_file():
        with contextlib.suppress(ModelError):  # damaged: written anew below
            return load_model(converted)
    model = build_from(_fetched(record), layout_named(record.layout), name=name)
    save_model(model, converted, name=spec, licence=record.licence, source=record.source)
    return load_model(converted)


def _fetched(record: Published) -> dict[str, Tensor]:
    """Fetch and read a file, which may be a tenth larger than published: sizes are rounded."""
    limit = int(1.1 * record.mebibytes * 2**20)
    return read_foreign(fetch(record.url, sha256=record.sha256, max_bytes=limit))


def _no_weights(name: str) -> str:
    """Return the sentence for a name without a tag, or for no name at all."""
    if known := tags(name):
        return f"expected a model with weights, got {name!r} alone: choose {', '.join(known)}."
    if name in MODELS:
        return (
            f"no weights are published for {name!r}: train it and load the run's folder, or choose "
            f"one of {', '.join(spec for spec in WEIGHTS if WEIGHTS[spec].classes)}."
        )
    if Path(name).is_file():
        return f"expected a checkpoint (.safetensors), got the file {name}: name another."
    known = [spec for spec in WEIGHTS if WEIGHTS[spec].classes]
    advice = nearest(name, [*known, *MODELS], otherwise="`delineate models list` shows the names.")
    return (
        f"expected a checkpoint, a run's folder or a `name:tag`, got {name!r}, which is none of "
        f"them: {advice}"
    )
