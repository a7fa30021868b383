"""Strangers' XML: read whole, sniffed at by its head, refused in one sentence."""

import re

import pytest

from delineate.core import xml_file
from delineate.core.xml_file import (
    attribute,
    local_name,
    number,
    read_xml,
    whole_number,
    xml_root,
)
from delineate.errors import DataError

LAUGHS = (
    '<!DOCTYPE a [<!ENTITY b "ha"><!ENTITY c "&b;&b;&b;&b;&b;&b;&b;&b;&b;&b;">'
    '<!ENTITY d "&c;&c;&c;&c;&c;&c;&c;&c;&c;&c;">]><a>&d;</a>'
)
FILE = '<?xml version="1.0"?><!DOCTYPE a [<!ENTITY b SYSTEM "file:///etc/passwd">]><a>&b;</a>'


def _put(tmp_path, text):
    path = tmp_path / "a.xml"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def test_reads_what_is_there(tmp_path):
    path = _put(tmp_path, '<?xml version="1.0"?>\n<!-- no --><a x="ü&amp;&#10;"><b>3</b></a>\n')
    root = read_xml(path)
    assert (root.tag, root.get("x"), root.findtext("b")) == ("a", "ü&\n", "3")


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "latin-1", "cp1251"])
def test_encodings(tmp_path, encoding):
    name = "windows-1251" if encoding == "cp1251" else encoding.removesuffix("-sig")
    word = "слово" if encoding == "cp1251" else "größe"
    text = f'<?xml version="1.0" encoding="{name}"?><a x="{word}"/>'
    path = _put(tmp_path, text.encode(encoding))
    assert read_xml(path).get("x") == word
    assert xml_root(path) == "a"


REFUSED = {
    "": "expected XML, but the file is empty",
    " \n": "expected XML, but the file is empty",
    "{}": r"got other text in line 1, column 1 \(",
    "<a>\n<b></c></a>": r"got other text in line 2, column 6 \(mismatched tag\): name an XML file",
    "<a/><b/>": r"line 1, column 5 \(junk after document element\)",
    "<a>&b;</a>": r"\(undefined entity\)",
    "<a><b>": "expected whole XML, but the file breaks off after 6 bytes: export or download",
    "<a x='": "breaks off",
    "<!-- ": "breaks off",
    "<a><![CDATA[": "breaks off",
    '<a x="1" x="2"/>': r"\(duplicate attribute\)",
    "<a>\x01</a>": r"\(not well-formed",
    LAUGHS: "got a DOCTYPE declaration",
    FILE: "got a DOCTYPE declaration",
    "<!DOCTYPE a><a/>": "got a DOCTYPE declaration",
    '<?xml version="1.0" encoding="klingon"?><a/>': "encoding",
}


@pytest.mark.parametrize("text", REFUSED)
def test_refused_in_one_sentence(tmp_path, text):
    path = _put(tmp_path, text)
    with pytest.raises(DataError, match=REFUSED[text]) as caught:
        read_xml(path)
    assert str(caught.value).startswith(f"{path}: ")
    assert str(caught.value).endswith(".")


def test_places_that_hold_no_file(tmp_path):
    with pytest.raises(DataError, match="found none there: check the path"):
        read_xml(tmp_path / "none.xml")
    with pytest.raises(DataError, match=r"it cannot be read \(Is a directory\)"):
        read_xml(tmp_path)
    with pytest.raises(DataError, match="null byte"):
        read_xml(tmp_path / "a\0b")


def test_too_large(tmp_path, monkeypatch):
    monkeypatch.setattr(xml_file, "MAX_BYTES", 10)
    assert read_xml(_put(tmp_path, "<abcdefg/>")).tag == "abcdefg"
    with pytest.raises(DataError, match="at most 10 bytes, got more"):
        read_xml(_put(tmp_path, "<abcdefgh/>"))


def test_deep_nesting_neither_hangs_nor_crashes(tmp_path):
    depth = 200_000
    root = read_xml(_put(tmp_path, "<a>" * depth + "</a>" * depth))
    assert sum(1 for _ in root.iter("a")) == depth


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("<a/>", "a"),
        ('<p:a xmlns:p="urn:x"/>', "{urn:x}a"),
        ('<a xmlns="urn:x"><broken', "{urn:x}a"),
        ("<!--" + "x" * 100_000 + "--><a>", "a"),
        ("", ""),
        ("{}", ""),
        ("<a", ""),
        (LAUGHS, ""),
        ("<?xml version='1.0' encoding='klingon'?><a/>", ""),
    ],
)
def test_first_element(tmp_path, text, name):
    assert xml_root(_put(tmp_path, text)) == name


def test_first_element_of_what_is_no_file(tmp_path):
    assert xml_root(tmp_path) == xml_root(tmp_path / "none") == xml_root(tmp_path / "a\0b") == ""


def test_numbers(tmp_path):
    root = read_xml(_put(tmp_path, '<e xmlns="u" a="1.5" b="2" c="x" d="nan" f="1e400" g="2.5"/>'))
    assert local_name(root) == "e"
    assert (number(root, "a"), number(root, "b"), number(root, "z", 7)) == (1.5, 2.0, 7)
    assert (whole_number(root, "b"), whole_number(root, "z", 7)) == (2, 7)
    assert attribute(root, "c") == "x"
    with pytest.raises(DataError, match=re.escape("its <e> has no 'z': complete it")):
        attribute(root, "z")
    for name in "cdf":
        with pytest.raises(DataError, match=f"should have a number as '{name}', and has"):
            number(root, name, 0)
    with pytest.raises(DataError, match=r"a whole number as 'g', and has '2\.5'"):
        whole_number(root, "g")
