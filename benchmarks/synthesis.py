"""Do made pictures help? Training on few real images, with and without cut-and-paste from them.

    python benchmarks/synthesis.py DATA [--minutes 10 | --steps 400] [--keep RUNS]

DATA is the folder of the nuclei of DSB 2018, with mini_train.json and mini_val.json. For each seed
the images are shuffled, and the first k of them are the training set: nested, and the same with and
without made pictures, which come from these k images alone. The weights at the end of the budget
are measured on mini_val; nothing is chosen by it. Writes ``results/synthesis.json`` after every run
and ``results/synthesis.png``; what the file holds already, under the same budget, is not run again.
"""

import argparse
import json
import tempfile
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np

from delineate import open_dataset
from delineate.data.derived import Subset
from delineate.recipes.mask_rcnn import mask_rcnn_nano
from delineate.train.config import with_settings
from delineate.train.loop import fit
from machine import RESULTS, describe, save
from nuclei import measure

mpl.use("agg")
from matplotlib import pyplot as plt

NAME = "synthesis"
COUNTS = (4, 16, 48)
SEEDS = (0, 1)
COLOURS = {"real alone": "#555555", "real and made": "#0b6bcb"}
_LIMIT = "at most 500 detections"


def train(data: Path, count: int, seed: int, share: float, budget: str, run: Path) -> Path:
    """Train on the first `count` images of a seed's order; return the run folder."""
    images = open_dataset(data / "mini_train.json")
    chosen = np.random.default_rng(seed).permutation(len(images))[:count]
    settings = [budget, f"seed={seed}", "data.val_fraction=0", f"data.synthetic={share}"]
    config = with_settings(mask_rcnn_nano(), settings)
    fit(config, Subset(images, np.sort(chosen)), None, run, resume=True)
    return run


def facts(run: Path, data: Path) -> dict[str, Any]:
    """Return what a finished run has come to."""
    found = measure(run, data / "mini_val.json")[_LIMIT]
    done = json.loads((run / "metrics.json").read_text())
    return {
        **{name: found[name] for name in ("AP", "AP50", "AP75")},
        "steps": done["step"],
        "minutes": done["minutes"],
    }


def draw(runs: list[dict[str, Any]], budget: str, path: Path) -> None:
    """Draw AP over the number of real images: a point for each run, a line through their means."""
    figure, axes = plt.subplots(figsize=(5.6, 4), layout="constrained")
    for kind, colour in COLOURS.items():
        rows = [run for run in runs if run["kind"] == kind]
        counts = sorted({run["real_images"] for run in rows})
        means = [np.mean([r["AP"] for r in rows if r["real_images"] == k]) for k in counts]
        axes.plot(
            [r["real_images"] for r in rows], [r["AP"] for r in rows], "o", color=colour, ms=4
        )
        axes.plot(counts, means, "-", color=colour, label=kind)
    axes.set(
        xscale="log",
        xlabel="real images",
        ylabel="mask AP on mini_val",
        ylim=(0, None),
        xlim=(3, 64),
    )
    axes.set_xticks(COUNTS, [str(count) for count in COUNTS])
    axes.minorticks_off()
    axes.set_title(f"nuclei, {budget.removeprefix('budget.').replace('=', ': ')} each", fontsize=10)
    axes.legend(frameon=False, fontsize=9)
    axes.grid(alpha=0.3)
    axes.spines[["top", "right"]].set_visible(False)
    figure.savefig(path, dpi=130)


def earlier(setup: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the runs that the file of results holds already."""
    path = RESULTS / f"{NAME}.json"
    if not path.exists():
        return []
    known = json.loads(path.read_text())
    if known["setup"] != setup:
        raise SystemExit(f"{path} holds runs of {known['setup']}, not of {setup}: move it away.")
    return list(known["runs"])


def main() -> None:
    """Train what is missing, measure, write, draw."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", type=Path)
    parser.add_argument("--minutes", type=float, default=10, help="of training, each run")
    parser.add_argument("--steps", type=int, help="instead of minutes, where the machine is busy")
    parser.add_argument("--share", type=float, default=0.5, help="of made samples in an epoch")
    parser.add_argument("--counts", type=int, nargs="+", default=COUNTS)
    parser.add_argument("--seeds", type=int, nargs="+", default=SEEDS)
    parser.add_argument("--keep", type=Path, help="folder for the runs themselves")
    options = parser.parse_args()
    by_clock = options.steps is None
    budget = f"budget.minutes={options.minutes}" if by_clock else f"budget.steps={options.steps}"
    setup = {"recipe": "mask_rcnn_nano", "budget": budget, "share": options.share}
    runs, machine = earlier(setup), describe("torch", "torchvision", "hotcoco")
    folder = options.keep or Path(tempfile.mkdtemp())
    print(f"runs in {folder}", flush=True)
    shares = dict(zip(COLOURS, (0.0, options.share), strict=True))
    wanted = [(k, s, kind) for k in options.counts for s in options.seeds for kind in shares]
    done = {(run["real_images"], run["seed"], run["kind"]) for run in runs}
    for count, seed, kind in wanted:
        if (count, seed, kind) in done:
            continue
        run = folder / f"{count}_{seed}_{kind.replace(' ', '_')}"
        train(options.data, count, seed, shares[kind], budget, run)
        row = {"real_images": count, "seed": seed, "kind": kind, **facts(run, options.data)}
        runs.append(row | {"load_average": describe()["load_average_1min"]})
        save(NAME, {"setup": setup, "machine": machine, "runs": runs})
        print(runs[-1], flush=True)
    draw(runs, budget, RESULTS / f"{NAME}.png")


if __name__ == "__main__":
    main()
