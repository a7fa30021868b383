"""Pickles of arrays are read; pickles of anything else run nothing."""

import codecs
import pickle
from collections.abc import Callable

import numpy as np
import pytest
import torch

from delineate.errors import ModelError
from delineate.weights.restricted_pickle import load_pickle

ARRAYS = {
    "a": np.arange(6, dtype=np.float32).reshape(2, 3),
    "b": np.arange(6, dtype=np.int64).reshape(2, 3).T,
    "c": np.arange(3, dtype=">f4"),
    "d": np.zeros((0, 4), np.float16),
    "e": np.array(2.5),
}


@pytest.mark.parametrize("protocol", range(5))
@pytest.mark.parametrize("old", [False, True], ids=["numpy 2", "numpy 1"])
def test_arrays_come_back(tmp_path, protocol, old):
    file = tmp_path / "model.pkl"
    value = {"model": ARRAYS, "__author__": "somebody", "matching_heuristics": True}
    data = pickle.dumps(value, protocol=protocol)
    if old and protocol < 4:  # later ones count the letters of a name
        data = data.replace(b"numpy._core", b"numpy.core")
    file.write_bytes(data)
    state = load_pickle(file)
    assert state.keys() == ARRAYS.keys()
    for key, expected in ARRAYS.items():
        assert torch.equal(state[key], torch.from_numpy(expected.astype(expected.dtype.type)))


class Call:
    def __init__(self, function: Callable[..., object], *arguments: object) -> None:
        self.call = (function, arguments)

    def __reduce__(self) -> tuple[Callable[..., object], tuple[object, ...]]:
        return self.call


LONG = "a" * 10**5
HOSTILE = {
    "system": b"cos\nsystem\n(S'touch ran'\ntR.",
    "getattr": b"c__builtin__\ngetattr\n(c__builtin__\nobject\nS'__subclasses__'\ntR.",
    "attribute of a known module": b"cnumpy\nload\n(S'x'\ntR.",
    "dotted": b"\x80\x04\x8c\x05numpy\x8c\x0cdtype.__init__\x93.",
    "eval": pickle.dumps({"a": Call(eval, "1+1")}),
    "object array": pickle.dumps({"a": np.array([[], None], dtype=object)}),
    "huge allocation": b"\x80\x04\x8e" + (1 << 60).to_bytes(8, "little"),
    "huge bytes": pickle.dumps({"a": Call(bytes, 1 << 40)}),
    "recursion": b"(" * 100 + b"l" + b"(l" * 100_000,
    "nesting": b"]" * 200_000 + b"a" * 199_999 + b".",
    "huge memo": b"\x80\x02Nr\xff\xff\xff\x7f.",
    "state of a function": b"c_codecs\nencode\n}S'a'\nNsb.",
    "one array many times": pickle.dumps(dict.fromkeys(map(str, range(9999)), np.zeros(10**5))),
    "text as bytes again and again": pickle.dumps(
        {str(n): Call(codecs.encode, LONG, "latin1") for n in range(99)}
    ),
    "text of arrays again and again": (
        b"\x80\x02(X\x00\x04\x00\x00"
        + b"a" * 1024
        + b"q\x000"
        + b"cnumpy._core.multiarray\n_reconstruct\n)R(K\x01K\x01\x85cnumpy\ndtype\n"
        b"X\x02\x00\x00\x00u1\x85R\x89h\x00tb" * 30 + b"l."
    ),
    "truncated": pickle.dumps(ARRAYS)[:-20],
    "empty": b"",
    "a list": pickle.dumps([1, 2]),
    "no arrays": pickle.dumps({"a": 1}),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_anything_else_is_one_sentence_and_runs_nothing(tmp_path, monkeypatch, name):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "model.pkl").write_bytes(HOSTILE[name])
    with pytest.raises(ModelError) as caught:
        load_pickle("model.pkl")
    assert "\n" not in str(caught.value)
    assert [path.name for path in tmp_path.iterdir()] == ["model.pkl"]


def test_missing_file(tmp_path):
    with pytest.raises(ModelError, match="No such file"):
        load_pickle(tmp_path / "none.pkl")
