"""The small models of all families, trained from random weights for the same time, side by side.

    python benchmarks/families.py DATA [DATA ...] --minutes 15

Trains each recipe on each data set as ``delineate train DATA --recipe R`` does, one after the
other, so that each has the whole machine; then measures how long each trained model takes for an
image, the models in turn, image by image. Writes ``results/families.json`` after every run, so that
what is measured is kept, and ``results/families.png``. With ``--keep`` of a folder that holds
finished runs, only what is missing is trained. Linux only.
"""

import argparse
import json
import re
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import matplotlib as mpl

from delineate import Predictor, load, open_dataset
from machine import RESULTS, describe, save
from time_to_accuracy import ours

mpl.use("agg")
from matplotlib import pyplot as plt

RECIPES = ("mask_rcnn_nano", "yolact_nano", "detr_nano")
COLOURS = dict(zip(RECIPES, ("#0b6bcb", "#b5501b", "#2c8a4b"), strict=True))
_TIMED = 30  # images over which the latency is the median


def train(data: Path, recipe: str, minutes: float, run: Path) -> dict[str, Any]:
    """Train one recipe; return its peak memory, written beside the run."""
    facts = run.with_suffix(".json")
    if not facts.exists():
        words = ["train", str(data), "--recipe", recipe, "--out", str(run)]
        for setting in (f"budget.minutes={minutes}", "validate_every=0.2", "log_every=1"):
            words += ["--set", setting]
        with run.with_suffix(".log").open("wb") as log:
            child = subprocess.Popen(
                [sys.executable, "-m", "delineate.cli", *words], stdout=log, stderr=log
            )
            peak = 0
            while child.poll() is None:
                peak = max(peak, _peak_kilobytes(child.pid))
                time.sleep(1)
        if child.returncode:
            raise SystemExit(f"{recipe} on {data.name} failed: see {run.with_suffix('.log')}")
        facts.write_text(json.dumps({"peak_memory_gb": round(peak / 1e6, 2)}))
    return dict(json.loads(facts.read_text()))


def _peak_kilobytes(pid: int) -> int:
    """Return the largest memory a process has held so far, 0 where it has ended."""
    try:
        status = Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return 0
    found = re.search(r"VmHWM:\s+(\d+) kB", status)
    return int(found[1]) if found else 0


def learnt(run: Path) -> dict[str, Any]:
    """Return the measures of a finished run: its best checkpoint, its pace, its curve."""
    best = json.loads((run / "metrics.json").read_text())["segm"]
    lines = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    pace = [line["images_per_second"] for line in lines if "images_per_second" in line]
    return {
        **{name: round(best[name], 4) for name in ("AP", "AP50", "AP75")},
        "training_images_per_second": round(statistics.median(pace), 2),
        "parameters": sum(p.numel() for p in load(run).parameters()),
        "curve": ours(run),
    }


def latencies(runs: dict[str, Path], annotations: Path) -> dict[str, float]:
    """Return the median seconds from an image to its instances, of each model."""
    data = open_dataset(annotations)
    predictors = {recipe: Predictor(load(run)) for recipe, run in runs.items()}
    seconds: dict[str, list[float]] = {recipe: [] for recipe in runs}
    for index in range(min(_TIMED, len(data))):
        image = data[index].image
        for recipe, predictor in predictors.items():
            if index == 0:
                predictor(image)
            began = time.perf_counter()
            predictor(image)
            seconds[recipe].append(time.perf_counter() - began)
    return {recipe: statistics.median(values) for recipe, values in seconds.items()}


def draw(results: dict[str, dict[str, Any]], minutes: float, path: Path) -> None:
    """Draw AP over minutes, one panel a data set."""
    figure, panels = plt.subplots(
        1, len(results), figsize=(5.2 * len(results), 3.8), layout="constrained", squeeze=False
    )
    for axes, (data, rows) in zip(panels[0], results.items(), strict=True):
        for recipe, row in rows.items():
            points = [(0.0, 0.0), *((p["minutes"], p["AP"]) for p in row["curve"])]
            axes.plot(*zip(*points, strict=True), "o-", color=COLOURS.get(recipe), ms=3.5)
            axes.annotate(recipe, points[-1], xytext=(4, 0), textcoords="offset points", fontsize=8)
        axes.set(title=data, xlabel="minutes of training", xlim=(0, 1.3 * minutes), ylim=(0, None))
        axes.set_ylabel("mask AP on the validation split")
        axes.grid(alpha=0.3)
        axes.spines[["top", "right"]].set_visible(False)
    figure.savefig(path, dpi=130)


def main() -> None:
    """Train what is missing, measure, write."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", type=Path, nargs="+")
    parser.add_argument("--minutes", type=float, default=15)
    parser.add_argument("--recipes", nargs="+", default=RECIPES)
    parser.add_argument("--keep", type=Path, help="folder for the runs themselves")
    options = parser.parse_args()
    machine = describe("torch", "torchvision", "hotcoco")
    folder = options.keep or Path(tempfile.mkdtemp())
    folder.mkdir(parents=True, exist_ok=True)
    print(f"runs and logs in {folder}", flush=True)
    results: dict[str, dict[str, Any]] = {}
    for data in options.data:
        rows = results[data.name] = {}
        runs = {recipe: folder / f"{data.name}_{recipe}" for recipe in options.recipes}
        for recipe, run in runs.items():
            rows[recipe] = train(data, recipe, options.minutes, run) | learnt(run)
            save("families", {"minutes": options.minutes, "machine": machine, "results": results})
            print(data.name, recipe, rows[recipe]["AP"], rows[recipe]["AP50"], flush=True)
        for recipe, seconds in latencies(runs, data / "val.json").items():
            rows[recipe]["latency_ms"] = round(1000 * seconds, 1)
    print(save("families", {"minutes": options.minutes, "machine": machine, "results": results}))
    draw(results, options.minutes, RESULTS / "families.png")


if __name__ == "__main__":
    main()
