"""Which augmentation wins: AP after equally long trainings with each preset, seed by seed.

    python benchmarks/augmentation.py DATA [DATA ...] [--steps 1200 | --minutes 5] [--keep FOLDER]

Trains `mask_rcnn_nano` as ``delineate train DATA --augment PRESET --set seed=S`` does; "recipe"
stands for what the recipe has without ``--augment``. It takes the mask AP of the last validation:
that of the final weights, so that no preset gains by being validated at a lucky moment. With
``--steps``, results do not depend on what else the machine does, and runs can go side by side:
``--parallel 8`` suits a GPU beside 16 cores. Writes ``results/augmentation.json`` after every run,
and a plot at the end; with ``--keep``, runs that are finished are not trained again, and those that
were stopped go on.
"""

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import asdict
from pathlib import Path
from typing import Any

import matplotlib as mpl
import torch

from delineate.train.config import with_settings
from delineate.train.folder import LINES, METRICS, saved_config
from machine import RESULTS, describe, save

mpl.use("agg")
from matplotlib import pyplot as plt

RECIPE = "recipe"
PRESETS = ("none", "light", RECIPE, "standard", "strong")


def train(
    data: Path, preset: str, seed: int, budget: str, run: Path, settings: list[str]
) -> dict[str, float]:
    """Train once, or go on, unless that is done, and return the measures of the final weights.

    Raises:
        SystemExit: The training fails, or the folder holds a run of another budget.
    """
    kept = saved_config(run)
    if kept is not None and with_settings(kept, [budget]) != kept:
        [own] = [f"budget.{k}={v:g}" for k, v in asdict(kept.budget).items() if v is not None]
        raise SystemExit(
            f"{run} should hold a run of {budget}, but holds one of {own}: choose another folder "
            "with --keep."
        )
    if not (run / METRICS).exists():
        words = ["train", str(data), "--out", str(run)]
        if kept is not None:
            words.append("--resume")
        else:
            if preset != RECIPE:
                words += ["--augment", preset]
            for setting in (budget, f"seed={seed}", "validate_every=0.5", *settings):
                words += ["--set", setting]
        with run.with_suffix(".log").open("ab") as log:
            command = [sys.executable, "-m", "delineate.cli", *words]
            child = subprocess.run(command, stdout=log, stderr=log)
        if child.returncode:
            raise SystemExit(f"{run.name} failed: see {run.with_suffix('.log')}")
    lines = [json.loads(line) for line in (run / LINES).read_text().splitlines()]
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
        axes.set(title=data, ylabel="mask AP, final weights", ylim=(0, 1.1 * axes.get_ylim()[1]))
        axes.grid(axis="y", alpha=0.3)
        axes.spines[["top", "right"]].set_visible(False)
    figure.savefig(path, dpi=130)


def in_order(
    done: Mapping[tuple[str, str, int], dict[str, float]],
) -> dict[str, dict[str, dict[str, dict[str, float]]]]:
    """Return data -> preset -> seed -> measures, however the runs came in."""
    results: dict[str, dict[str, dict[str, dict[str, float]]]] = {}
    for data, preset, seed in sorted(done, key=lambda run: (run[0], PRESETS.index(run[1]), run[2])):
        measures = done[data, preset, seed]
        results.setdefault(data, {}).setdefault(preset, {})[f"seed {seed}"] = measures
    return results


def main() -> None:
    """Train what is missing, measure, write."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", type=Path, nargs="+")
    parser.add_argument("--steps", type=int, default=1200)
    parser.add_argument("--minutes", type=float, help="instead of steps")
    parser.add_argument("--presets", nargs="+", default=PRESETS, choices=PRESETS)
    parser.add_argument("--seeds", type=int, nargs="+", default=(0, 1))
    parser.add_argument("--keep", type=Path, help="folder for the runs themselves")
    parser.add_argument("--parallel", type=int, default=1, help="runs at a time")
    parser.add_argument("--set", nargs="+", default=[], help="settings of every run")
    parser.add_argument("--name", default="augmentation", help="of the results' files")
    options = parser.parse_args()
    names = [data.name for data in options.data]
    if len(set(names)) < len(names):
        parser.error(f"data sets should have different names, but are called {', '.join(names)}")
    minutes = options.minutes
    budget = f"budget.minutes={minutes}" if minutes else f"budget.steps={options.steps}"
    about = {
        "budget": budget,
        "settings": options.set,
        "device": torch.cuda.get_device_name() if torch.cuda.is_available() else "cpu",
        "machine": describe("torch", "torchvision", "hotcoco"),
    }
    folder = options.keep or Path(tempfile.mkdtemp())
    folder.mkdir(parents=True, exist_ok=True)
    print(f"runs and logs in {folder}", flush=True)
    done: dict[tuple[str, str, int], dict[str, float]] = {}
    with ThreadPoolExecutor(options.parallel) as pool:
        runs = {
            pool.submit(
                train,
                data,
                preset,
                seed,
                budget,
                folder / f"{data.name}_{preset}_{seed}",
                options.set,
            ): (data.name, preset, seed)
            for seed in options.seeds
            for data in options.data
            for preset in options.presets
        }
        for run in as_completed(runs):
            done[runs[run]] = run.result()
            save(options.name, about | {"results": in_order(done)})
            print(*runs[run], *run.result().values(), flush=True)
    draw(in_order(done), RESULTS / f"{options.name}.png")


if __name__ == "__main__":
    main()
