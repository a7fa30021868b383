"""Read PAGE XML, PRImA's format of pages: regions and lines, a file a picture.

The format: https://github.com/PRImA-Research-Lab/PAGE-XML. A region is an object of the class that
its ``custom`` structure names (as Transkribus and eScriptorium write it), else of its type, else of
the name of its element; lines are objects of the class ``TextLine``.
"""

import re
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from xml.etree.ElementTree import Element

from delineate.core.boxes import Size
from delineate.core.foreign import check_size
from delineate.core.xml_file import attribute, local_name, read_xml, whole_number, xml_root
from delineate.data.annotated import AnnotatedDataset, OnError
from delineate.data.file_trees import Page, find_tree, read_tree
from delineate.data.layouts import Source, Sources
from delineate.data.page_pictures import DUMMY, outline, picture_of
from delineate.data.parts import Part, Piece
from delineate.data.pictures import Broken

_LINE = "TextLine"
_STRUCTURE = re.compile(r"structure\s*\{[^{}]*\btype\s*:\s*([^;{}]+)")


def find_page_xml(path: Path) -> Sources | None:
    """Find the splits of a set of PAGE files; see `delineate.data.formats.Format`."""
    return find_tree(path, ".xml", is_page_xml)


def is_page_xml(path: Path) -> bool:
    """Tell by its first element whether an XML file is PAGE."""
    return xml_root(path).rpartition("}")[2] == "PcGts"


def read_page_xml(
    source: Source, *, images: Path | str | None = None, on_error: OnError = "stop"
) -> AnnotatedDataset:
    """Open a folder of PAGE files, with those in folders below it, or one file.

    Args:
        source: The folder or file.
        images: Folder of the pictures. By default each lies beside its file (or above the folder
            ``page``), under the name that the file gives or under the file's own.
        on_error: As for `delineate.data.formats.open_dataset`.

    Raises:
        DataError: As for `delineate.data.formats.open_dataset`.
    """
    return read_tree(source, ".xml", _read_page, images=images, on_error=on_error)


def _read_page(file: Path, top: Path, folders: Sequence[Path]) -> Page:
    root = read_xml(file)
    page = root.find("{*}Page")
    if local_name(root) != "PcGts" or page is None:
        raise Broken(
            f"expected PAGE XML (PcGts with a Page), got the root {root.tag[:60]!r}",
            "put it elsewhere",
        )
    sides = [whole_number(page, key) for key in ("imageHeight", "imageWidth")]
    stated = attribute(page, "imageFilename")
    listed = picture_of(file, stated, check_size(sides), top=top, folders=folders)
    return Page(listed, list(_pieces(page)))


def _pieces(page: Element) -> Iterator[Piece]:
    elements = (e for e in page.iter() if local_name(e) == _LINE or _is_region(e))
    for place, element in enumerate(elements, start=1):
        kind, id_ = local_name(element), element.get("id", str(place))
        points = _points(element)
        if id_.startswith(DUMMY) and not points:
            continue
        structure = _STRUCTURE.search(element.get("custom", ""))
        name = structure[1].strip() if structure else element.get("type") or kind
        yield Piece(
            where=f"{kind} {id_[:80]!r}",
            label=_LINE if kind == _LINE else name,
            part=partial(_part, points),
        )


def _is_region(element: Element) -> bool:
    return local_name(element).endswith("Region")


def _points(element: Element) -> str | None:
    """Return the outline of a region or line; before 2013 each point was an element."""
    coords = element.find("{*}Coords")
    if coords is None:
        return None
    old = (f"{p.get('x', '?')},{p.get('y', '?')}" for p in coords.iterfind("{*}Point"))
    return coords.get("points") or " ".join(old)


def _part(points: str | None, _: Size) -> Part:
    if not points:
        raise Broken("it has no Coords", "draw its outline, or remove it")
    return outline(points)
