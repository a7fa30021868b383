"""Read the recorded outputs of the original implementations (`../shared/goldens`).

The originals ran with weights that a rule makes from the names of their entries: `Golden.state`
makes them again. What was too large to record is there as every n-th value and five sums.
"""

import json
import math
import re
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor


def fill(
    key: str, shape: Sequence[int], dtype: str, overrides: Sequence[Sequence[Any]]
) -> np.ndarray:
    """Return the values of one entry of a state dict, by its original name."""
    if not dtype.startswith("float"):
        return np.zeros(shape, np.int64)
    random = np.random.default_rng(zlib.crc32(key.encode()))
    kind = key.rpartition(".")[2]
    if kind == "running_mean":
        values = np.float32(0.1) * random.standard_normal(shape, dtype=np.float32)
    elif kind == "running_var" or (len(shape) < 2 and kind == "weight"):
        values = np.float32(0.5) + random.random(shape, dtype=np.float32)
    else:
        gain = math.sqrt(2.0 / math.prod(shape[1:])) if len(shape) >= 2 else 0.01
        values = np.float32(gain) * random.standard_normal(shape, dtype=np.float32)
    for pattern, factor, shift, *places in overrides:
        if re.search(pattern, key):
            start, step, axis = (*places, *(0, 1, 0)[len(places) :])
            part = np.moveaxis(values, axis, 0)[start::step]
            part[...] = part * np.float32(factor) + np.float32(shift)
    return values


class Golden:
    """One recorded file."""

    def __init__(self, path: Path) -> None:
        self.file = np.load(path)

    def __getitem__(self, name: str) -> np.ndarray:
        return self.file[name]

    def __contains__(self, name: str) -> bool:
        return name in self.file

    def json(self, name: str) -> Any:
        """Return an entry that holds JSON, for example ``keys.json``."""
        return json.loads(bytes(self.file[name]))

    def state(self) -> dict[str, Tensor]:
        """Return the weights of the original, under its names, checked against the record."""
        overrides = self.json("overrides.json") if "overrides.json" in self else []
        keys = self.json("keys.json")
        state = {key: fill(key, shape, dtype, overrides) for key, shape, dtype in keys}
        sums = [value.sum(dtype=np.float64) for value in state.values()]
        np.testing.assert_allclose(sums, self["fill.sum"], rtol=1e-9, atol=1e-6)
        return {key: torch.from_numpy(np.asarray(value)) for key, value in state.items()}

    def mask(self, name: str) -> np.ndarray:
        """Return recorded masks as booleans in their full shape."""
        shape = tuple(self[f"{name}.shape"].tolist())
        return np.unpackbits(self[f"{name}.packed"])[: math.prod(shape)].reshape(shape).astype(bool)

    def close(self, name: str, ours: Tensor | np.ndarray, *, rtol: float, atol: float) -> None:
        """Assert that `ours` is what was recorded: whole, or as every n-th value and sums.

        Args:
            name: Of the array.
            ours: In the recorded layout.
            rtol: Of the largest recorded value.
            atol: Added to it.
        """
        values = np.asarray(ours.detach().cpu() if isinstance(ours, Tensor) else ours)
        if name in self:
            expected, shape, found = self[name], self[name].shape, values
        else:
            expected, shape = self[f"{name}.samp"], tuple(self[f"{name}.shape"].tolist())
            found = values.reshape(-1)[:: int(self[f"{name}.stride"])]
        assert values.shape == shape, f"{name}: {values.shape}, recorded {shape}"
        bound = rtol * float(np.abs(expected).max(initial=0)) + atol
        worst = float(np.abs(found.astype(np.float64) - expected).max(initial=0))
        assert worst <= bound, f"{name} differs by {worst:.3g}, allowed are {bound:.3g}"
        if f"{name}.stats" in self:
            total, size, *_ = self[f"{name}.stats"].tolist()
            drift = abs(float(values.sum(dtype=np.float64)) - total)
            assert drift <= max(1e-5 * size, bound), f"{name}: sums differ by {drift:.3g}"
