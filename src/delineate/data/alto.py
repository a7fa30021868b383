"""Read ALTO, the Library of Congress's XML of pages: zones and lines, a file a picture.

The format: https://www.loc.gov/standards/alto/. Blocks are objects of the class that their tag
names, as SegmOnto's zones are; without one of their type, else of the name of their element. Lines
are objects of the class ``TextLine``. Those of eScriptorium's dummy block lie in no zone.
"""

from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from xml.etree.ElementTree import Element

from delineate.core.boxes import Size
from delineate.core.foreign import check_size
from delineate.core.xml_file import local_name, number, read_xml, whole_number, xml_root
from delineate.data.annotated import AnnotatedDataset, OnError
from delineate.data.file_trees import Page, find_tree, read_tree
from delineate.data.layouts import Source, Sources
from delineate.data.page_pictures import DUMMY, outline, picture_of
from delineate.data.parts import Part, Piece
from delineate.data.pictures import Broken

_BLOCKS = ("TextBlock", "ComposedBlock", "Illustration", "GraphicalElement")
_LINE = "TextLine"
_TAGS = ("OtherTag", "LayoutTag", "StructureTag")
_SIDES = ("HPOS", "VPOS", "WIDTH", "HEIGHT")


def find_alto(path: Path) -> Sources | None:
    """Find the splits of a set of ALTO files; see `delineate.data.formats.Format`."""
    return find_tree(path, ".xml", is_alto)


def is_alto(path: Path) -> bool:
    """Tell by its first element whether an XML file is ALTO."""
    return xml_root(path).rpartition("}")[2] == "alto"


def read_alto(
    source: Source, *, images: Path | str | None = None, on_error: OnError = "stop"
) -> AnnotatedDataset:
    """Open a folder of ALTO files, with those in folders below it, or one file.

    Args:
        source: The folder or file.
        images: Folder of the pictures. By default each lies beside its file, under the name that
            the file gives or under the file's own.
        on_error: As for `delineate.data.formats.open_dataset`.

    Raises:
        DataError: As for `delineate.data.formats.open_dataset`.
    """
    return read_tree(source, ".xml", _read_page, images=images, on_error=on_error)


def _read_page(file: Path, top: Path, folders: Sequence[Path]) -> Page:
    root = read_xml(file)
    if local_name(root) != "alto":
        raise Broken(
            f"expected ALTO (with the root alto), got the root {root.tag[:60]!r}",
            "put it elsewhere",
        )
    pages = list(root.iterfind("{*}Layout/{*}Page"))
    if len(pages) != 1:
        raise Broken(f"it should describe 1 page, and describes {len(pages)}", "write a file each")
    (page,) = pages
    unit = root.findtext("{*}Description/{*}MeasurementUnit", "pixel").strip()
    if unit != "pixel":
        raise Broken(
            f"it measures in {unit[:40]!r}, not in pixels, and does not say how many these are",
            "export it in pixels",
        )
    size: Size | None = None
    if page.get("WIDTH") or page.get("HEIGHT"):
        size = check_size([whole_number(page, key) for key in ("HEIGHT", "WIDTH")])
    stated = root.findtext("{*}Description/{*}sourceImageInformation/{*}fileName", "")
    listed = picture_of(file, stated, size, top=top, folders=folders)
    return Page(listed, list(_pieces(page, _labels(root))))


def _labels(root: Element) -> Mapping[str, str]:
    """Return the labels of the tags that may be classes, by their ids."""
    return {
        tag.get("ID", ""): tag.get("LABEL", "")
        for tag in root.iterfind("{*}Tags/*")
        if local_name(tag) in _TAGS
    }


def _pieces(page: Element, labels: Mapping[str, str]) -> Iterator[Piece]:
    elements = (e for e in page.iter() if local_name(e) in (*_BLOCKS, _LINE))
    for place, element in enumerate(elements, start=1):
        kind, id_ = local_name(element), element.get("ID", str(place))
        polygon = element.find("{*}Shape/{*}Polygon")
        points = None if polygon is None else polygon.get("POINTS")
        if id_.startswith(DUMMY) and polygon is None:
            continue
        names = [labels[tag] for tag in element.get("TAGREFS", "").split() if tag in labels]
        names = [_LINE] if kind == _LINE else (names or [element.get("TYPE") or kind])
        # Not the element itself, which holds all words in it.
        bare = Element(kind, {key: value for key in _SIDES if (value := element.get(key))})
        yield Piece(
            where=f"{kind} {id_[:80]!r}",
            label=names[0],
            part=partial(_part, names, points, bare, element.find("{*}Shape") is not None),
        )


def _part(
    names: Sequence[str], points: str | None, element: Element, has_shape: bool, _: Size
) -> Part:
    if len(set(names)) > 1:
        raise Broken(f"its tags name the classes {' and '.join(names)[:80]}", "leave it one")
    if points is not None:
        return outline(points)
    if has_shape:
        raise Broken("its shape is no polygon", "draw its outline")
    x, y, width, height = (number(element, key) for key in _SIDES)
    return [x, y, x + width, y, x + width, y + height, x, y + height]
