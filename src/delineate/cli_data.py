"""The verbs about data: `delineate data ...`."""

from pathlib import Path
from typing import Annotated

import typer

from delineate.cli_options import Broken, Images, Json, OnError, say, show

data_app = typer.Typer(
    help="Look at data, check them, divide them.", no_args_is_help=True, rich_markup_mode=None
)

Only = Annotated[
    list[str] | None,
    typer.Option(metavar="SPLIT", help="Take this split alone; may be repeated. Default: all."),
]


@data_app.command(
    "split", epilog="Example: delineate data split my-data divided --fractions train=0.8,val=0.2"
)
def data_split(
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
    only: Only = None,
    images: Images = None,
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
        only=only,
        images=images,
        copy=copy,
        on_error=on_error.value,
        say=say,
    )
    show(result, as_json, summary(result))
