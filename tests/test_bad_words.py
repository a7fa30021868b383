"""Words of the command line that the option parser refuses: one sentence, exit code 2."""

import pytest

from command_line import call, refused

CONVERT = "`delineate data convert` expects SOURCE, OUT, --to, got no"
# fmt: off
REFUSED = {
    "nothing": (["data", "convert"], f"{CONVERT} SOURCE: see `delineate data convert --help`."),
    "no option": (
        ["data", "convert", "a", "b"], f"{CONVERT} --to: see `delineate data convert --help`."
    ),
    "many, none given": (
        ["predict"],
        "`delineate predict` expects SOURCES, --model, got no SOURCES: see `delineate predict "
        "--help`.",
    ),
    "a slip": (
        ["data", "view", "x", "--limt", "3"],
        "`delineate data view` has no option --limt: did you mean --limit?",
    ),
    "no such option": (
        ["train", "x", "--zzz=3"],
        "`delineate train` has no option --zzz: see `delineate train --help`.",
    ),
    "no such option of all": (["--zz"], "`delineate` has no option --zz: see `delineate --help`."),
    "another choice": (["data", "stats", "x", "--on-error", "foo"], "'stop', 'skip'"),
    "no number": (["data", "view", "x", "--limit", "a"], "expected another value for --limit"),
    "a number too large": (["data", "synth", "x", "--val", "3"], "less than or equal to 1"),
    "a number too small": (["data", "split", "x", "y", "--seed=-1"], "greater than or equal to 0"),
    "no value": (["data", "convert", "a", "--to"], "'--to' requires an argument: see `delineate"),
    "a value too many": (["predict", "a", "--overlays=3"], "'--overlays' does not take a value"),
    "an argument too many": (["data", "check", "a", "b", "c"], "(b c): see `delineate data check"),
    "no such verb": (["data", "xx"], "no such command 'xx': see `delineate data --help`."),
    "a slip in a verb": (["models", "lst"], "no such command 'lst'"),
}
# fmt: on


@pytest.mark.parametrize("name", REFUSED)
def test_one_sentence(name, monkeypatch, capfd):
    words, expected = REFUSED[name]
    told = refused(words, monkeypatch, capfd)
    assert expected in told
    assert told.endswith((".", "?"))


def test_a_refusal_is_all_that_is_told(monkeypatch, capfd):
    assert call(["data", "view", "x", "--json", "--limit", "a"], monkeypatch) == 2
    out, err = capfd.readouterr()
    assert out == ""
    (line,) = err.splitlines()
    assert "'a'" in line
    assert line.endswith("see `delineate data view --help`.")


def test_a_group_alone_shows_its_help(monkeypatch, capfd):
    call(["data"], monkeypatch)
    told = "".join(capfd.readouterr())
    assert "Usage:" in told
    assert "Prepare and check data sets." in told
    assert "delineate: " not in told
