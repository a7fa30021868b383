"""`delineate demo`: the whole way on drawn scenes, by the jobs a user's own data would run."""

import json
import time
from pathlib import Path
from typing import Any

from delineate._files import make_folder
from delineate.data.coco_write import write_coco
from delineate.data.synthetic import SyntheticScenes
from delineate.jobs.evaluate import evaluate
from delineate.jobs.opening import Say
from delineate.jobs.predict import predict
from delineate.jobs.train import train

SCENES = {"train": 320, "val": 40, "test": 40}
SIZE = (192, 192)
SETTINGS = ("batch_size=4", "augment.scale=[0.7,1.3]", "validate_every=0.5")
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
    make_folder(out)
    say(f"1/4 drawing {sum(SCENES.values())} scenes into {data}")
    for number, (split, count) in enumerate(SCENES.items()):
        scenes = SyntheticScenes(count, size=SIZE, seed=1000 * seed + number)
        write_coco(data / f"{split}.json", scenes)
    say(f"2/4 training maskrcnn_nano for {minutes:g} minutes into {folder}")
    settings = [f"budget.minutes={minutes}", f"seed={seed}", *SETTINGS]
    train(data, folder, recipe="mask_rcnn_nano", settings=settings, resume=True, say=say)
    say("3/4 measuring on scenes the model has never seen")
    metrics, table = evaluate(str(folder), data / "test.json", out=held_out, say=say)
    say(table)
    say(f"4/4 drawing what it finds in them into {held_out / 'overlays'}")
    pictures = [str(path) for path in _pictures(data / "test.json")]
    predict(pictures, str(folder), held_out, say=say)
    return {
        "out": str(out),
        "run": str(folder),
        "report": str(held_out / "report.html"),
        "overlays": str(held_out / "overlays"),
        "minutes": round((time.perf_counter() - start) / 60, 2),
        **metrics,
    }


def _pictures(annotations: Path) -> list[Path]:
    images = json.loads(annotations.read_text())["images"]
    return [annotations.parent / "images" / image["file_name"] for image in images]


def what_next(result: dict[str, Any]) -> str:
    """Return the closing words: what is where, and the same with the user's own pictures."""
    segm = result["segm"]
    return f"""
Done in {result["minutes"]} minutes. On scenes the model had never seen:
mask AP {segm["AP"]:.3f}, AP50 {segm["AP50"]:.3f}.

  pictures   {result["overlays"]}
  report     {result["report"]}
  model      {result["run"]}/best.safetensors

Now with your own pictures, labelled in COCO's format (train.json, val.json, images/):

  delineate train my-data --recipe mask_rcnn_nano --out my-run
  delineate evaluate my-run my-data/val.json
  delineate predict my-photos --model my-run --out found"""
