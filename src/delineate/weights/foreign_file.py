"""Read the state dict in a file of another program, whatever its container."""

import os
from pathlib import Path

from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor

from delineate.errors import ModelError
from delineate.weights.restricted_pickle import load_pickle
from delineate.weights.torch_file import load_torch_file

SUFFIXES = (".pth", ".pt", ".pkl", ".ckpt", ".bin", ".safetensors")


def read_foreign(path: str | os.PathLike[str]) -> dict[str, Tensor]:
    """Return the tensors of a file, on the CPU; nothing in it runs.

    Args:
        path: ``.pkl`` (detectron2), ``.safetensors``, or what `torch.save` wrote under any name.

    Raises:
        ModelError: The file is missing, damaged, too large, or holds anything else.
    """
    suffix = Path(path).suffix
    if suffix == ".pkl":
        return load_pickle(path)
    if suffix != ".safetensors":
        return load_torch_file(path)
    try:
        return load_file(path)
    except (SafetensorError, OSError) as error:
        raise ModelError(
            f"expected tensors in {path}, and it cannot be read ({error}): check the path, or get "
            "the file again."
        ) from error
