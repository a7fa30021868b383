"""Names of classes that are one class written in two ways, or no class at all."""

import re
import unicodedata
from collections.abc import Iterator, Sequence

import numpy as np

from delineate.data.sample import stated_by
from delineate.quality.census import Census, Counts, joined, whole
from delineate.quality.findings import Finding, Place, place_of

RARER = 10
"""How many times rarer the one of two names must be to count as a misspelling of the other, where
they differ by a letter: ``horse`` and ``house`` are two words."""

LETTERS, MANY_LETTERS = 6, 12
"""Length of the longer word from which one letter, or two letters, may be a misspelling."""

EXAMPLES = 3
"""Objects that are shown of the rarer name."""

_BACKGROUND = re.compile("_*(background|bg|void|ignored?|unlabell?ed|none|no ?label)_*")
_LOOK_ALIKES = str.maketrans("аеорсухіјѕԁһοανρτικ", "aeopcyxijsdhoavptik")
_MOST_WRONG = 2  # letters
_BINS = 64  # of letters that are counted
_INVISIBLE = {"Cf", "Zl", "Zp"}  # categories of Unicode
_JOINERS = "\u200c\u200d"  # which Persian, the scripts of India and emoji are written with
_ALPHABETS = {"LATIN", "GREEK", "CYRILLIC"}  # where letters look alike, and marks are accents
_SIGN = r"\s_\-./"
_BETWEEN = re.compile(  # signs between letters; those between digits, or alone, mean something
    rf"(?<=[^{_SIGN}])[{_SIGN}]+(?=[^{_SIGN}\d])|(?<=[^{_SIGN}\d])[{_SIGN}]+(?=[^{_SIGN}])"
)


def similar_names(counted: Counts) -> Iterator[Finding]:
    """Find names that seem to mean the same class; the rarer one is probably the wrong one."""
    counts = joined(counted)
    for first, second in _near(list(counts)):
        rare, common = sorted((first, second), key=lambda name: counts[name])
        difference = _difference(first, second)
        if difference is None and counts[rare] * RARER <= counts[common]:
            difference = _misspelling(first, second)
        if difference is not None:
            yield Finding(
                kind="similar_names",
                severity="warning",
                place=whole(counted),
                why=f"the classes {common!r} ({counts[common]:,} objects) and {rare!r} "
                f"({counts[rare]:,}) differ {difference}, as where one class has two spellings",
                fix=f"rename {rare!r}, if they are the same class",
                others=tuple(_examples(counted, rare)),
                score=counts[common] / max(counts[common] + counts[rare], 1),
            )


def odd_names(counted: Counts) -> Iterator[Finding]:
    """Find names that are not what they look like, and names of what is no class."""
    counts = joined(counted)
    for name in counts:
        if fault := _hidden(name):
            yield Finding(
                kind="odd_name",
                severity="warning",
                place=whole(counted),
                why=f"the name of the class {name!r} has {fault}, so that nobody who types what "
                "is seen finds it",
                fix="rename it",
            )
        if _BACKGROUND.fullmatch(name.casefold().strip()):
            yield Finding(
                kind="background_class",
                severity="warning",
                place=whole(counted),
                why=f"the class {name!r} with {counts[name]:,} objects is no class of objects: "
                "what is not annotated is background, and a model need not find it",
                fix="leave it out of the list of classes, and its annotations with it",
            )


def unused_classes(counted: Counts) -> Iterator[Finding]:
    """Find classes without an object in any split."""
    counts = joined(counted)
    unused = [n for n, c in counts.items() if not c and not _BACKGROUND.fullmatch(n.casefold())]
    if not unused or not any(counts.values()):
        return
    root = [n for n in unused if all(_is_first(n, one) for one in counted.values())]
    hint = f"; {root[0]!r} with id 0 is a heading, such as Roboflow's exports have" if root else ""
    yield Finding(
        kind="unused_class",
        severity="warning",
        place=whole(counted),
        why=f"{len(unused)} of {len(counts)} classes have no object: {listed(unused)}{hint}; a "
        "model is built and measured for classes that it cannot learn",
        fix="leave them out of the list of classes, or annotate some",
        score=len(unused) / len(counts),
    )


def listed(names: Sequence[str], most: int = 8) -> str:
    """Return names to read."""
    shown = ", ".join(map(repr, names[:most]))
    return shown if len(names) <= most else f"{shown} and {len(names) - most} more"


def distance(first: str, second: str) -> int:
    """Return how many letters are wrong, missing, too many, or swapped with the next one.

    The "optimal string alignment" distance (Damerau 1964).
    """
    rows = [list(range(len(second) + 1))]
    for i, a in enumerate(first, start=1):
        row = [i]
        for j, b in enumerate(second, start=1):
            row.append(min(rows[-1][j] + 1, row[-1] + 1, rows[-1][j - 1] + (a != b)))
            if i > 1 and j > 1 and a == second[j - 2] and first[i - 2] == b:
                row[j] = min(row[j], rows[-2][j - 2] + 1)
        rows.append(row)
    return rows[-1][-1]


def _near(names: Sequence[str]) -> Iterator[tuple[str, str]]:
    """Yield the pairs of names of about the same letters: all that may be one name are among them.

    A letter that is wrong changes two counts by one, so two of them, or ``y`` that becomes ``ies``,
    change the counts by four.
    """
    letters = np.zeros((len(names), _BINS), dtype=np.int64)
    for row, name in zip(letters, names, strict=True):
        np.add.at(row, [ord(letter) % _BINS for letter in _plain(name)], 1)
    for i, name in enumerate(names):
        apart = np.abs(letters[i + 1 :] - letters[i]).sum(axis=1)
        for j in np.flatnonzero(apart <= 2 * _MOST_WRONG).tolist():
            yield name, names[i + 1 + j]


def _difference(first: str, second: str) -> str | None:
    """Say in what two spellings of one name differ; None: they are two names."""
    if len(first.strip()) == 1 and len(second.strip()) == 1:
        return None  # classes of characters
    if first.casefold() == second.casefold():
        return "in capital letters only"
    if _letters(first.casefold()) == _letters(second.casefold()):
        return "in spaces and signs only"
    a, b = _plain(first), _plain(second)
    if a == b:
        return "in accents or look-alike letters only"
    a, b = sorted((a, b), key=len)
    if len(a) >= 3 and b in (f"{a}s", f"{a}es", f"{a[:-1]}ies"):
        return "as singular and plural"
    return None


def _misspelling(first: str, second: str) -> str | None:
    """Say by how much two names differ, if it is so little that one may be a slip."""
    words = [re.split(rf"[{_SIGN}]+", name.strip()) for name in (first, second)]
    if len(words[0]) == len(words[1]):  # of two words one is misspelt, not a bit of each
        differing = [
            pair for pair in zip(*words, strict=True) if _plain(pair[0]) != _plain(pair[1])
        ]
        if len(differing) != 1:
            return None
        ((first, second),) = differing
    a, b = _plain(first), _plain(second)
    longer = max(len(a), len(b))
    allowed = _MOST_WRONG if longer >= MANY_LETTERS else 1 if longer >= LETTERS else 0
    if abs(len(a) - len(b)) > allowed or _numbers(a) != _numbers(b):
        return None
    wrong = distance(a, b)
    return f"by {wrong} letter{'s' * (wrong > 1)}" if 0 < wrong <= allowed else None


def _letters(name: str) -> str:
    return _BETWEEN.sub("", name.strip().strip("_"))


def _numbers(name: str) -> list[str]:
    return re.findall(r"\d+(?:[.,]\d+)*", name)


def _plain(name: str) -> str:
    """Return a name without case, signs, accents and letters of other scripts that look alike."""
    base, kept = "", []
    for letter in unicodedata.normalize("NFKD", name):
        if not unicodedata.combining(letter):
            base = letter
        elif _script(base) in _ALPHABETS:
            continue
        kept.append(letter)
    return _letters("".join(kept).casefold().translate(_LOOK_ALIKES))


def _script(letter: str) -> str:
    """Return the script of a letter; empty for anything else."""
    return unicodedata.name(letter, "?").split()[0] if letter.isalpha() else ""


def _hidden(name: str) -> str | None:
    """Say what of a name cannot be seen."""
    if name != name.strip():
        return "spaces around it"
    if "  " in name:
        return "two spaces in a row"
    for before, letter in zip(f" {name}", name, strict=False):
        joins = letter in _JOINERS and before.isprintable() and not _is_plain(before)
        if unicodedata.category(letter) in _INVISIBLE and not joins:
            return "a letter that cannot be seen"
    for word in re.split(rf"[{_SIGN}]+", name):
        scripts = {_script(letter) for letter in word} & _ALPHABETS
        if "LATIN" in scripts and len(scripts) > 1:
            return f"letters of two scripts ({' and '.join(sorted(map(str.title, scripts)))})"
    return None


def _is_plain(letter: str) -> bool:
    """Tell whether a joiner after this has nothing to join."""
    return letter.isascii() or letter.isspace() or _script(letter) in _ALPHABETS


def _is_first(name: str, one: Census) -> bool:
    """Tell whether a class has the id 0, and the others have ids from 1 on."""
    ids = dict(zip(one.classes.names, one.classes.source_ids, strict=True))
    return ids.get(name) == 0 and len(ids) > 1


def _examples(counted: Counts, name: str) -> Iterator[Place]:
    """Yield the first few objects of a class."""
    found = 0
    for split, one in counted.items():
        if name not in one.classes.names:
            continue
        label, stated = one.classes.names.index(name), stated_by(one.dataset)
        for index in one.table.tocsc()[:, [label]].indices.tolist():
            record = one.dataset.records[index]
            for i in (stated(index).labels == label).nonzero()[0].tolist():
                if found == EXAMPLES:
                    return
                found += 1
                yield place_of(split, record, objects=(i,))
