"""CSV of strangers: rows by column, or one sentence."""

import pytest

from delineate.core.csv_file import csv_columns, read_csv, read_rows
from delineate.errors import DataError


def _put(folder, text):
    path = folder / "x.csv"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def test_rows_by_column(tmp_path):
    path = _put(tmp_path, '\ufeffa, b ,c\r\n1,"x, ""y""",3\r\n\r\n4\r\n5,6,7,8\r\n')
    assert list(read_csv(path, "a", "b")) == [
        (2, {"a": "1", "b": 'x, "y"', "c": "3"}),
        (4, {"a": "4", "b": "", "c": ""}),
        (5, {"a": "5", "b": "6", "c": "7"}),
    ]
    assert next(iter(read_rows(path))) == (1, ["a", " b ", "c"])
    assert csv_columns(path) == ["a", "b", "c"]


@pytest.mark.parametrize("text", ["", "no line", b"\xff\xfe", "a;b\n"])
def test_columns_of_what_has_none(tmp_path, text):
    assert "b" not in csv_columns(_put(tmp_path, text))
    assert csv_columns(tmp_path) == csv_columns(tmp_path / "none") == []


@pytest.mark.parametrize(
    ("text", "match"),
    [
        ("", "the columns a, b, got none called a"),
        ("a,c\n1,2\n", "got none called b"),
        (b"a,b\n\xff,2\n", "byte 4 is no UTF-8"),
        ("a,b\n" + "x" * 200_000 + ",2\n", "field larger than field limit"),
    ],
)
def test_what_is_no_such_file(tmp_path, text, match):
    with pytest.raises(DataError, match=match):
        list(read_csv(_put(tmp_path, text), "a", "b"))


def test_what_cannot_be_read(tmp_path):
    with pytest.raises(DataError, match="found none there"):
        list(read_csv(tmp_path / "none"))
    with pytest.raises(DataError, match="it cannot be read"):
        list(read_csv(tmp_path))
    with pytest.raises(DataError, match="expected CSV, got embedded null byte"):
        list(read_csv(tmp_path / "a\0b"))
