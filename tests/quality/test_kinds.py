"""The table of kinds says what the checks and the repair do, and the docs say what it says."""

import ast
import json
import re
from collections import Counter, defaultdict
from pathlib import Path

import pytest
from faults import FAULTS

from command_line import call
from delineate import quality
from delineate.jobs.kinds import kind_rows
from delineate.quality.checks import KINDS
from delineate.quality.findings import SEVERITIES
from delineate.quality.judging import ODD
from delineate.quality.kinds import TOLD
from delineate.quality.repair import FIXES

DOCS = Path(__file__).parents[2] / "docs" / "data.md"


def constants(node, among):
    return {n.value for n in ast.walk(node) if isinstance(n, ast.Constant) and n.value in among}


def stated():
    """The severities that the code gives each kind, wherever it names that one kind."""
    found = defaultdict(set)
    for path in Path(quality.__file__).parent.glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and ast.unparse(node.func) == "Finding":
                given = {keyword.arg: keyword.value for keyword in node.keywords}
                kinds = constants(given["kind"], KINDS)
                if len(kinds) == 1:
                    found[kinds.pop()] |= constants(given["severity"], SEVERITIES)
    return found


def test_every_kind_is_told_in_the_order_of_the_checks():
    assert tuple(TOLD) == KINDS
    assert max(Counter(told.meaning for told in TOLD.values()).values()) == 1


def test_severities_are_those_of_the_code():
    found = stated()
    assert len(found) > 40
    for kind, severities in found.items():
        severities |= {"note"} if kind in ODD else set()
        assert set(TOLD[kind].severities) == severities, kind
    for told in TOLD.values():
        assert list(told.severities) == sorted(told.severities, key=SEVERITIES.index)


@pytest.mark.parametrize("name", FAULTS)
def test_severities_are_those_of_planted_faults(name):
    assert FAULTS[name].severity in TOLD[FAULTS[name].kind].severities


def test_the_verb_lists_them(monkeypatch, capfd):
    assert call(["data", "kinds", "--json"], monkeypatch) == 0
    rows = json.loads(capfd.readouterr()[0])["kinds"]
    assert [row["kind"] for row in rows] == list(KINDS)
    assert {row["kind"]: row["fix"] for row in rows if row["fix"]} == FIXES
    assert call(["data", "kinds"], monkeypatch) == 0
    lines = capfd.readouterr()[0].splitlines()
    assert len(lines) == len(KINDS) + 1
    assert max(map(len, lines)) <= 100
    assert "box_disagrees           m   error, warning  a stated box is none" in "\n".join(lines)


def test_the_docs_have_the_same_table():
    """What it expects is what belongs there."""
    rows = ["| kind | severity | meaning | `--fix` |", "|---|---|---|---|"]
    for row in kind_rows():
        cells = f"`{row['kind']}`", ", ".join(row["severity"]), row["meaning"]
        rows.append(f"| {' | '.join(cells)} | {row['fix'] or ''} |")
    assert "\n".join(rows) in DOCS.read_text()


def test_the_docs_count_the_planted_faults():
    words = r"(\d+) faults of (\d+)\s+kinds.*?(\d+) of them\s+`--fix` mends and (\d+) it leaves out"
    counts = re.search(words, TEXT, re.S)
    kinds = {fault.kind for fault in FAULTS.values()}
    how = Counter(fault.mended for fault in FAULTS.values())
    expected = [len(FAULTS), len(kinds), how["mends"], how["leaves out"]]
    assert [int(count) for count in counts.groups()] == expected


TEXT = DOCS.read_text()
