"""What a JSON file is about, told without parsing it."""

import json

import pytest

from delineate.core.json_keys import first_mark, has_keys


def test_keys_are_found_at_any_depth(tmp_path):
    path = tmp_path / "a.json"
    path.write_text(json.dumps({"outer": [{"deep": 1}], "text": 'the word "images" in quotes'}))
    assert has_keys(path, "outer", "deep")
    assert not has_keys(path, "images")
    assert not has_keys(path, "outer", "missing")


def test_a_value_is_no_key(tmp_path):
    path = tmp_path / "a.json"
    path.write_text('{"name" \n : "shapes", "list": ["images", "shapes"]}')
    assert has_keys(path, "name")
    assert not has_keys(path, "shapes")
    path.write_text('{"list": ["shapes", 1], "shapes": []}')
    assert has_keys(path, "shapes")


@pytest.mark.parametrize(
    ("content", "mark"), [(b"\xef\xbb\xbf  {", "{"), (b"\n[1]", "["), (b"<xml>", "<"), (b"", "")]
)
def test_first_mark(tmp_path, content, mark):
    path = tmp_path / "a"
    path.write_bytes(content)
    assert first_mark(path) == mark


def test_what_cannot_be_read_has_nothing(tmp_path):
    assert not has_keys(tmp_path, "a")
    assert not has_keys(tmp_path / "none", "a")
    (tmp_path / "empty").touch()
    assert not has_keys(tmp_path / "empty", "a")
    assert first_mark(tmp_path / "none") == ""
