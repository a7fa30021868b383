"""Read detectron2's ``.pkl``: a pickle, of which only arrays and plain values are ever built.

A pickle is a program. Here its every call goes to one of a few functions of ours: there is no way
from them to the rest of Python, and the memory they take is bounded by the size of the file.
"""

import io
import os
import pickle
from collections import OrderedDict
from typing import Any, ClassVar

import numpy as np
import torch
from torch import Tensor

from delineate.errors import ModelError
from delineate.weights.torch_file import MAX_BYTES, MAX_TENSORS

_KINDS = {f"{kind}{size}" for kind in "fiu" for size in (1, 2, 4, 8)} - {"f1"} | {"b1"}


class _Allowance:
    """How many bytes may still be built: a pickle can ask for the same text as bytes forever."""

    def __init__(self, size: int) -> None:
        self.left = size

    def encode(self, text: object, encoding: object = "latin1") -> bytes:
        """Stand for the function by which old protocols write bytes."""
        if not isinstance(text, str) or encoding != "latin1":
            raise pickle.UnpicklingError("text in an encoding other than latin1")
        self.left -= len(text)
        if self.left < 0:
            raise pickle.UnpicklingError("more than the file holds")
        return text.encode("latin1")


class _Type:
    """Stands for a numpy dtype: number of bytes and kind, in either byte order."""

    def __init__(self, name: object, *_: object) -> None:
        if not isinstance(name, str) or name not in _KINDS:
            raise pickle.UnpicklingError(f"the type {str(name)[:40]!r}")
        self.dtype = np.dtype(name)

    def __setstate__(self, state: Any) -> None:  # noqa: ANN401 - whatever the file says
        if state[1] == ">":
            self.dtype = self.dtype.newbyteorder(">")


class _Array:
    """Stands for a numpy array: shape and bytes come as its state, and must agree."""

    array: np.ndarray

    def __setstate__(self, state: Any) -> None:  # noqa: ANN401 - whatever the file says
        _, shape, kind, fortran, data = state
        if not isinstance(kind, _Type) or not isinstance(data, bytes):
            raise pickle.UnpicklingError("an array without numbers")
        flat = np.frombuffer(data, dtype=kind.dtype)
        self.array = flat.reshape(tuple(shape), order="F" if fortran is True else "C")


def _reconstruct(*_: object) -> _Array:
    return _Array()


def _scalar(kind: object, data: object) -> Any:  # noqa: ANN401 - a number of any type
    if not isinstance(kind, _Type) or not isinstance(data, bytes):
        raise pickle.UnpicklingError("a scalar without a number")
    (value,) = np.frombuffer(data, dtype=kind.dtype)
    return value.item()


def _no_bytes(*arguments: object) -> bytes:
    """Return the bytes of an array without elements, which old pickles call for."""
    if arguments:
        raise pickle.UnpicklingError("bytes made of something")
    return b""


_BUILDERS: dict[tuple[str, str], Any] = {
    ("numpy", "dtype"): _Type,
    ("numpy", "ndarray"): _Array,
    ("collections", "OrderedDict"): OrderedDict,
    ("__builtin__", "bytes"): _no_bytes,
    ("builtins", "bytes"): _no_bytes,
}
for _core in ("numpy.core.multiarray", "numpy._core.multiarray"):
    _BUILDERS[_core, "_reconstruct"] = _reconstruct
    _BUILDERS[_core, "scalar"] = _scalar


class _Restricted(pickle._Unpickler):
    """Python's own unpickler in Python: that in C believes sizes before it sees the bytes."""

    dispatch: ClassVar = dict(pickle._Unpickler.dispatch)

    def __init__(self, file: io.BytesIO, size: int) -> None:
        super().__init__(file, encoding="latin1")
        self.allowance = _Allowance(size)

    def find_class(self, module: str, name: str) -> Any:  # noqa: ANN401 - as in the base class
        """Return one of our own builders, never what the file names."""
        if (module, name) == ("_codecs", "encode"):
            return self.allowance.encode
        if (module, name) not in _BUILDERS:
            raise pickle.UnpicklingError(f"{module[:40]}.{name[:40]}")
        if name == "scalar":
            return lambda kind, data: _scalar(kind, self._bytes(data))
        return _BUILDERS[module, name]

    def _bytes(self, data: object) -> object:
        """Return the bytes that Python 2 wrote as text."""
        return self.allowance.encode(data) if isinstance(data, str) else data

    def load_build(self) -> None:
        """Set the state of one of our stand-ins, and of nothing else."""
        if not isinstance(self.stack[-2], _Type | _Array):
            raise pickle.UnpicklingError(f"the state of a {type(self.stack[-2]).__name__}")
        if isinstance(self.stack[-2], _Array):
            *rest, data = self.stack[-1]
            self.stack[-1] = (*rest, self._bytes(data))
        super().load_build()

    dispatch[pickle.BUILD[0]] = load_build


def load_pickle(path: str | os.PathLike[str]) -> dict[str, Tensor]:
    """Return the arrays of a pickle as tensors, on the CPU; nothing in the file is run.

    Args:
        path: A dictionary of names and arrays, which may lie under ``"model"``.

    Raises:
        ModelError: The file is missing, too large, damaged, or holds anything but numpy arrays
            and plain values.
    """
    try:
        size = os.path.getsize(path)
        if size > MAX_BYTES:
            raise ModelError(
                f"{path} has {size} bytes and a checkpoint may have {MAX_BYTES}: choose another."
            )
        with open(path, "rb") as file:
            content = io.BytesIO(file.read())  # its reads end where the bytes do
        values = _Restricted(content, size).load()
    except OSError as error:
        raise ModelError(
            f"expected a checkpoint at {path}: {error.strerror}; check the path."
        ) from error
    except ModelError:
        raise
    except Exception as error:  # a damaged or hostile file fails in ways nobody can list
        reason = str(error).strip().partition("\n")[0][:200]
        raise ModelError(
            f"expected numpy arrays alone in {path}, and it is damaged or holds something else "
            f"({type(error).__name__}: {reason}): get it again from its publisher."
        ) from error
    state = values.get("model", values) if isinstance(values, dict) else None
    if not isinstance(state, dict) or len(state) > MAX_TENSORS:
        raise ModelError(
            f"expected at most {MAX_TENSORS} names with arrays in {path}, got "
            f"a {type(state or values).__name__}: choose a file of weights."
        )
    arrays = {
        key: v.array for key, v in state.items() if isinstance(v, _Array) and hasattr(v, "array")
    }
    if not arrays or not all(isinstance(key, str) for key in arrays):
        raise ModelError(f"expected names with arrays in {path}, got none: choose another file.")
    if sum(value.nbytes for value in arrays.values()) > size:
        raise ModelError(
            f"expected every array of {path} once, got some again and again: choose another file."
        )
    return {
        key: torch.from_numpy(value.astype(value.dtype.newbyteorder("="), order="C"))
        for key, value in arrays.items()
    }
