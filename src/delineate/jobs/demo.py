"""`delineate demo`: the whole way on drawn scenes, by the jobs a user's own data would run."""

import json
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from delineate._files import make_folder
from delineate.core.draw import sheet
from delineate.core.image import read_image, write_image
from delineate.data.coco_write import write_coco
from delineate.data.synthetic import SyntheticScenes
from delineate.errors import OutputError
from delineate.jobs.evaluate import evaluate
from delineate.jobs.opening import Say
from delineate.jobs.pictures import OVERLAYS, RESULTS
from delineate.jobs.predict import predict
from delineate.jobs.train import train
from delineate.train.folder import CONFIG

SCENES = {"train": 320, "val": 40, "test": 40}
SIZE = (192, 192)
CLASSES = ("pebble", "leaf", "star", "ring")
SETTINGS = ("batch_size=4", "augment.scale=[0.7,1.3]", "validate_every=1.0")
"""Changes of the recipe for a run of minutes; docs/log.md has what was tried."""


def run(out: Path, *, minutes: float, seed: int, say: Say) -> dict[str, Any]:
    """Draw scenes, train, evaluate on held-out scenes and draw what was found.

    Args:
        out: Receives data/, run/ and test/.
        minutes: Time for the training; drawing and evaluation come on top.
        seed: Decides the scenes and the weights.
        say: Receives lines for the user.

    Returns:
        Paths and the metrics on the held-out scenes.
    """
    start = time.perf_counter()
    data, folder, held_out = out / "data", out / "run", out / "test"
    splits = {
        split: SyntheticScenes(count, size=SIZE, seed=1000 * seed + number, classes=CLASSES)
        for number, (split, count) in enumerate(SCENES.items())
    }
    _without_strangers(held_out / OVERLAYS, splits["test"])
    make_folder(out)
    say(f"1/4 drawing {sum(SCENES.values())} scenes into {data}")
    for split, scenes in splits.items():
        write_coco(data / f"{split}.json", scenes)
    say(f"2/4 training mask_rcnn_nano for {minutes:g} minutes into {folder}")
    settings = [f"budget.minutes={minutes}", f"seed={seed}", *SETTINGS]
    begun = (folder / CONFIG).is_file()
    train(data, folder, recipe="mask_rcnn_nano", settings=settings, resume=begun, say=say)
    say("3/4 measuring on scenes the model has never seen")
    metrics, table = evaluate(str(folder), data / "test.json", out=held_out, say=say)
    say(table)
    drawn = held_out / OVERLAYS
    say(f"4/4 drawing what it finds in them into {drawn}")
    overlays = _draw(_pictures(data / "test.json"), folder, held_out, say)
    return {
        "out": str(out),
        "run": str(folder),
        "report": str(held_out / "report.html"),
        "sheet": str(_write_sheet(held_out / "sheet.jpg", overlays)),
        "overlays": str(drawn),
        "minutes": round((time.perf_counter() - start) / 60, 2),
        **metrics,
    }


def _pictures(annotations: Path) -> list[Path]:
    images = json.loads(annotations.read_text())["images"]
    return [annotations.parent / "images" / image["file_name"] for image in images]


def _without_strangers(overlays: Path, scenes: SyntheticScenes) -> None:
    """Refuse a folder with pictures that are not this demo's: now, not after the training."""
    own = {Path(record.name).with_suffix(".jpg").name for record in scenes.records}
    found = overlays.iterdir() if overlays.is_dir() else ()
    if strangers := sorted(path.name for path in found if path.name not in own):
        raise OutputError(
            f"expected only pictures of this demo in {overlays}, found {strangers[0]}: choose "
            "another folder with --out, or remove it."
        )


def _draw(pictures: Sequence[Path], model: Path, held_out: Path, say: Say) -> list[Path]:
    """Return the overlays of `pictures`, which replace those of an earlier demo in this folder."""
    overlays = [held_out / OVERLAYS / f"{picture.stem}.jpg" for picture in pictures]
    for earlier in (held_out / RESULTS, *overlays):
        earlier.unlink(missing_ok=True)
    predict([str(picture) for picture in pictures], str(model), held_out, say=say)
    return overlays


def _write_sheet(path: Path, pictures: Sequence[Path]) -> Path:
    """Put the first pictures on one sheet."""
    shown = pictures[:8]
    images, names = [read_image(picture) for picture in shown], [picture.stem for picture in shown]
    write_image(path, sheet(images, names, cell=240))
    return path


def what_next(result: dict[str, Any]) -> str:
    """Return the closing words: what is where, and the same with the user's own pictures."""
    segm = result["segm"]
    return f"""
Done in {result["minutes"]} minutes. On scenes the model had never seen:
mask AP {segm["AP"]:.3f}, AP50 {segm["AP50"]:.3f}.

  pictures   {result["sheet"]}, all of them in {result["overlays"]}
  report     {result["report"]}
  model      {result["run"]}/best.safetensors

Now with your own pictures, labelled in COCO's format (train.json, val.json, images/):

  delineate train my-data --recipe mask_rcnn_nano --out my-run
  delineate evaluate my-run my-data/val.json
  delineate predict my-photos --model my-run --out found"""
