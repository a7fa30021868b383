"""Which augmentation wins: AP after equally long trainings with each preset, seed by seed.

    python benchmarks/augmentation.py DATA [DATA ...] [--steps 600 | --minutes 5] [--keep FOLDER]

Trains `mask_rcnn_nano` as ``delineate train DATA --augment PRESET --set seed=S`` does, one run
after the other, and takes the mask AP of the last validation: that of the final weights, so that no
preset gains by being validated at a lucky moment. With ``--steps``, results do not depend on what
else the machine does. Writes ``results/augmentation.json`` after every run, and a plot at the end;
with ``--keep``, runs that are finished are not trained again.
"""

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import matplotlib as mpl

from machine import RESULTS, describe, save

mpl.use("agg")
from matplotlib import pyplot as plt

PRESETS = ("none", "light", "standard", "strong")


def train(data: Path, preset: str, seed: int, budget: str, run: Path) -> dict[str, float]:
    """Train once, unless that is done, and return the measures of the final weights."""
    if not (run / "metrics.json").exists():
        words = ["train", str(data), "--augment", preset, "--out", str(run)]
        for setting in (budget, f"seed={seed}", "validate_every=0.5"):
            words += ["--set", setting]
        with run.with_suffix(".log").open("wb") as log:
            command = [sys.executable, "-m", "delineate.cli", *words]
            child = subprocess.run(command, stdout=log, stderr=log)
        if child.returncode:
            raise SystemExit(f"{run.name} failed: see {run.with_suffix('.log')}")
    lines = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    last = [line for line in lines if "segm" in line][-1]["segm"]
    return {name: round(last[name], 4) for name in ("AP", "AP50", "AP75")}


def draw(results: dict[str, dict[str, Any]], path: Path) -> None:
    """Draw every seed's AP, a panel a data set."""
    figure, panels = plt.subplots(
        1, len(results), figsize=(4.2 * len(results), 3.4), layout="constrained", squeeze=False
    )
    for axes, (data, rows) in zip(panels[0], results.items(), strict=True):
        for place, seeds in enumerate(rows.values()):
            values = [measures["AP"] for measures in seeds.values()]
            axes.plot([place] * len(values), values, "o", color="#0b6bcb", ms=5, alpha=0.7)
            axes.hlines(statistics.mean(values), place - 0.25, place + 0.25, color="#b5501b")
        axes.set_xticks(range(len(rows)), list(rows))
        axes.set(title=data, ylabel="mask AP, final weights", ylim=(0, None))
        axes.grid(axis="y", alpha=0.3)
        axes.spines[["top", "right"]].set_visible(False)
    figure.savefig(path, dpi=130)


def main() -> None:
    """Train what is missing, measure, write."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", type=Path, nargs="+")
    parser.add_argument("--steps", type=int, default=600)
    parser.add_argument("--minutes", type=float, help="instead of steps")
    parser.add_argument("--presets", nargs="+", default=PRESETS)
    parser.add_argument("--seeds", type=int, nargs="+", default=(0, 1))
    parser.add_argument("--keep", type=Path, help="folder for the runs themselves")
    options = parser.parse_args()
    minutes = options.minutes
    budget = f"budget.minutes={minutes}" if minutes else f"budget.steps={options.steps}"
    machine = describe("torch", "torchvision", "hotcoco")
    folder = options.keep or Path(tempfile.mkdtemp())
    folder.mkdir(parents=True, exist_ok=True)
    print(f"runs and logs in {folder}", flush=True)
    results: dict[str, dict[str, Any]] = {data.name: {} for data in options.data}
    for seed in options.seeds:
        for data in options.data:
            for preset in options.presets:
                run = folder / f"{data.name}_{preset}_{seed}"
                measures = train(data, preset, seed, budget, run)
                results[data.name].setdefault(preset, {})[f"seed {seed}"] = measures
                save("augmentation", {"budget": budget, "machine": machine, "results": results})
                print(data.name, preset, seed, measures["AP"], measures["AP50"], flush=True)
    draw(results, RESULTS / "augmentation.png")


if __name__ == "__main__":
    main()
