"""The findings of a data check as one HTML file, each on its picture.

The page runs no script and loads nothing. Its filters are check boxes that its style looks at.
"""

import os
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from html import escape
from itertools import groupby

from delineate._files import write_whole
from delineate.core.page import page, template
from delineate.data.sample import Dataset
from delineate.quality.findings import SEVERITIES, Finding, Severity, worst_first
from delineate.quality.report_text import total
from delineate.quality.shots import Photographer, Predicted, shot_html
from delineate.quality.view import Counted, silently

KIND = "check"
"""Which kind of page it is; see `delineate.core.page.generator`."""

PICTURES = 40
"""Findings of a kind that are shown on pictures, the surest first; with many kinds, fewer."""

_ALL_PICTURES = 600
_ROOM = 22_000_000  # characters of pictures and outlines
_LINES = 300  # findings of a kind that are told without a picture
_BESIDE = 3  # further places of a finding that are shown
_MEANING: Mapping[Severity, str] = {
    "error": "Training or measuring on the data goes wrong.",
    "warning": "Training or measuring probably suffers.",
    "note": "Only a person can tell.",
}

Albums = Mapping[int, Sequence[str]]
"""The pictures of findings as HTML, by the identity of the finding."""


def write_doctor_report(
    path: str | os.PathLike[str],
    findings: Iterable[Finding],
    splits: Mapping[str, Dataset],
    facts: Mapping[str, str],
    *,
    title: str = "Data check",
    predicted: Predicted | None = None,
    counted: Counted = silently,
) -> None:
    """Write the report, whole or not at all.

    It stays below about 25 MB: what is left out of pictures is told in lines, and what is left out
    of these is counted.

    Args:
        path: The HTML file.
        findings: What was found, in any order.
        splits: The data, whose pictures are read.
        facts: What else a reader should know, in order.
        title: What was checked.
        predicted: What a model found, drawn beside the labels.
        counted: Shows how far it is.

    Raises:
        OutputError: The file cannot be written.
    """
    text = doctor_report(findings, splits, facts, title=title, predicted=predicted, counted=counted)
    write_whole(path, text.encode(errors="replace"))  # names of files need not be UTF-8


def doctor_report(
    findings: Iterable[Finding],
    splits: Mapping[str, Dataset],
    facts: Mapping[str, str],
    *,
    title: str = "Data check",
    predicted: Predicted | None = None,
    counted: Counted = silently,
) -> str:
    """Return the report as a page; see `write_doctor_report`."""
    ordered = worst_first(findings)
    groups = [list(group) for _, group in groupby(ordered, lambda f: (f.severity, f.kind))]
    pictured = max(min(PICTURES, _ALL_PICTURES // max(len(groups), 1)), 2)
    albums = _albums(groups, pictured, Photographer(splits, predicted), counted)
    classes = {split: f"s{number}" for number, split in enumerate(splits)}
    sections = "\n".join(
        _section(group, number, albums, classes, pictured) for number, group in enumerate(groups)
    )
    return page(
        kind=KIND,
        title=title,
        body=f"{_headline(ordered)}\n{_bar(groups, classes, predicted)}\n{sections}"
        if groups
        else f'{_headline(ordered)}\n<p class="card good">Nothing found.</p>',
        facts={**facts, "found": total(ordered)},
        style=template("delineate.quality", "report.css") + _filters(groups, classes),
    )


def _albums(
    groups: Sequence[Sequence[Finding]], pictured: int, camera: Photographer, counted: Counted
) -> Albums:
    """Take the pictures as long as there is room."""
    shown = [finding for group in groups for finding in group[:pictured]]
    albums: dict[int, list[str]] = {}
    room = _ROOM
    for k in counted(len(shown), "pictures"):
        if room <= 0:
            continue
        places = shown[k].place, *shown[k].others[:_BESIDE]
        taken = [shot for shot in map(camera.shot, places) if shot is not None]
        albums[id(shown[k])] = [shot_html(shot, tagged=len(taken) > 1) for shot in taken]
        room -= sum(map(len, albums[id(shown[k])]))
    return albums


# -- the page ----------------------------------------------------------------------------------


def _headline(findings: Sequence[Finding]) -> str:
    counts = Counter(finding.severity for finding in findings)
    cards = (
        f'<div class="card is-{severity}"><dt>{severity}s</dt><dd>{counts[severity]:,}</dd>'
        f'<dd class="quiet">{_MEANING[severity]}</dd></div>'
        for severity in SEVERITIES
    )
    return f'<dl class="headline">{"".join(cards)}</dl>'


def _bar(
    groups: Sequence[Sequence[Finding]], classes: Mapping[str, str], predicted: Predicted | None
) -> str:
    """Return the filters: severities, splits, outlines, and one kind or all."""
    counts = Counter(finding.severity for group in groups for finding in group)
    switches = [
        _switch(f"show-{severity}", f"{severity}s", f"is-{severity}")
        for severity in SEVERITIES
        if counts[severity]
    ]
    if len(classes) > 1:
        switches += [_switch(f"show-{key}", split, "split") for split, key in classes.items()]
    switches.append(_switch("show-others", "other labels", "line others"))
    if predicted:
        switches.append(_switch("show-predicted", "what the model sees", "line predicted"))
    kinds = [
        '<label class="chip"><input type="radio" name="kind" id="all-kinds" checked>'
        "<span>all kinds</span></label>"
    ]
    for kind, key in _keys(groups).items():
        count = sum(len(group) for group in groups if group[0].kind == kind)
        kinds.append(
            f'<label class="chip"><input type="radio" name="kind" id="only-{key}">'
            f"<span>{_words(kind)} <small>{count:,}</small></span></label>"
        )
    return (
        f'<div class="card legend switches">{"".join(switches)}</div>\n'
        f'<div class="chips">{"".join(kinds)}</div>'
    )


def _switch(name: str, words: str, look: str) -> str:
    return (
        f'<label class="{look}"><input type="checkbox" id="{name}" checked><i></i>'
        f"{escape(words)}</label>"
    )


def _section(
    group: Sequence[Finding],
    number: int,
    albums: Albums,
    classes: Mapping[str, str],
    pictured: int,
) -> str:
    first = group[0]
    shown = [f for f in group[:pictured] if albums.get(id(f)) or f.place.image_id is None]
    told = [finding for finding in group if all(finding is not f for f in shown)]
    cards = "\n".join(_card(finding, albums.get(id(finding), ()), classes) for finding in shown)
    return (
        f'<section class="kind k-{escape(first.kind)} is-{first.severity}" id="kind{number}">\n'
        f'<details open><summary><h2><span class="badge">{first.severity}</span> '
        f"{_words(first.kind)} <small>{len(group):,}</small></h2></summary>\n"
        f'<div class="findings">\n{cards}\n</div>\n{_lines(told, len(shown), classes)}</details>\n'
        "</section>"
    )


def _card(finding: Finding, shots: Sequence[str], classes: Mapping[str, str]) -> str:
    album = f'<div class="album of{min(len(shots), 4)}">{"".join(shots)}</div>' if shots else ""
    sure = f" · score {finding.score:.2f}" if finding.score < 0.995 else ""
    more = len(finding.others) - _BESIDE
    others = f" · and {more:,} more places" if shots and more > 0 else ""
    return (
        f'<figure class="card finding {_split_class(finding, classes)}">{album}<figcaption>'
        f"<b>{escape(_sentence(finding.why))}</b>"
        f'<span class="fix">{escape(_sentence(finding.fix))}</span>'
        f'<span class="quiet">{escape(str(finding.place))}{sure}{others}</span>'
        "</figcaption></figure>"
    )


def _lines(findings: Sequence[Finding], pictured: int, classes: Mapping[str, str]) -> str:
    """Return what is told without a picture."""
    if not findings:
        return ""
    lines = "\n".join(
        f'<li class="finding {_split_class(finding, classes)}"><span>'
        f"{escape(str(finding.place))}</span> {escape(finding.why)}</li>"
        for finding in findings[:_LINES]
    )
    rest = len(findings) - _LINES
    end = f'<p class="quiet">And {rest:,} more, which `--json` lists.</p>' if rest > 0 else ""
    what = f"{len(findings):,} more" if pictured else f"{len(findings):,}, without pictures"
    return f'<details class="rest"><summary>{what}</summary>\n<ul>\n{lines}\n</ul>\n{end}</details>'


def _filters(groups: Sequence[Sequence[Finding]], classes: Mapping[str, str]) -> str:
    """Return the style that hides what is not asked for."""
    hidden = [(f"show-{severity}", f"section.is-{severity}") for severity in SEVERITIES]
    hidden += [(f"show-{key}", f".finding.{key}") for key in classes.values()]
    hidden += [(f"show-{layer}", f".shot .{layer}") for layer in ("others", "predicted")]
    rules = [f"body:has(#{box}:not(:checked)) {what} {{ display: none; }}" for box, what in hidden]
    rules += [
        f"body:has(#only-{key}:checked) section.kind:not(.{key}) {{ display: none; }}"
        for key in _keys(groups).values()
    ]
    return "\n".join(rules) + "\n"


def _keys(groups: Sequence[Sequence[Finding]]) -> dict[str, str]:
    """Return the kinds in order of appearance, and what the page's style calls them."""
    return {group[0].kind: f"k-{escape(group[0].kind)}" for group in groups}


def _split_class(finding: Finding, classes: Mapping[str, str]) -> str:
    return classes.get(finding.place.split, "")


def _words(kind: str) -> str:
    return escape(kind.replace("_", " "))


def _sentence(text: str) -> str:
    return f"{text[:1].upper()}{text[1:]}."
