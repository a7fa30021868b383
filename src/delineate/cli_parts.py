"""What the verbs of the command line have in common: options, and how results are told."""

import errno
import json
import os
import sys
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from delineate._files import output_error


class OnError(StrEnum):
    """What broken records or pictures do."""

    stop = "stop"
    skip = "skip"


Json = Annotated[bool, typer.Option("--json", help="Print one JSON object on stdout.")]
Images = Annotated[
    Path | None,
    typer.Option(help="Folder of the pictures; default: images/ beside the annotations."),
]
Broken = Annotated[
    OnError, typer.Option(help="Broken records: stop with a list, or skip (leave them out).")
]
Format = Annotated[
    str | None, typer.Option("--format", help="Format of the data; default: found out.")
]
Only = Annotated[
    list[str] | None,
    typer.Option(metavar="SPLIT", help="Take this split alone, or several: a,b. Default: all."),
]
Device = Annotated[str | None, typer.Option(help="cpu, cuda, cuda:1, ...; default: the best.")]


def several(words: list[str] | None) -> list[str]:
    """Return what an option that may be repeated, or have commas in it, names."""
    return [part.strip() for word in words or () for part in word.split(",")]


def say(line: str) -> None:
    """Tell the user something; stdout is kept for results."""
    print(line, file=sys.stderr, flush=True)


def show(result: dict[str, Any], as_json: bool, text: str) -> None:
    """Print a result, as one JSON object or as text.

    Raises:
        OutputError: It cannot be written, for example because the disk is full.
    """
    try:
        print(json.dumps(result) if as_json else text, flush=True)
    except OSError as error:
        if error.errno == errno.EPIPE:  # `| head` has seen enough
            raise
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # else exit fails again
        raise output_error("the standard output", error) from error
