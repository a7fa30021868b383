"""Long JSON lists, read piece by piece: the same content, the same errors, whatever the layout."""

import gc
import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from delineate.core import json_stream
from delineate.core.json_file import read_json
from delineate.core.json_stream import read_lists
from delineate.errors import DataError

CONTENT = {
    "info": {"a": [1, {"b": "}, {"}], "text": 'quote " and ], "annotations": ['},
    "licenses": [],
    "annotations": [
        {"id": i, "segmentation": [[0.5, 1, 2e3, -i]], "parts": [{"k": 1}, {"k": [{}]}]}
        for i in range(40)
    ],
    "names": ["a", "b, {", "}]"],
    "categories": [{"id": 1, "name": "caf\u00e9 }, {"}],
    "number": 3,
}


def put(tmp_path, text):
    path = tmp_path / "a.json"
    path.write_bytes(text.encode())
    return path


@pytest.fixture
def unhelped(monkeypatch):
    """No help from the reader of whole files."""

    def refuse(_):
        raise AssertionError("the whole file was read")

    monkeypatch.setattr(json_stream, "read_json", refuse)


@pytest.mark.parametrize("indent", [None, 1, 4])
@pytest.mark.parametrize("piece", [150, 1000, 1 << 22])
@pytest.mark.parametrize("turned", [False, True])
def test_the_content_is_the_same(tmp_path, monkeypatch, unhelped, indent, piece, turned):
    monkeypatch.setattr(json_stream, "_PIECE", piece)
    content = dict(reversed(CONTENT.items())) if turned else CONTENT
    path = put(tmp_path, json.dumps(content, indent=indent))
    sizes = []

    def step(listed):
        sizes.append(len(listed))
        return [a["id"] for a in listed]

    read = read_lists(path, {"annotations": step})
    assert read == {**CONTENT, "annotations": list(range(40))}
    assert list(read) == list(content)
    assert (len(sizes) <= 2) == (piece > 1000)


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=25,
)


@settings(max_examples=200, deadline=None)
@given(content=VALUES, indent=st.sampled_from([None, 2]))
def test_any_json_reads_as_the_whole_file_does(tmp_path_factory, content, indent):
    path = put(tmp_path_factory.mktemp("j"), json.dumps(content, indent=indent))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(json_stream, "_PIECE", 8)
        assert read_lists(path, {}) == read_json(path)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        '{"annotations": [{"a": 1}',
        '{"annotations": [{"a": 1},]}',
        '{"annotations": [{"a": 1}]} {}',
        '{"annotations": [{"a": 1}] "b": 2}',
        "no JSON",
        '{"a": 1,}',
    ],
)
def test_broken_files_get_the_words_of_the_whole_reader(tmp_path, text):
    path = put(tmp_path, text)
    with pytest.raises(DataError) as whole:
        read_json(path)
    with pytest.raises(DataError) as streamed:
        read_lists(path, {"annotations": list})
    assert str(streamed.value) == str(whole.value)


def test_a_missing_file(tmp_path):
    with pytest.raises(DataError, match="found none there"):
        read_lists(tmp_path / "none.json", {})


def test_lists_of_other_things_and_other_values_pass(tmp_path):
    path = put(tmp_path, '\ufeff{"annotations": [1, 2], "images": {"a": 1}}')
    read = read_lists(path, {"annotations": lambda a: [9 * x for x in a], "images": list})
    assert read == {"annotations": [9, 18], "images": {"a": 1}}
    assert read_lists(put(tmp_path, "[1, 2]"), {"annotations": list}) == [1, 2]


def test_the_collector_is_on_again(tmp_path):
    assert gc.isenabled()
    read_lists(put(tmp_path, json.dumps(CONTENT)), {})
    assert gc.isenabled()
    with pytest.raises(ZeroDivisionError):
        read_lists(put(tmp_path, json.dumps(CONTENT)), {"annotations": lambda _: 1 / 0})
    assert gc.isenabled()
    gc.disable()
    try:
        read_lists(put(tmp_path, json.dumps(CONTENT)), {})
        assert not gc.isenabled()
    finally:
        gc.enable()


def test_what_is_parsed_to_find_an_end_is_bounded(tmp_path, monkeypatch):
    parsed = []
    monkeypatch.setattr(json_stream, "_SPENT", 10_000)
    from_json = json_stream.from_json
    monkeypatch.setattr(
        json_stream, "from_json", lambda text: parsed.append(len(text)) or from_json(text)
    )
    content = {f"key {i}": "a, " * 900 for i in range(10)}
    assert read_lists(put(tmp_path, json.dumps(content)), {}) == content
    assert sum(parsed) < 20_000
