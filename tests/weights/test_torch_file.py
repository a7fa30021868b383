"""Foreign ``.pth`` files: tensors come in, and nothing else runs."""

import os
import pickle
from collections import OrderedDict
from pathlib import Path

import pytest
import torch

from delineate.errors import ModelError
from delineate.weights import torch_file
from delineate.weights.torch_file import load_torch_file


class Payload:
    """Unpickling this would make a file."""

    def __init__(self, sentinel: Path) -> None:
        self.sentinel = sentinel

    def __reduce__(self) -> tuple:
        return os.mkdir, (str(self.sentinel),)


@pytest.mark.parametrize("zipped", [True, False], ids=["zip", "2019"])
@pytest.mark.parametrize("kind", [dict, OrderedDict])
def test_state_dict(tmp_path, zipped, kind):
    path = tmp_path / "a.pth"
    weight = torch.nn.Parameter(torch.arange(3.0))
    state = kind({"weight": weight, "count": torch.tensor(3)})
    torch.save(state, path, _use_new_zipfile_serialization=zipped)
    loaded = load_torch_file(path)
    assert list(loaded) == ["weight", "count"]
    assert loaded["weight"].tolist() == [0, 1, 2]
    assert loaded["count"].dtype == torch.int64


@pytest.mark.parametrize("protocol", ["torch", "torch 2019", "pickle"])
def test_code_in_the_file_never_runs(tmp_path, protocol):
    path, sentinel = tmp_path / "a.pth", tmp_path / "sentinel"
    value = {"weight": torch.zeros(1), "x": Payload(sentinel)}
    if protocol == "pickle":
        path.write_bytes(pickle.dumps(value))
    else:
        torch.save(value, path, _use_new_zipfile_serialization=protocol == "torch")
    with pytest.raises(ModelError, match=r"tensors alone in .*a\.pth"):
        load_torch_file(path)
    assert not sentinel.exists()


def test_module_is_refused(tmp_path):
    torch.save(torch.nn.Linear(2, 2), tmp_path / "a.pth")
    with pytest.raises(ModelError, match="tensors alone"):
        load_torch_file(tmp_path / "a.pth")


@pytest.mark.parametrize(
    ("value", "got"),
    [
        ({"net": {"weight": torch.zeros(1)}, "epoch": 3}, "a dict with the entries net, epoch"),
        ({1: torch.zeros(1)}, "a dict with the entries 1"),
        ([torch.zeros(1)], "a list"),
        (torch.zeros(1), "a Tensor"),
    ],
)
def test_no_state_dict(tmp_path, value, got):
    torch.save(value, tmp_path / "a.pth")
    with pytest.raises(ModelError, match=f"expected a state dict .* got {got}: save"):
        load_torch_file(tmp_path / "a.pth")


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04", b"text", b"\x80\x02}q\x00."])
def test_damaged(tmp_path, content):
    (tmp_path / "a.pth").write_bytes(content)
    with pytest.raises(ModelError):
        load_torch_file(tmp_path / "a.pth")


def test_cut_off(tmp_path):
    path = tmp_path / "a.pth"
    torch.save({"weight": torch.zeros(10_000)}, path)
    path.write_bytes(path.read_bytes()[:20_000])
    with pytest.raises(ModelError, match="damaged"):
        load_torch_file(path)


def test_missing(tmp_path):
    with pytest.raises(ModelError, match="No such file"):
        load_torch_file(tmp_path / "none.pth")


@pytest.mark.parametrize(("cap", "value"), [("MAX_BYTES", 100), ("MAX_TENSORS", 2)])
def test_caps(tmp_path, monkeypatch, cap, value):
    torch.save({str(i): torch.zeros(1) for i in range(3)}, tmp_path / "a.pth")
    monkeypatch.setattr(torch_file, cap, value)
    with pytest.raises(ModelError, match=rf"may have {value}"):
        load_torch_file(tmp_path / "a.pth")


def test_state_dict_under_model(tmp_path):
    torch.save({"model": {"a": torch.ones(2)}, "iteration": 7}, tmp_path / "model.pth")
    assert load_torch_file(tmp_path / "model.pth").keys() == {"a"}
