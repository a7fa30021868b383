"""The verbs of `delineate data`: prepare and check data sets."""

from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from delineate.cli_lists import formats, kinds
from delineate.cli_looks import stats, view
from delineate.cli_options import refuse
from delineate.cli_parts import (
    Broken,
    Device,
    Format,
    Images,
    Json,
    OnError,
    Only,
    say,
    several,
    show,
)
from delineate.cli_stop import tells_stop

data_app = typer.Typer(
    help="Prepare and check data sets.", no_args_is_help=True, rich_markup_mode=None
)


@data_app.command("check", epilog="Example: delineate data check my-data --fix mended")
@tells_stop
def check(
    context: typer.Context,
    data: Annotated[Path, typer.Argument(help="Data folder or file, in any format.")],
    fix: Annotated[
        Path | None,
        typer.Option(help="Write a copy here, all that is certain repaired, and list the changes."),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(help="For report.html, every finding on its picture, and findings.json."),
    ] = None,
    model: Annotated[
        str | None,
        typer.Option(help="Compare labels with this model's view, or with a predictions.json."),
    ] = None,
    device: Device = None,
    images: Images = None,
    format: Format = None,
    quick: Annotated[
        bool, typer.Option("--quick", help="Look at no pixels and no masks: a second or two.")
    ] = False,
    strict: Annotated[bool, typer.Option("--strict", help="Warnings count as errors.")] = False,
    only: Annotated[
        list[str] | None,
        typer.Option(
            metavar="KIND", help="Tell this kind alone, of `delineate data kinds`, or several: a,b."
        ),
    ] = None,
    ignore: Annotated[
        list[str] | None,
        typer.Option(metavar="KIND", help="Tell none of this kind, or of several: a,b."),
    ] = None,
    as_json: Json = False,
) -> None:
    """Find what is wrong with a data set: broken files, wrong masks, leaks, odd classes.

    Exit code 1 where errors stand, with --fix in the copy; what a --model says of labels, no
    repair mends, and it counts there, too. The source is never touched.
    """
    from delineate.jobs import check as job

    judge: job.Judge | None = None
    if model is None:
        refuse(context, "device", why="without --model, which is what it runs: leave it out.")
    elif Path(model).suffix.lower() == ".json":
        refuse(context, "device", why=f"with {model}, for which no model runs: leave it out.")
        from delineate.jobs.label_results import check_results

        judge = partial(check_results, results=Path(model), say=say)
    else:
        from delineate.jobs.label_check import check_labels

        judge = partial(check_labels, model=model, device=device, say=say)
    checked = job.check(
        data,
        fix=fix,
        out=out,
        judge=judge,
        images=images,
        format=format,
        quick=quick,
        only=several(only),
        ignore=several(ignore),
        say=say,
    )
    show(checked.to_json(), as_json, job.text(checked))
    if not checked.passes(strict=strict):
        raise typer.Exit(1)


data_app.command("kinds", epilog="Example: delineate data kinds")(kinds)


@data_app.command("convert", epilog="Example: delineate data convert my-labels out --to yolo")
@tells_stop
def convert(
    source: Annotated[Path, typer.Argument(help="Data folder or file, in any format.")],
    out: Annotated[Path, typer.Argument(help="The new folder.")],
    to: Annotated[str, typer.Option(help="Format to write; see `delineate data formats`.")],
    images: Images = None,
    format: Format = None,
    on_error: Broken = OnError.stop,
    strict: Annotated[
        bool, typer.Option("--strict", help="Write nothing where anything would be lost.")
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


data_app.command("formats", epilog="Example: delineate data formats")(formats)


@data_app.command(
    "synth", epilog="Example: delineate data synth made --from my-data/train.json --images 500"
)
@tells_stop
def synth(
    context: typer.Context,
    out: Annotated[Path, typer.Argument(help="The new folder.")],
    images: Annotated[int, typer.Option(min=1, help="Number of pictures.")] = 500,
    classes: Annotated[
        str | None,
        typer.Option(
            help="Classes, with commas between: of blob, polygon, tool, cell, text, pallet, box, "
            "wrench, hammer, screwdriver, screw, nut (default: the first seven); with --from, of "
            "the data's."
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

    if source is None:
        refuse(
            context,
            *("format", "on_error", "backgrounds"),
            why="without --from, the data whose objects are pasted: name them, or draw scenes "
            "without the option.",
        )
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


@data_app.command(
    "split", epilog="Example: delineate data split my-data divided --fractions train=0.8,val=0.2"
)
@tells_stop
def split(
    source: Annotated[Path, typer.Argument(help="Data; several splits are put together first.")],
    out: Annotated[Path, typer.Argument(help="The new data folder.")],
    fractions: Annotated[
        str, typer.Option(help="Shares of the images for train, val and test.")
    ] = "train=0.8,val=0.2",
    group_by: Annotated[
        list[str] | None,
        typer.Option(
            help="What stays together: near-duplicates, folder, a regular expression on the names "
            "whose first group is the key ('^(patient[0-9]+)_'), or none; may be repeated."
        ),
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="Another seed, another division.")] = 0,
    to: Annotated[
        str, typer.Option(help="Format to write; see `delineate data formats`.")
    ] = "coco",
    only: Only = None,
    images: Images = None,
    format: Format = None,
    copy: Annotated[
        bool, typer.Option(help="Copy the pictures, or write the annotations alone.")
    ] = True,
    on_error: Broken = OnError.stop,
    as_json: Json = False,
) -> None:
    """Divide data into train, val and test.

    Every part gets its share of every class, and of its small, medium and large objects; what
    belongs together stays together. The source is only read.
    """
    from delineate.jobs.split import split_data
    from delineate.jobs.split_report import summary

    result = split_data(
        source,
        out,
        fractions=fractions,
        seed=seed,
        group_by=group_by or (),
        to=to,
        only=several(only) or None,
        images=images,
        format=format,
        copy=copy,
        on_error=on_error.value,
        say=say,
    )
    show(result, as_json, summary(result))


data_app.command("stats", epilog="Example: delineate data stats my-data --out report")(stats)
data_app.command("view", epilog="Example: delineate data view my-data --out gallery.html --open")(
    view
)
