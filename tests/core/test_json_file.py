"""A file that is no JSON is told in one sentence, whatever it is."""

import json
import math

import pytest

from delineate.core.json_file import finite, kind, read_json, text_of
from delineate.errors import DataError

BROKEN = {
    "empty": (b"", "the file is empty"),
    "blank": (b" \n", "the file is empty"),
    "text": (b"hello", "got other text in line 1, column 1"),
    "truncated in a list": (b'{"images": [1, 2', "breaks off after 16 characters"),
    "truncated in a text": (b'{"images": [{"file_name": "a.p', "breaks off after 30 characters"),
    "truncated after a key": (b'{"images"', "breaks off"),
    "truncated after a comma": (b'{"images": [],\n', "breaks off"),
    "wrong in the middle": (b'{"images": [1 2]}', "got other text in line 1, column 15"),
    "two values": (b"[1] [2]", "line 1, column 5"),
    "not UTF-8": (b'["M\xfcller"]', "byte 3 is no UTF-8"),
    "UTF-16": ('["a"]'.encode("utf-16"), "byte 0 is no UTF-8"),
    "an image": (b"\x89PNG\r\n\x1a\n", "byte 0 is no UTF-8"),
    "nested beyond use": (b"[" * 100_000, "nested beyond any use"),
    "a number of 5000 digits": (b"[" + b"9" * 5000 + b"]", "expected JSON, got"),
}


@pytest.mark.parametrize(("content", "says"), BROKEN.values(), ids=BROKEN)
def test_broken_files(tmp_path, content, says):
    path = tmp_path / "train.json"
    path.write_bytes(content)
    with pytest.raises(DataError) as caught:
        read_json(path)
    assert str(caught.value).startswith(f"{path}: ")
    assert says in str(caught.value)
    assert "\n" not in str(caught.value)


def test_missing_file(tmp_path):
    with pytest.raises(DataError, match=r"none\.json: expected a file, found none there"):
        read_json(tmp_path / "none.json")


def test_folder(tmp_path):
    with pytest.raises(DataError, match="cannot be read"):
        read_json(tmp_path)


def test_names_that_cannot_be(tmp_path):
    with pytest.raises(DataError, match=r"cannot be read \(File name too long\)"):
        read_json(tmp_path / ("n" * 300))
    with pytest.raises(DataError, match="expected a file's name"):
        read_json(tmp_path / "nul\0byte")


def test_byte_order_mark_of_windows(tmp_path):
    path = tmp_path / "train.json"
    path.write_bytes(b"\xef\xbb\xbf[1]")
    assert read_json(path) == [1]


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (None, "nothing"),
        (True, "the value true"),
        (2.5, "the value 2.5"),
        ("a" * 99, f"the text '{'a' * 40}'"),
        ([1, 2], "a list of 2"),
        ({"id": 1, "b": 2}, "an object with the keys id, b"),
        ({}, "an empty object"),
    ],
)
def test_kinds_in_words(value, words):
    assert kind(value) == words


def test_numbers_that_json_has_not_become_null():
    value = {"bbox": [math.nan, 1.5, (math.inf, 2)], "name": "NaN", "info": {"scale": -math.inf}}
    right = {"bbox": [None, 1.5, [None, 2]], "name": "NaN", "info": {"scale": None}}
    assert finite(value) == right
    assert text_of(value) == json.dumps(right)
    assert text_of([1, 2.5, "a", None]) == '[1, 2.5, "a", null]'
