"""Read somebody else's ``.pth`` without running what is in it."""

import os
import warnings
from collections.abc import Mapping

import torch
from torch import Tensor

from delineate.errors import ModelError

MAX_BYTES = 4 << 30
MAX_TENSORS = 20_000


def load_torch_file(path: str | os.PathLike[str]) -> dict[str, Tensor]:
    """Return the state dict in a file that `torch.save` wrote, on the CPU.

    Only tensors and plain containers are unpickled (``weights_only``); there is no fallback.

    Args:
        path: A file that holds a state dict, alone or under ``"model"`` (DETR, detectron2).

    Raises:
        ModelError: The file is missing, too large, damaged, or holds anything else.
    """
    try:
        size = os.path.getsize(path)
    except OSError as error:
        raise ModelError(
            f"expected a checkpoint at {path}: {error.strerror}; check the path."
        ) from error
    if size > MAX_BYTES:
        raise ModelError(
            f"{path} has {size} bytes and a checkpoint may have {MAX_BYTES}: choose another file."
        )
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # they are for torch's developers
            state = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # a damaged or hostile file fails in ways nobody can list
        raise ModelError(
            f"expected tensors alone in {path}, and it is damaged or holds something else "
            f"({_reason(error)}): get it again from its publisher."
        ) from error
    if isinstance(state, Mapping) and isinstance(state.get("model"), Mapping):
        state = state["model"]
    if not isinstance(state, Mapping) or not all(
        isinstance(key, str) and isinstance(value, Tensor) for key, value in state.items()
    ):
        raise ModelError(
            f"expected a state dict (names and tensors) in {path}, got {_describe(state)}: save "
            "the state dict of the model alone."
        )
    if len(state) > MAX_TENSORS:
        raise ModelError(
            f"{path} has {len(state)} tensors and a checkpoint may have {MAX_TENSORS}: choose "
            "another file."
        )
    return dict(state)


def _reason(error: Exception) -> str:
    """Return what is wrong, without torch's advice to load the file unsafely."""
    if type(error).__name__ == "UnpicklingError":
        return "it is no file of torch, or what it holds would have to be run"
    return f"{type(error).__name__}: {str(error).strip().partition(chr(10))[0][:200]}"


def _describe(value: object) -> str:
    if isinstance(value, Mapping):
        return f"a {type(value).__name__} with the entries {', '.join(map(str, list(value)[:5]))}"
    return f"a {type(value).__name__}"
