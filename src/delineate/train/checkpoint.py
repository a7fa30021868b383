"""Everything needed to resume a run, in one safetensors file that is replaced in one step.

``last/checkpoint.safetensors`` holds the tensors (weights, average, optimizer, random states) and,
as JSON in its header, the position and what the run was made of. A new checkpoint is written beside
it, flushed to the disk and renamed over it: a process killed at any moment leaves the old file or
the new one, whole. There is no pickle in it.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import safetensors.torch
import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor, nn

from delineate._files import output_error, write_whole
from delineate.data.sample import Dataset, PanopticDataset
from delineate.errors import ConfigError, DataError, ModelError
from delineate.train.config import TrainConfig, from_dict, to_dict
from delineate.train.optim import Ema

_FORMAT = 1
_FINGERPRINTED = 256
_HARMLESS = frozenset(
    {"data.workers", "log_every", "checkpoint_minutes", "checkpoint_steps", "tensorboard"}
)


@dataclass(slots=True, kw_only=True)
class Position:
    """How far a run is."""

    step: int = 0
    """Optimizer steps done; with the batch size it says which images come next."""
    seconds: float = 0.0
    """Time spent, over all resumptions."""
    validated: float = 0.0
    """Share of the budget that was used at the last validation."""
    validated_step: int = -1
    """Steps done at the last validation; -1 before the first."""
    validation_seconds: float = 0.0
    """Time the last validation took; before the first, what it is expected to take, or 0."""
    validation_ended: float = 0.0
    """Time spent when it ended."""
    step_seconds: float = 0.0
    """Time the last step took."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Origin:
    """What a run is made of; it may only be resumed with the same."""

    config: Mapping[str, Any]
    """The resolved config as nested dictionaries."""
    data: Mapping[str, str]
    """Name of each split and its fingerprint."""

    @classmethod
    def of(cls, config: TrainConfig, splits: Mapping[str, Dataset]) -> "Origin":
        """Describe a resolved config and its data."""
        data = {name: fingerprint(split) for name, split in splits.items()}
        return cls(config=to_dict(config), data=data)

    def require_same(self, now: "Origin", run: Path) -> None:
        """Check that a run of this origin may go on as `now`.

        Raises:
            ConfigError: An option that changes the result differs; all of them are named.
            DataError: The data are not the same.
        """
        before = _flat(to_dict(from_dict(self.config)))  # with the options that came since
        after = _flat(now.config)
        changed = [
            f"{path} was {before.get(path)!r} and is {after.get(path)!r}"
            for path in sorted(before.keys() | after.keys())
            if path not in _HARMLESS and before.get(path) != after.get(path)
        ]
        if changed:
            raise ConfigError(
                f"{run} can only be resumed with the options it was started with, but "
                f"{', '.join(changed)}: --resume takes the run's own config; drop the --set that "
                "differs, or start another run."
            )
        names = sorted(self.data.keys() | now.data.keys())
        other = [name for name in names if self.data.get(name) != now.data.get(name)]
        if other:
            raise DataError(
                f"{run} can only be resumed with the data it was started with, but the images or "
                f"annotations of {' and '.join(other)} are not the same: bring them back, "
                "or start another run."
            )


@dataclass(frozen=True, slots=True, kw_only=True)
class Checkpoint:
    """What a file holds."""

    position: Position
    origin: Origin
    scaler: Mapping[str, float]
    """State of the loss scaling of 16-bit training; empty where there is none."""
    tensors: Mapping[str, Tensor]
    """As `capture` returns them."""


def file_in(run: Path) -> Path:
    """Return where the checkpoint of a run folder lies."""
    return run / "last" / "checkpoint.safetensors"


def save(path: Path, checkpoint: Checkpoint) -> None:
    """Write a checkpoint in place of the old one, which stays whole until the new one is.

    Raises:
        OutputError: The disk is full or the folder cannot be written.
    """
    header = {
        "format": _FORMAT,
        "position": asdict(checkpoint.position),
        "origin": asdict(checkpoint.origin),
        "scaler": dict(checkpoint.scaler),
    }
    # safetensors stores rows first; restore() brings the memory format of the parameters back.
    tensors = {name: t.detach().cpu().contiguous() for name, t in checkpoint.tensors.items()}
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise output_error(path.parent, error) from error
    write_whole(path, safetensors.torch.save(tensors, metadata={"delineate": json.dumps(header)}))


def load(path: Path) -> Checkpoint:
    """Read a checkpoint.

    Raises:
        ModelError: The file is damaged, or was not written by this version of `save`.
    """
    header, tensors = _read(path)
    return Checkpoint(
        position=Position(**header["position"]),
        origin=Origin(**header["origin"]),
        scaler=header["scaler"],
        tensors=tensors,
    )


def load_origin(path: Path) -> Origin:
    """Read what a run is made of from its checkpoint, without the tensors.

    Raises:
        ModelError: As for `load`.
    """
    header, _ = _read(path, with_tensors=False)
    return Origin(**header["origin"])


def _read(path: Path, *, with_tensors: bool = True) -> tuple[dict[str, Any], dict[str, Tensor]]:
    try:
        with safe_open(path, framework="pt") as file:
            header = json.loads((file.metadata() or {}).get("delineate", "{}"))
            names = list(file.keys()) if with_tensors else []
            tensors = {name: file.get_tensor(name) for name in names}
    except (OSError, SafetensorError) as error:
        raise ModelError(f"{path} is no whole checkpoint ({error}): start another run.") from error
    if header.get("format") != _FORMAT:
        raise ModelError(
            f"{path} should be a checkpoint of format {_FORMAT}, but is of format "
            f"{header.get('format')!r}: resume it with the version of delineate that wrote it."
        )
    return header, tensors


def capture(
    model: nn.Module, ema: Ema[Any] | None, optimizer: torch.optim.Optimizer
) -> dict[str, Tensor]:
    """Return all tensors that the next step depends on, by name."""
    tensors = {f"model/{name}": tensor for name, tensor in model.state_dict().items()}
    if ema is not None:
        tensors |= {f"ema/{name}": tensor for name, tensor in ema.model.state_dict().items()}
    for name, parameter in model.named_parameters():
        for key, value in optimizer.state.get(parameter, {}).items():
            if value is not None:
                tensors[f"optimizer/{name}/{key}"] = value
    tensors["random/cpu"] = torch.get_rng_state()
    device = next(model.parameters()).device
    if device.type == "cuda":
        tensors["random/cuda"] = torch.cuda.get_rng_state(device)
    return tensors


def restore(
    tensors: Mapping[str, Tensor],
    model: nn.Module,
    ema: Ema[Any] | None,
    optimizer: torch.optim.Optimizer,
) -> None:
    """Put back what `capture` returned, bit for bit, in the memory layout of the parameters.

    Vectorised arithmetic may round differently in another layout, hence the care.
    """
    model.load_state_dict(_below(tensors, "model/"))
    if ema is not None:
        ema.model.load_state_dict(_below(tensors, "ema/"))
    for name, parameter in model.named_parameters():
        for key, value in _below(tensors, f"optimizer/{name}/").items():
            if value.shape == parameter.shape:
                value = torch.empty_like(parameter, requires_grad=False).copy_(value)
            optimizer.state[parameter][key] = value
    torch.set_rng_state(tensors["random/cpu"])
    if "random/cuda" in tensors and torch.cuda.is_available():
        torch.cuda.set_rng_state(tensors["random/cuda"], next(model.parameters()).device)


def fingerprint(dataset: Dataset) -> str:
    """Return a hash that changes with the classes, the list of images or their annotations.

    Every image counts with its id, name and size, and 256 of them, evenly spread, also with the
    boxes and labels of their annotations, and with the segments of a panoptic data set. Pictures
    are not read.
    """
    digest = hashlib.sha256("\n".join(dataset.classes.names).encode())
    for record in dataset.records:
        digest.update(f"{record.image_id} {record.name} {record.size}\n".encode())
    for index in np.unique(np.linspace(0, len(dataset) - 1, _FINGERPRINTED).astype(int)):
        instances = dataset.instances(int(index))
        digest.update(instances.boxes.tobytes() + instances.labels.tobytes())
        if isinstance(dataset, PanopticDataset):
            for segment in dataset.panoptic(int(index)).segments:
                digest.update(f"{segment.id} {segment.label} {segment.area}\n".encode())
    return digest.hexdigest()


def _below(tensors: Mapping[str, Tensor], prefix: str) -> dict[str, Tensor]:
    return {
        name.removeprefix(prefix): tensor
        for name, tensor in tensors.items()
        if name.startswith(prefix)
    }


def _flat(values: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Return nested dictionaries as one, its keys dotted paths."""
    flat: dict[str, Any] = {}
    for name, value in values.items():
        path = prefix + name
        flat |= _flat(value, path + ".") if isinstance(value, Mapping) else {path: value}
    return flat
