"""Rename the entries of a state dict by a literal table that reads both ways.

A table is a sequence of rows ``(theirs, ours)``. A name may hold fields in braces, the same ones on
both sides: ``{wb}`` stands for ``weight`` or ``bias``, ``{norm}`` for the four tensors of a batch
norm, ``{bn}`` for these and its counter, and every other field, such as ``{i}``, for a number.
``ours`` may be None: that entry is left out on purpose. A row renames the entries it spells and no
others; nothing is matched by its ending, and nothing is guessed.

    >>> table = [("layer{i}.conv.{wb}", "stage{i}.{wb}"), ("steps", None)]
    >>> to_ours({"layer4.conv.weight": 7, "steps": 0}, table, ["stage4.weight"])
    {'stage4.weight': 7}
"""

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import TypeVar

from delineate.errors import ModelError

T = TypeVar("T")
Table = Sequence[tuple[str, str | None]]

FIELDS = {
    "wb": "weight|bias",
    "norm": "weight|bias|running_mean|running_var",
    "bn": "weight|bias|running_mean|running_var|num_batches_tracked",
}


def to_ours(state: Mapping[str, T], table: Table, wanted: Collection[str]) -> dict[str, T]:
    """Return `state` under our names.

    Args:
        state: Their entries.
        table: Rows ``(theirs, ours)``.
        wanted: Our names, all of which must come out and no others.

    Raises:
        ModelError: An entry has no use, a name in `wanted` gets no entry, or two rows or entries
            compete; all of them are listed.
    """
    return _rename(state, [(theirs, ours) for theirs, ours in table], set(wanted))


def to_theirs(
    state: Mapping[str, T], table: Table, wanted: Collection[str] | None = None
) -> dict[str, T]:
    """Return `state`, our entries, under their names: `to_ours` backwards.

    What the table leaves out on the way to us cannot come back and is absent from the result.

    Args:
        state: Our entries.
        table: Rows ``(theirs, ours)``.
        wanted: Their names, if known: all of them must come out, but for those that the table
            leaves out, and no others.

    Raises:
        ModelError: As `to_ours`.
    """
    rows = [(ours, theirs) for theirs, ours in table if ours is not None]
    if wanted is None:
        return _rename(state, rows, None)
    lost = [_pattern(theirs) for theirs, ours in table if ours is None]
    kept = {name for name in wanted if not any(p.fullmatch(name) for p in lost)}
    return _rename(state, rows, kept)


def _rename(
    state: Mapping[str, T], rows: Iterable[tuple[str, str | None]], wanted: set[str] | None
) -> dict[str, T]:
    rules = [(_pattern(source), target) for source, target in rows]
    renamed: dict[str, T] = {}
    unused: list[str] = []
    contested: list[str] = []
    for key, value in state.items():
        matches = [(m, target) for pattern, target in rules if (m := pattern.fullmatch(key))]
        if len(matches) != 1:
            (contested if matches else unused).append(key)
            continue
        match, target = matches[0]
        if target is None:
            continue
        name = target.format(**match.groupdict())
        if wanted is not None and name not in wanted:
            unused.append(key)
        elif name in renamed:
            contested.append(name)
        renamed[name] = value
    missing = sorted((wanted or set()) - renamed.keys())
    _complain(missing=missing, unused=unused, contested=contested)
    return renamed


def _pattern(template: str) -> re.Pattern[str]:
    """Compile a name with fields into what matches exactly the names it spells."""
    literals_and_fields = re.split(r"\{(\w+)\}", template)
    parts = [re.escape(part) for part in literals_and_fields]
    parts[1::2] = [f"(?P<{f}>{FIELDS.get(f, r'[0-9]+')})" for f in literals_and_fields[1::2]]
    return re.compile("".join(parts))


def _complain(**problems: Sequence[str]) -> None:
    found = [f"{kind}: {', '.join(keys)}" for kind, keys in problems.items() if keys]
    if found:
        raise ModelError(
            "the checkpoint's entries are not those of the model it should be for; "
            + "; ".join(found)
            + "."
        )
