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


@data_app.command(
    "synth", epilog="Example: delineate data synth made --from my-data/train.json --images 500"
)
def synth(
    out: Annotated[Path, typer.Argument(help="The new folder.")],
    images: Annotated[int, typer.Option(min=1, help="Number of pictures.")] = 500,
    classes: Annotated[
        str | None,
        typer.Option(
            help="Classes, with commas between: of blob, polygon, tool, cell, text, pallet, box, "
            "wrench, hammer, screwdriver, screw, nut; with --from, of the data's. Default: all."
        ),
    ] = None,
    source: Annotated[
        Path | None,
        typer.Option("--from", help="Data whose objects are cut out and pasted; else: drawn."),
    ] = None,
    format: Format = None,
    on_error: Broken = OnError.stop,
    backgrounds: Annotated[
        str,
        typer.Option(help="To paste on: own (the data's, emptied), drawn, or a folder."),
    ] = "own",
    size: Annotated[
        str | None,
        typer.Option(help="512, or 640x480. Default: 512; with --from, the background's."),
    ] = None,
    objects: Annotated[
        str | None,
        typer.Option(help="5-20, or 12. Default: 5-20; with --from, as in real images."),
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="Another seed, other pictures.")] = 0,
    val: Annotated[
        float, typer.Option(min=0.0, max=1.0, help="Share of the pictures for val.json.")
    ] = 0.1,
    as_json: Json = False,
) -> None:
    """Make pictures whose objects are known exactly: drawn, or pasted from your own labels.

    The annotations say whole masks, hidden shares, order of depth and origin, too.
    """
    from delineate.jobs import synth as job

    result = job.synth(
        out,
        images=images,
        classes=None if classes is None else [name.strip() for name in classes.split(",")],
        source=source,
        format=format,
        on_error=on_error.value,
        backgrounds=backgrounds,
        size=None if size is None else job.parsed_size(size),
        objects=None if objects is None else job.parsed_range(objects),
        seed=seed,
        val=val,
        say=say,
    )
    show(result, as_json, job.summary(result))
