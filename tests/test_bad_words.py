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


LONG = "x" * 200
ECHOED = {
    "verb": ["data", LONG],
    "option": ["train", "d", f"--{LONG}"],
    "option with a value": ["train", "d", f"--{LONG}={LONG}"],
    "number": ["demo", "--minutes", LONG],
    "number with =": ["demo", f"--minutes={LONG}"],
    "choice": ["train", "d", "--on-error", LONG],
    "escaped": ["train", "d", "--on-error", "\x1b" * 50],
    "argument": ["train", "d", LONG],
    "arguments": ["train", *"abcdefghij" * 20],
}


@pytest.mark.parametrize("name", ECHOED)
def test_long_words_are_cut(name, monkeypatch, capfd):
    told = refused(ECHOED[name], monkeypatch, capfd)
    assert "..." in told
    assert "x" * 61 not in told
    assert len(told) < 260


@pytest.mark.parametrize(
    "words",
    [["train", "d", "--a\x1b[31m\nb"], ["data", "\x1b[31m\nb"], ["train", "d", "e\x1b[31m\nb"]],
)
def test_control_characters_are_escaped(words, monkeypatch, capfd):
    told = refused(words, monkeypatch, capfd)
    assert r"\x1b[31m" in told
    assert told.endswith("--help`.")


def test_an_end_of_the_input_is_an_interruption(monkeypatch, capfd):
    def ask(**_):
        raise EOFError

    monkeypatch.setattr("delineate.jobs.models.model_rows", ask)
    assert call(["models", "list"], monkeypatch) == 130
    out, err = capfd.readouterr()
    assert out == ""
    assert err.strip() == "delineate: stopped, for the input ended too early: check it, then again."


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
