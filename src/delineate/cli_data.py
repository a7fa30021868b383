"""The verbs of `delineate data`: prepare and check data sets."""

from pathlib import Path
from typing import Annotated

import typer

from delineate.cli_parts import Broken, Format, Images, Json, OnError, say, show

data_app = typer.Typer(
    help="Prepare and check data sets.", no_args_is_help=True, rich_markup_mode=None
)


@data_app.command("convert", epilog="Example: delineate data convert my-labels out --to yolo")
def convert(
    source: Annotated[Path, typer.Argument(help="Data folder or file, in any format.")],
    out: Annotated[Path, typer.Argument(help="The new folder.")],
    to: Annotated[str, typer.Option(help="Format to write; see `delineate data formats`.")],
    images: Images = None,
    format: Format = None,
    on_error: Broken = OnError.stop,
    strict: Annotated[
        bool, typer.Option("--strict", help="Write nothing where an object would be lost.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Write a data set in another format, with its pictures.

    The result is read again and every object compared: what the format could not hold is told.
    """
    from delineate.jobs import convert_data as job

    result = job.convert_data(
        source,
        out,
        to=to,
        images=images,
        format=format,
        on_error=on_error.value,
        strict=strict,
        say=say,
    )
    show(result.to_json() | {"out": str(out)}, as_json, job.summary(result, out))


@data_app.command("formats", epilog="Example: delineate data formats")
def formats(as_json: Json = False) -> None:
    """List the formats of annotations, how their files lie, and which can be written."""
    from delineate.jobs.convert_data import format_rows, format_table

    rows = format_rows()
    show({"formats": rows}, as_json, format_table(rows))
