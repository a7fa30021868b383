"""Read an XML file that somebody else wrote, or say in one sentence why it is none.

A document type declaration is refused: none of the formats read here has one, and through its
entities a small file grows without bound, or draws in others.
"""

import math
from pathlib import Path
from typing import NoReturn
from xml.etree import ElementTree
from xml.etree.ElementTree import Element
from xml.parsers import expat

from delineate.core.foreign import short
from delineate.errors import DataError

MAX_BYTES = 1 << 29
"""Largest file that is read: in memory an XML file takes several times its size."""

_CHUNK = 1 << 16
_HEAD = 1 << 20  # bytes in which the first element must begin where a file is only looked at
_BREAKS_OFF = {"no element found", "unclosed token", "unclosed CDATA section", "partial character"}


def read_xml(path: Path) -> Element:
    """Return the root element of an XML file.

    Raises:
        DataError: The file is missing, unreadable, empty, no XML, beyond `MAX_BYTES`, breaks off,
            or declares a document type.
    """
    try:
        with path.open("rb") as file:
            content = file.read(MAX_BYTES + 1)
    except FileNotFoundError:
        raise DataError(f"{path}: expected a file, found none there: check the path.") from None
    except OSError as error:
        raise DataError(
            f"{path}: expected an XML file, but it cannot be read ({error.strerror or error}): "
            "check the path and its permissions."
        ) from error
    except ValueError as error:  # a zero byte in the name
        raise DataError(f"{path}: expected a file's name, got one with {error}: mend it.") from None
    if len(content) > MAX_BYTES:
        raise DataError(
            f"{path}: expected XML of at most {MAX_BYTES:,} bytes, got more: export it in parts."
        )
    try:
        _parse_head(content)
        return ElementTree.XML(content)
    except _Doctype:
        raise DataError(
            f"{path}: expected XML without a document type, got a DOCTYPE declaration, through "
            "which a file can do harm: remove it if you trust the file."
        ) from None
    except (expat.ExpatError, ElementTree.ParseError) as error:
        raise DataError(_not_xml(path, content, error)) from None
    except (LookupError, ValueError) as error:  # an encoding that nobody knows
        raise DataError(f"{path}: expected XML, got {error}: save it as UTF-8.") from None


def xml_root(path: Path) -> str:
    """Return the name of a file's first element, ``{namespace}name``, from its head alone.

    Empty for what is no XML, has a document type, or cannot be read.
    """
    try:
        with path.open("rb") as file:
            parser = _head_parser()
            for _ in range(0, _HEAD, _CHUNK):
                parser.Parse(file.read(_CHUNK), False)
    except _Root as root:
        return root.name
    except (OSError, LookupError, ValueError, expat.ExpatError, _Doctype):
        pass  # who reads it says so
    return ""


def local_name(element: Element) -> str:
    """Return an element's name without its namespace."""
    return element.tag.rpartition("}")[2]


def attribute(element: Element, name: str) -> str:
    """Return the text of an attribute.

    Raises:
        DataError: The element lacks it.
    """
    text = element.get(name)
    if text is None:
        raise DataError(
            f"its <{local_name(element)}> has no {name!r}: complete it, or export it again."
        )
    return text


def number(element: Element, name: str, default: float | None = None) -> float:
    """Return an attribute that is a finite number.

    Args:
        element: Whose attribute it is.
        name: Its name.
        default: What stands for an attribute that is not there; None: it must be there.

    Raises:
        DataError: The element lacks it, or it is no finite number.
    """
    if default is not None and element.get(name) is None:
        return default
    text = attribute(element, name)
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise DataError(
            f"its <{local_name(element)}> should have a number as {name!r}, and has "
            f"{short(text)}: correct it."
        )
    return value


def whole_number(element: Element, name: str, default: int | None = None) -> int:
    """Return an attribute that is a whole number; see `number`.

    Raises:
        DataError: The element lacks it, or it is no whole number.
    """
    value = number(element, name, default)
    if value != int(value):
        raise DataError(
            f"its <{local_name(element)}> should have a whole number as {name!r}, and has "
            f"{short(element.get(name))}: correct it."
        )
    return int(value)


class _Root(Exception):
    """The first element has begun."""

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.name = name


class _Doctype(Exception):
    """There is a document type declaration."""


def _parse_head(content: bytes) -> None:
    """Parse up to the first element; a document type can only be declared before it."""
    try:
        _head_parser().Parse(content, True)
    except _Root:
        return


def _head_parser() -> expat.XMLParserType:
    parser = expat.ParserCreate(namespace_separator="}")
    parser.StartElementHandler = _begin
    parser.StartDoctypeDeclHandler = _declare
    return parser


def _begin(name: str, _: object) -> NoReturn:
    raise _Root("{" + name if "}" in name else name)


def _declare(*_: object) -> NoReturn:
    raise _Doctype


def _not_xml(path: Path, content: bytes, error: expat.ExpatError | ElementTree.ParseError) -> str:
    if not content.strip():
        return f"{path}: expected XML, but the file is empty: export or download it again."
    reason = expat.ErrorString(error.code) or "no XML"
    if reason in _BREAKS_OFF:
        return (
            f"{path}: expected whole XML, but the file breaks off after {len(content)} bytes: "
            "export or download it again."
        )
    line, column = (
        error.position
        if isinstance(error, ElementTree.ParseError)
        else (error.lineno, error.offset)
    )
    return (
        f"{path}: expected XML, got other text in line {line}, column {column + 1} ({reason}): "
        "name an XML file, or export it again."
    )
