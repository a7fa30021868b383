"""Where `delineate data` writes: whole or not at all, and never over what is another's."""

import errno
import os
from pathlib import Path

import numpy as np
import pytest

from builders import tiny_coco
from command_line import call, files_in, refused
from delineate._files import check_own
from delineate.core.image import write_image
from delineate.errors import OutputError
from delineate.jobs import view

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
VIEWS = {"view": PAGES["page"], "view --augment": PAGES["png"]}
VERBS = FOLDERS | VIEWS
STATES = [
    *((verb, "new") for verb in VERBS),
    *((verb, "empty") for verb in FOLDERS),
    *((verb, "earlier") for verb in [*REPORTS, *VIEWS]),
]


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


def everything(folder):
    return sorted(folder.rglob("*")), content(folder)


def make_older(folder, names):
    """Change files in what does not tell their kind."""
    for name in names:
        with (folder / name).open("ab") as file:
            file.write(b"\n")


@pytest.mark.parametrize("error", [KeyboardInterrupt(), OSError(errno.ENOSPC, "No space left")])
@pytest.mark.parametrize(("verb", "state"), STATES)
def test_what_stops_a_verb_leaves_nothing(verb, state, error, data, tmp_path, monkeypatch, capfd):
    """Whichever of its files it is that does not get its name; and what was there stays."""
    place = tmp_path / "place"
    out = place if verb in VIEWS else place / "new" / "out"
    place.mkdir()
    if state == "empty":
        out.mkdir(parents=True)
    if state == "earlier":
        assert run(VERBS[verb](data, out), monkeypatch) in (0, 1)
        make_older(out, files_in(out))
    before = everything(place)
    replace = os.replace
    for number in range(1, 20):
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
        assert everything(place) == before
    assert number > 1
    assert code in (0, 1)
    assert everything(place) != before
    assert not any(path.name.startswith(".") for path in place.rglob("*"))


@pytest.mark.parametrize("verb", FOLDERS)
def test_a_folder_of_something_else_is_refused(verb, data, tmp_path, monkeypatch, capfd):
    out = tmp_path / "out"
    out.mkdir()
    (out / "report.html").write_text("mine")
    told = refused(["data", *FOLDERS[verb](data, out)], monkeypatch, capfd)
    assert f"{out}: expected a folder that is new or empty" in told
    assert told.endswith(": choose another place.")
    assert content(out) == {"report.html": b"mine"}


@pytest.mark.parametrize("name", ["link", "link/out"])
@pytest.mark.parametrize("verb", FOLDERS)
def test_a_link_that_leads_nowhere_is_told(verb, name, data, tmp_path, monkeypatch, capfd):
    """Before the work, which could not get that name."""
    (tmp_path / "link").symlink_to("link")
    told = refused(["data", *FOLDERS[verb](data, tmp_path / name)], monkeypatch, capfd)
    assert "link is a link that leads nowhere): remove it, or choose another place." in told
    assert sorted(os.listdir(tmp_path)) == ["data", "link"]


@pytest.mark.parametrize("verb", REPORTS)
def test_an_earlier_report_is_replaced_and_the_rest_kept(verb, data, tmp_path, monkeypatch, capfd):
    out = tmp_path / "out"
    out.mkdir()
    assert run(FOLDERS[verb](data, out), monkeypatch) in (0, 1)
    assert files_in(out) == REPORTS[verb]
    before = content(out)
    make_older(out, REPORTS[verb])
    (out / "notes.txt").write_text("mine")
    assert run(FOLDERS[verb](data, out), monkeypatch) in (0, 1)
    assert content(out) == before | {"notes.txt": b"mine"}
    assert sorted(os.listdir(out)) == sorted([*REPORTS[verb], "notes.txt"])


@pytest.mark.parametrize("alone", [True, False])
@pytest.mark.parametrize(
    ("verb", "name", "text"),
    [
        ("check", "findings.json", '[{"kind": "fire", "place": "hall"}]'),
        ("check", "findings.json", '{"findings": []}'),
        ("check", "report.html", "<!doctype html> mine, with findings.json"),
        ("stats", "stats.json", '{"name": "players", "splits": {"train": {"images": 3}}}'),
        ("stats", "stats.json", "[]"),
        ("stats", "stats.html", "<!doctype html> mine"),
    ],
)
def test_a_file_of_another_is_never_replaced(
    verb, name, text, alone, data, tmp_path, monkeypatch, capfd
):
    out = tmp_path / "out"
    out.mkdir()
    if not alone:
        assert run(FOLDERS[verb](data, out), monkeypatch) in (0, 1)
    (out / name).write_text(text)
    before = content(out)
    capfd.readouterr()
    told = refused(["data", *FOLDERS[verb](data, out)], monkeypatch, capfd)
    assert told.endswith(f"got one with another {name}: choose another place.")
    assert content(out) == before


def test_an_earlier_report_without_findings_is_replaced(data, tmp_path, monkeypatch):
    words = [*FOLDERS["check"](data, tmp_path / "out"), "--only", "all_crowd"]
    for _ in range(2):
        assert run(words, monkeypatch) == 0
        assert (tmp_path / "out" / "findings.json").read_text() == "[]"


@pytest.mark.parametrize("verb", [*REPORTS, "check --fix"])
def test_the_place_is_looked_at_before_the_data(verb, data, tmp_path, monkeypatch, capfd):
    told = refused(["data", *FOLDERS[verb](tmp_path / "none", data)], monkeypatch, capfd)
    assert told.startswith(f"delineate: {data}: expected a folder that is new or empty")


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
    mine = b'<!doctype html> a page of mine <dialog id="viewer">, or a picture'
    out.write_bytes(mine)
    told = refused(["data", *words], monkeypatch, capfd)
    assert f"{out}: expected a new file, or an earlier one of this kind to replace" in told
    assert out.read_bytes() == mine


def test_view_does_not_replace_another_page_of_ours(data, tmp_path, monkeypatch, capfd):
    run(FOLDERS["check"](data, tmp_path / "out"), monkeypatch)
    before = content(tmp_path / "out")
    capfd.readouterr()
    words = ["data", "view", data, "--out", tmp_path / "out" / "report.html"]
    assert "expected a new file, or an earlier one" in refused(words, monkeypatch, capfd)
    assert content(tmp_path / "out") == before


@pytest.mark.parametrize("suffix", [".png", ".jpg", ".webp", ".tif"])
def test_a_large_sheet_is_known(suffix, tmp_path):
    out = tmp_path / f"a{suffix}"
    noise = np.random.default_rng(0).integers(0, 256, (400, 400, 3), dtype=np.uint8)
    write_image(out, noise, software=view._SOFTWARE)
    assert out.stat().st_size > 2 * 65536
    check_own(out, view._SHEET)
    write_image(out, noise)
    with pytest.raises(OutputError, match="choose another place"):
        check_own(out, view._SHEET)


def test_a_sheet_that_could_not_be_known_again_is_refused(data, tmp_path, monkeypatch, capfd):
    words = ["data", "view", tmp_path / "none", "--augment", "light", "--out", tmp_path / "a.bmp"]
    told = refused(words, monkeypatch, capfd)
    assert told.endswith(f"got --out {tmp_path / 'a.bmp'}: write x.png, x.jpg or x.webp.")
