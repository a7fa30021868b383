"""The command line: one thin verb per job, so that ``--help`` answers before torch is awake.

What a machine may rely on: ``--json`` prints one JSON object on stdout and nothing else; progress
and warnings go to stderr; exit codes are 0 good, 1 a check failed, 2 the input was wrong (one
sentence), 130 interrupted and 143 ended by SIGTERM (nothing lost).
"""

import re
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import typer

from delineate.cli_data import data_app
from delineate.cli_errors import UsageError, usage_sentence
from delineate.cli_options import refuse
from delineate.cli_parts import Broken, Device, Format, Images, Json, OnError, say, show
from delineate.cli_stop import INTERRUPTED, is_stop, sigterm_as_ctrl_c, tells_stop
from delineate.errors import ConfigError, DelineateError

app = typer.Typer(
    name="delineate",
    help="Instance segmentation from the first label to production.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
models_app = typer.Typer(help="The models there are.", no_args_is_help=True, rich_markup_mode=None)
app.add_typer(models_app, name="models")
app.add_typer(data_app, name="data")


@app.command(epilog="Example: delineate demo --out my-demo")
def demo(
    out: Annotated[Path, typer.Option(help="Where all is written.")] = Path("delineate-demo"),
    minutes: Annotated[float, typer.Option(min=0.05, help="Time for the training.")] = 4.2,
    seed: Annotated[int, typer.Option(min=0, help="Other scenes, other weights.")] = 0,
    as_json: Json = False,
) -> None:
    """Show the whole way on drawn scenes.

    Data, training, evaluation, pictures and a report, without a download.
    """
    from delineate.jobs import demo as demonstration

    result = demonstration.run(out, minutes=minutes, seed=seed, say=say)
    show(result, as_json, demonstration.what_next(result))


@app.command(epilog="Example: delineate train my-data --out run --set optim.lr=1e-3")
def train(
    context: typer.Context,
    data: Annotated[Path, typer.Argument(help="Data folder with splits, or a file; any format.")],
    recipe: Annotated[str, typer.Option(help="What to train.")] = "mask_rcnn_nano",
    out: Annotated[Path, typer.Option(help="The run folder.")] = Path("runs/train"),
    augment: Annotated[
        str | None, typer.Option(help="none, light, standard, strong; default: the recipe's own.")
    ] = None,
    settings: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="KEY=VALUE", help="Change the recipe; may be repeated."),
    ] = None,
    images: Images = None,
    format: Format = None,
    on_error: Broken = OnError.stop,
    device: Device = None,
    resume: Annotated[bool, typer.Option("--resume", help="Go on with the run in --out.")] = False,
    as_json: Json = False,
) -> None:
    """Train a model on your data.

    The run folder gets the best checkpoint, its metrics and a report.
    """
    if resume:
        refuse(
            context,
            "recipe",
            why="with --resume, as a run goes on with the recipe that it began with: leave one of "
            "the two out.",
        )
    from delineate.jobs import train as job

    result = job.train(
        data,
        out,
        recipe=recipe,
        settings=[*([f"augment.preset={augment}"] if augment else []), *(settings or [])],
        images=images,
        device=device,
        format=format,
        on_error=on_error.value,
        resume=resume,
        say=say,
    )
    show(result, as_json, job.summary(result))


@app.command(epilog="Example: delineate evaluate run my-data/val.json")
@tells_stop
def evaluate(
    context: typer.Context,
    model: Annotated[
        str, typer.Argument(help="Run folder, checkpoint, name:tag, or predictions.json.")
    ],
    data: Annotated[Path, typer.Argument(help="Annotations, or a data folder with a split val.")],
    out: Annotated[
        Path | None,
        typer.Option(
            help="For metrics.json and, without --panoptic, report.html; default: in a run."
        ),
    ] = None,
    images: Images = None,
    format: Format = None,
    device: Device = None,
    on_error: Broken = OnError.stop,
    max_dets: Annotated[
        int, typer.Option(min=1, max=10**9, help="Predictions of a class in an image that count.")
    ] = 100,
    panoptic: Annotated[
        bool, typer.Option("--panoptic", help="PQ of segments (COCO's panoptic JSON and PNGs).")
    ] = False,
    as_json: Json = False,
) -> None:
    """Measure a model as COCO does.

    COCO counts the 100 best predictions; images of more objects need a larger --max-dets.
    A file of predictions in COCO's result format is measured, too.
    """
    if panoptic:
        refuse(
            context,
            "max_dets",
            why="with --panoptic, which counts every segment: leave one of the two out.",
        )
    if Path(model).suffix.lower() == ".json":
        refuse(
            context,
            *("images", "format", "device", "on_error"),
            why=f"with {model}, which is measured as it stands, without a model or pictures: name "
            "a model to evaluate, or leave the option out.",
        )
        if panoptic:
            from delineate.jobs.evaluate_panoptic_results import evaluate_panoptic_results

            result, table = evaluate_panoptic_results(Path(model), data, out=out, say=say)
        else:
            from delineate.jobs.evaluate_results import evaluate_results

            result, table = evaluate_results(Path(model), data, out=out, limit=max_dets, say=say)
        show(result, as_json, table)
        return
    job: Callable[..., tuple[dict[str, Any], str]]
    if panoptic:
        from delineate.jobs.evaluate_panoptic import evaluate_panoptic as job
    else:
        from delineate.jobs.evaluate import evaluate as measure

        job = partial(measure, limit=max_dets)
    result, table = job(
        model,
        data,
        out=out,
        images=images,
        device=device,
        format=format,
        on_error=on_error.value,
        say=say,
    )
    show(result, as_json, table)


@app.command(epilog="Example: delineate predict photos/ --model run --out found")
def predict(
    context: typer.Context,
    sources: Annotated[list[str], typer.Argument(help="Pictures, folders, or patterns.")],
    model: Annotated[str, typer.Option(help="Run folder, checkpoint, or name:tag.")],
    out: Annotated[Path, typer.Option(help="Where results are written.")] = Path("predictions"),
    score: Annotated[
        float, typer.Option(min=0.0, max=1.0, help="Leave out what scores less.")
    ] = 0.5,
    overlays: Annotated[bool, typer.Option(help="Write pictures with the objects drawn.")] = True,
    label_masks: Annotated[
        bool, typer.Option("--label-masks", help="Write 16-bit PNGs of object numbers.")
    ] = False,
    batch_size: Annotated[int, typer.Option(min=1, help="Pictures at a time.")] = 1,
    device: Device = None,
    on_error: Broken = OnError.stop,
    panoptic: Annotated[
        bool, typer.Option("--panoptic", help="Segments, by the model's own rules.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Find the objects in pictures.

    Writes overlays, COCO results and, where asked for, label masks; with --panoptic, overlays,
    panoptic.json and its maps.
    """
    common: dict[str, Any] = {"overlays": overlays, "device": device, "on_error": on_error.value}
    if panoptic:
        refuse(
            context,
            *("score", "label_masks", "batch_size"),
            why="with --panoptic, which answers by the rules of the model's family: leave the one "
            "or the other out.",
        )
        from delineate.jobs.pictures import summary
        from delineate.jobs.predict_panoptic import predict_panoptic

        result = predict_panoptic(sources, model, out, **common, say=say)
        show(result, as_json, summary(result, "segment"))
        return
    from delineate.jobs.pictures import summary
    from delineate.jobs.predict import predict as predict_objects

    result = predict_objects(
        sources,
        model,
        out,
        score=score,
        label_masks=label_masks,
        batch_size=batch_size,
        say=say,
        **common,
    )
    show(result, as_json, summary(result, "object"))


@models_app.command("list", epilog="Example: delineate models list")
def models_list(
    commercial_only: Annotated[
        bool,
        typer.Option("--commercial-only", help="Only weights whose licence allows commercial use."),
    ] = False,
    as_json: Json = False,
) -> None:
    """List the models, and the published weights of each: AP, size, licence."""
    from delineate.jobs.models import model_rows, model_table

    rows = model_rows(commercial_only=commercial_only)
    show({"models": rows}, as_json, model_table(rows))


@models_app.command("show", epilog="Example: delineate models show maskrcnn_resnet50_fpn")
def models_show(
    name: Annotated[str, typer.Argument(help="A name from the list, or a checkpoint.")],
    as_json: Json = False,
) -> None:
    """Show what a model is made of: options, parameters, preprocessing, weights."""
    from delineate.jobs.models import model_text, show_model

    shown = show_model(name)
    show(shown, as_json, model_text(shown))


@models_app.command(
    "convert", epilog="Example: delineate models convert model_final.pkl --out mine.safetensors"
)
@tells_stop
def models_convert(
    file: Annotated[Path, typer.Argument(help="Checkpoint of another program, or of ours.")],
    out: Annotated[Path, typer.Option(help="Where the result is written.")],
    to: Annotated[
        str | None,
        typer.Option(help="Write for torchvision, detectron2, detr, yolact or huggingface."),
    ] = None,
    classes: Annotated[
        Path | None, typer.Option(help="JSON with the names of the classes; or a COCO file.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Bring a checkpoint of another program into our format, or one of ours into another's.

    The program is recognised by the names of the entries; nothing in the file is run.
    """
    from delineate.jobs.convert import convert_file, summary

    result = convert_file(file, out, to=to, classes=classes)
    show(result, as_json, summary(result))


_NO_VALUE = re.compile("--[a-z-]+=")


def main() -> None:
    """Run the command line; every expected failure is one sentence and an exit code."""
    with sigterm_as_ctrl_c():
        _run()


def _run() -> None:
    try:
        if any(word == "" or _NO_VALUE.fullmatch(word) for word in sys.argv[1:]):
            raise ConfigError(
                "expected a value for every option and argument, got an empty one: look for a "
                "shell variable that is not set."
            )
        sys.exit(app(standalone_mode=False))
    except UsageError as error:
        say(usage_sentence(error, typer.main.get_command(app), sys.argv[1:]))
        sys.exit(2)
    except DelineateError as error:
        say(f"delineate: {error}")
        sys.exit(2)
    except OSError as error:
        where = f" {error.filename}" if error.filename else " a file or folder"
        say(f"delineate: the system refuses{where}: {error.strerror}; check the path, then again.")
        sys.exit(2)
    except typer.Abort:  # what Typer makes of EOFError
        say("delineate: stopped, for the input ended too early: check it, then again.")
        sys.exit(INTERRUPTED)
    except (MemoryError, RuntimeError) as error:
        if is_stop(error):
            sys.exit(INTERRUPTED)
        if not isinstance(error, MemoryError) and "out of memory" not in str(error).lower():
            raise
        say(
            "delineate: memory is full: lower the batch size, the size of pictures or, in training,"
            " augment.crop."
        )
        sys.exit(2)


if __name__ == "__main__":
    main()
