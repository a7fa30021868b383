"""Where `delineate data` writes: whole or not at all, and never over what is another's."""

import errno
import os
from pathlib import Path

import pytest

from builders import tiny_coco
from command_line import call, files_in, refused

FOLDERS = {
    "check": lambda data, out: ["check", data, "--quick", "--out", out],
    "check --fix": lambda data, out: ["check", data, "--quick", "--fix", out],
    "stats": lambda data, out: ["stats", data, "--out", out],
    "split": lambda data, out: ["split", data, out],
    "split --no-copy": lambda data, out: ["split", data, out, "--no-copy"],
    "convert": lambda data, out: ["convert", data, out, "--to", "png_instances"],
    "synth": lambda data, out: ["synth", out, "--images", "2", "--size", "64"],
}
REPORTS = {"check": ["findings.json", "report.html"], "stats": ["stats.html", "stats.json"]}
PAGES = {
    "page": lambda data, out: ["view", data, "--out", out / "a.html"],
    "png": lambda data, out: ["view", data, "--augment", "light", "--out", out / "a.png"],
    "jpg": lambda data, out: ["view", data, "--augment", "light", "--out", out / "a.jpg"],
    "webp": lambda data, out: ["view", data, "--augment", "light", "--out", out / "a.webp"],
    "tif": lambda data, out: ["view", data, "--augment", "light", "--out", out / "a.tif"],
}
VERBS = FOLDERS | {"view": PAGES["page"], "view --augment": PAGES["png"]}


@pytest.fixture
def data(tmp_path: Path) -> Path:
    folder = tmp_path / "data"
    folder.mkdir()
    tiny_coco(folder)
    return folder


def run(words, monkeypatch):
    return call(["data", *words], monkeypatch)


def content(folder):
    return {name: (folder / name).read_bytes() for name in files_in(folder)}


@pytest.mark.parametrize("error", [KeyboardInterrupt(), OSError(errno.ENOSPC, "No space left")])
@pytest.mark.parametrize("verb", VERBS)
def test_what_stops_a_verb_leaves_nothing(verb, error, data, tmp_path, monkeypatch, capfd):
    """Whichever of its files it is that does not get its name."""
    place = tmp_path / "place"
    out = place if verb.startswith("view") else place / "new" / "out"
    replace = os.replace
    for number in range(1, 20):
        place.mkdir()
        left = number

        def fail(old, new):
            nonlocal left
            left -= 1
            if not left:
                raise error
            replace(old, new)

        with monkeypatch.context() as patch:
            patch.setattr(os, "replace", fail)
            code = run(VERBS[verb](data, out), monkeypatch)
        if left > 0:
            break
        assert code == (130 if isinstance(error, KeyboardInterrupt) else 2)
        assert "Traceback" not in capfd.readouterr().err
        assert os.listdir(place) == []
        place.rmdir()
    assert number > 1
    assert code in (0, 1)
    assert files_in(place)


@pytest.mark.parametrize("verb", FOLDERS)
def test_a_folder_of_something_else_is_refused(verb, data, tmp_path, monkeypatch, capfd):
    out = tmp_path / "out"
    out.mkdir()
    (out / "report.html").write_text("mine")
    told = refused(["data", *FOLDERS[verb](data, out)], monkeypatch, capfd)
    assert f"{out}: expected a folder that is new or empty" in told
    assert told.endswith(": choose another place.")
    assert content(out) == {"report.html": b"mine"}


@pytest.mark.parametrize("verb", REPORTS)
def test_an_earlier_report_is_replaced_and_the_rest_kept(verb, data, tmp_path, monkeypatch, capfd):
    out = tmp_path / "out"
    out.mkdir()
    assert run(FOLDERS[verb](data, out), monkeypatch) in (0, 1)
    assert files_in(out) == REPORTS[verb]
    before = content(out)
    for name in REPORTS[verb]:
        (out / name).write_text("old")
    (out / "notes.txt").write_text("mine")
    assert run(FOLDERS[verb](data, out), monkeypatch) in (0, 1)
    assert content(out) == before | {"notes.txt": b"mine"}
    assert sorted(os.listdir(out)) == sorted([*REPORTS[verb], "notes.txt"])


@pytest.mark.parametrize("verb", REPORTS)
def test_the_report_of_another_verb_is_refused(verb, data, tmp_path, monkeypatch, capfd):
    (other,) = set(REPORTS) - {verb}
    run(FOLDERS[other](data, tmp_path / "out"), monkeypatch)
    capfd.readouterr()
    told = refused(["data", *FOLDERS[verb](data, tmp_path / "out")], monkeypatch, capfd)
    assert "of an earlier run, got one that holds something else" in told
    assert files_in(tmp_path / "out") == REPORTS[other]


@pytest.mark.parametrize("kind", PAGES)
def test_view_replaces_only_what_it_wrote(kind, data, tmp_path, monkeypatch, capfd):
    words = PAGES[kind](data, tmp_path)
    out = words[-1]
    for _ in range(2):
        assert run(words, monkeypatch) == 0
    capfd.readouterr()
    out.write_bytes(b"<!doctype html> a page of mine, or a picture")
    told = refused(["data", *words], monkeypatch, capfd)
    assert f"{out}: expected a new file, or an earlier one of this kind to replace" in told
    assert out.read_bytes() == b"<!doctype html> a page of mine, or a picture"
