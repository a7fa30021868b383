"""Verbs and flags are frozen: change this table on purpose, and the changelog with it."""

import os
import subprocess
import sys

import typer

from delineate.cli import app

SURFACE = {
    "data split": [
        "--copy",
        "--format",
        "--fractions",
        "--group-by",
        "--images",
        "--json",
        "--no-copy",
        "--on-error",
        "--only",
        "--seed",
        "--to",
        "out",
        "source",
    ],
    "data stats": [
        "--format",
        "--images",
        "--json",
        "--on-error",
        "--only",
        "--out",
        "data",
    ],
    "data view": [
        "--augment",
        "--class",
        "--findings",
        "--format",
        "--images",
        "--json",
        "--limit",
        "--on-error",
        "--only",
        "--open",
        "--out",
        "--seed",
        "data",
    ],
    "demo": ["--json", "--minutes", "--out", "--seed"],
    "evaluate": [
        "--device",
        "--format",
        "--images",
        "--json",
        "--max-dets",
        "--on-error",
        "--out",
        "--panoptic",
        "data",
        "model",
    ],
    "data check": [
        "--device",
        "--fix",
        "--format",
        "--ignore",
        "--images",
        "--json",
        "--model",
        "--only",
        "--out",
        "--quick",
        "--strict",
        "data",
    ],
    "data convert": [
        "--format",
        "--images",
        "--json",
        "--on-error",
        "--strict",
        "--to",
        "out",
        "source",
    ],
    "data formats": ["--json"],
    "data kinds": ["--json"],
    "data synth": [
        "--backgrounds",
        "--classes",
        "--format",
        "--from",
        "--images",
        "--json",
        "--objects",
        "--on-error",
        "--seed",
        "--size",
        "--val",
        "out",
    ],
    "models convert": ["--classes", "--json", "--out", "--to", "file"],
    "models list": ["--commercial-only", "--json"],
    "models show": ["--json", "name"],
    "predict": [
        "--batch-size",
        "--device",
        "--json",
        "--label-masks",
        "--model",
        "--no-overlays",
        "--on-error",
        "--out",
        "--overlays",
        "--panoptic",
        "--score",
        "sources",
    ],
    "train": [
        "--augment",
        "--device",
        "--format",
        "--images",
        "--json",
        "--on-error",
        "--out",
        "--recipe",
        "--resume",
        "--set",
        "data",
    ],
}


def leaves(command: object, path: tuple[str, ...] = ()) -> dict[str, object]:
    children = getattr(command, "commands", None)
    if children is None:
        return {" ".join(path): command}
    found: dict[str, object] = {}
    for name, child in children.items():
        found |= leaves(child, (*path, name))
    return found


def surface(command: object) -> list[str]:
    names = []
    for parameter in command.params:
        if parameter.param_type_name == "argument":
            names.append(parameter.name)
        else:
            names += [*parameter.opts, *parameter.secondary_opts]
    return sorted(n for n in names if n != "--help")


def test_verbs_and_flags_are_these() -> None:
    found = {k: surface(v) for k, v in leaves(typer.main.get_command(app)).items()}
    assert found == SURFACE


def test_every_verb_shows_an_example() -> None:
    for name, command in leaves(typer.main.get_command(app)).items():
        assert command.epilog.startswith(f"Example: delineate {name.split()[0]}"), name
        assert command.help, name


def test_help_does_not_wake_torch() -> None:
    code = (
        "import sys\nfrom delineate.cli import main\nsys.argv = ['delineate', '--help']\n"
        "try: main()\nexcept SystemExit as e: assert not e.code\n"
        "assert not {'torch', 'numpy', 'cv2'} & set(sys.modules)"
    )
    run = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, env=dict(os.environ)
    )
    assert run.returncode == 0, run.stderr
    assert "evaluate" in run.stdout
