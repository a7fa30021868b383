"""The code blocks of README and docs run as they stand."""

import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
import typer

from delineate.cli import app

ROOT = Path(__file__).resolve().parents[1]
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]


def blocks(language: str) -> list[tuple[str, str]]:
    found = []
    for page in PAGES:
        for n, code in enumerate(re.findall(rf"```{language}\n(.*?)```", page.read_text(), re.S)):
            found.append((f"{page.name}-{n}", code))
    return found


@pytest.fixture(scope="module")
def workplace(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder as the pages assume it: a run with a model, a photo."""
    import numpy as np

    from delineate import build, save_model, write_image

    folder = tmp_path_factory.mktemp("docs")
    (folder / "run").mkdir()
    save_model(build("maskrcnn_nano", classes=2), folder / "run" / "best.safetensors")
    picture = np.random.default_rng(0).integers(0, 255, (64, 96, 3), dtype=np.uint8)
    write_image(folder / "photo.jpg", picture)
    return folder


@pytest.mark.parametrize("code", [pytest.param(c, id=i) for i, c in blocks("python")])
def test_python_blocks_run(code: str, workplace: Path) -> None:
    run = subprocess.run(
        [sys.executable, "-W", "error", "-c", code], cwd=workplace, capture_output=True, text=True
    )
    assert run.returncode == 0, run.stderr


def commands() -> list[str]:
    lines = [
        line.split(" #")[0].strip()
        for _, block in [*blocks("console"), *blocks("bash")]
        for line in block.splitlines()
    ]
    return sorted({line for line in lines if line.startswith("delineate ")})


@pytest.mark.parametrize("line", commands())
def test_command_lines_parse(line: str) -> None:
    """Every documented command is one the parser takes: a verb that exists, flags it has."""
    words = shlex.split(line)[1:]
    command = typer.main.get_command(app)
    path = "delineate"
    context = command.make_context(path, ["--help"], resilient_parsing=True)
    while hasattr(command, "commands"):
        command = command.commands[words.pop(0)]
    context = command.make_context(path, words, resilient_parsing=False)
    assert context.params


def test_pages_link_to_files_that_exist() -> None:
    for page in PAGES:
        for target in re.findall(r"\]\((?!https?:)([^)#]+)\)", page.read_text()):
            assert (page.parent / target).exists(), f"{page.name} links to {target}"
