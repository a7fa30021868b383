"""The frame of every HTML page we write, and the pieces that pages share: one look, one file.

A page loads nothing from outside: its Content-Security-Policy forbids it, and any script but the
one it was made with. Whatever comes from strangers (names of classes, images, models) is escaped
on its way in; arguments that are HTML already say so.
"""

import base64
import hashlib
from collections.abc import Iterable, Mapping, Sequence
from html import escape
from importlib.resources import files
from string import Template

from delineate.core.boxes import Size
from delineate.core.outlines import Outline

_FOCUS = ' class="focus"'


def generator(kind: str) -> str:
    """Return the HTML by which a page tells that we have made it, and which kind it is."""
    return f'<meta name="generator" content="Delineate: {escape(kind)}">'


def page(
    *,
    kind: str,
    title: str,
    body: str,
    facts: Mapping[str, str] | None = None,
    style: str = "",
    script: str = "",
    pictures: str = "data:",
) -> str:
    """Return a whole page.

    Args:
        kind: Which kind of page it is; see `generator`.
        title: What it is about, as text.
        body: HTML below the title and the facts.
        facts: Name -> text of what else a reader should know, in order.
        style: CSS of this kind of page, beside that of all pages (`page.css`).
        script: JavaScript of this page; no other one runs.
        pictures: Where pictures may come from, as a Content-Security-Policy says it.
    """
    policy = f"default-src 'none'; img-src {pictures}; style-src 'unsafe-inline'"
    if script:
        digest = hashlib.sha256(script.encode()).digest()
        policy += f"; script-src 'sha256-{base64.b64encode(digest).decode('ascii')}'"
    return Template(template("delineate.core", "page.html")).substitute(
        policy=policy,
        generator=generator(kind),
        title=escape(title),
        style=template("delineate.core", "page.css") + style,
        facts="\n".join(
            f"<div><dt>{escape(name)}</dt><dd>{escape(value)}</dd></div>"
            for name, value in (facts or {}).items()
        ),
        body=body,
        promise="It needs no network." if script else "It needs no network and runs no scripts.",
        script=f"<script>{script}</script>\n" if script else "",
    )


def template(package: str, name: str) -> str:
    """Return a text file that lies beside the modules of `package`."""
    return files(package).joinpath(name).read_text(encoding="utf-8")


def table(head: Sequence[str], rows: Iterable[str]) -> str:
    """Return a table.

    Args:
        head: The names of the columns, as text.
        rows: HTML, each from `row`.
    """
    names = "".join(f"<th>{escape(name)}</th>" for name in head)
    return f"<table><thead><tr>{names}</tr></thead><tbody>\n{chr(10).join(rows)}\n</tbody></table>"


def row(name: str, cells: Iterable[str]) -> str:
    """Return a row of a table.

    Args:
        name: What the row is about, as text.
        cells: HTML, each from `cell` or `bar`.
    """
    return f"<tr><th>{escape(name)}</th>{''.join(cells)}</tr>"


def cell(text: str) -> str:
    """Return a cell of a table."""
    return f"<td>{escape(text)}</td>"


def bar(share: float, text: str) -> str:
    """Return a cell of a table whose background shows a share of 0 to 1, too."""
    width = min(max(share, 0), 1)
    return f'<td class="bar" style="background-size:{width:.1%} 100%">{escape(text)}</td>'


def data_uri(data: bytes, kind: str) -> str:
    """Return a file as an address that holds it.

    Args:
        data: Its bytes.
        kind: Its media type, such as ``image/jpeg``.
    """
    return f"data:{kind};base64,{base64.b64encode(data).decode('ascii')}"


def picture_figure(
    jpeg: bytes, size: Size, layers: Mapping[str, Sequence[Outline]], *, caption: str, name: str
) -> str:
    """Return a picture under its outlines, and its caption.

    Outlines are styled by the page, so they follow its colours and its switches.

    Args:
        jpeg: The picture as a JPEG file.
        size: ``(height, width)`` of it.
        layers: What outlines mean, a class of the page's style -> the outlines, the lowest first.
        caption: What it shows, as text.
        name: Where it comes from, as text.
    """
    return (
        f'<figure class="card">{picture(jpeg, size, layers, label=caption)}'
        f"<figcaption><b>{escape(caption)}</b>"
        f'<span class="quiet" title="{escape(name)}">{escape(name)}</span></figcaption></figure>'
    )


def picture(
    jpeg: bytes,
    size: Size,
    layers: Mapping[str, Sequence[Outline]],
    *,
    label: str,
    above: str = "",
) -> str:
    """Return a picture under its outlines as SVG, as in `picture_figure`.

    Args:
        jpeg: As there.
        size: As there.
        layers: As there.
        label: What it shows, as text, for who cannot see it.
        above: SVG to be drawn above the outlines.
    """
    height, width = size
    aside = any(outline.focus for outlines in layers.values() for outline in outlines)
    groups = "".join(_group(kind, outlines, aside) for kind, outlines in layers.items())
    return (
        f'<svg viewBox="0 0 {width} {height}" role="img" aria-label="{escape(label)}">'
        f'<image width="{width}" height="{height}" href="{data_uri(jpeg, "image/jpeg")}"/>'
        f"{groups}{above}</svg>"
    )


def _group(kind: str, outlines: Iterable[Outline], aside: bool) -> str:
    paths = "".join(
        f'<path{_FOCUS * outline.focus} d="{svg_path(outline)}">'
        f"<title>{escape(f'{kind}: {outline.title}')}</title></path>"
        for outline in outlines
    )
    return f'<g class="outline {escape(kind)}{" aside" if aside else ""}">{paths}</g>'


def svg_path(outline: Outline) -> str:
    """Return the rings of an outline as the `d` of an SVG path."""
    return "".join(
        "M" + " ".join(f"{x:g} {y:g}" for x, y in ring.round(1).tolist()) + "Z"
        for ring in outline.rings
    )
