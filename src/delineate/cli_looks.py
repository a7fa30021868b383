"""The verbs of `delineate data` that look alone: statistics and pictures of a data set."""

from pathlib import Path
from typing import Annotated, Any

import typer

from delineate.cli_options import refuse
from delineate.cli_parts import Broken, Format, Images, Json, OnError, Only, say, several, show
from delineate.cli_stop import tells_stop


@tells_stop
def stats(
    data: Annotated[Path, typer.Argument(help="Data folder or file, in any format.")],
    out: Annotated[
        Path | None, typer.Option(help="Folder for stats.html and stats.json; default: none.")
    ] = None,
    only: Only = None,
    images: Images = None,
    format: Format = None,
    on_error: Broken = OnError.stop,
    as_json: Json = False,
) -> None:
    """Count what data are made of, and say whether rare classes should be shown more often.

    Sizes, crowding, occlusion, shape and balance, of every split and together.
    """
    from delineate.jobs import stats as job

    result, text = job.stats(
        data,
        out=out,
        only=several(only) or None,
        images=images,
        format=format,
        on_error=on_error.value,
        say=say,
    )
    show(result, as_json, text)


@tells_stop
def view(
    context: typer.Context,
    data: Annotated[Path, typer.Argument(help="Data folder or file, in any format.")],
    out: Annotated[
        Path | None,
        typer.Option(help="The page, or picture; default: gallery.html, or augmented.png."),
    ] = None,
    limit: Annotated[
        int | None, typer.Option(min=1, help="Show at most so many images, evenly spread.")
    ] = None,
    shows: Annotated[
        str | None, typer.Option("--class", help="Only images that show this class.")
    ] = None,
    augment: Annotated[
        str | None,
        typer.Option(
            metavar="PRESET", help="Instead, a sheet of what a training with it would see."
        ),
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="With --augment: that of the training.")] = 0,
    findings: Annotated[
        Path | None,
        typer.Option(help="findings.json of `data check --out`, to filter by and to read."),
    ] = None,
    browse: Annotated[bool, typer.Option("--open", help="Open it in the browser.")] = False,
    only: Only = None,
    images: Images = None,
    format: Format = None,
    on_error: Broken = OnError.stop,
    as_json: Json = False,
) -> None:
    """Show every image with its objects on one page, to search and to filter.

    Up to 2,000 images the page is a single file; beyond, a folder of small pictures lies beside it.
    """
    from delineate.jobs import view as job

    common: dict[str, Any] = {
        "limit": limit,
        "shows": shows,
        "only": several(only) or None,
        "images": images,
        "format": format,
        "on_error": on_error.value,
        "show": browse,
        "say": say,
    }
    if augment is None:
        refuse(context, "seed", why="without --augment, whose seed it is: give both, or neither.")
    else:
        refuse(context, "findings", why="with --augment: leave one of the two out.")
        out = out or Path("augmented.png")
        result = job.view_augmented(data, out, preset=augment, seed=seed, **common)
        show(result, as_json, f"sheet in {out}")
        return
    result = job.view(data, out or Path("gallery.html"), findings=findings, **common)
    show(result, as_json, job.summary(result))
