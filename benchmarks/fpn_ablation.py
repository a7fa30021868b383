"""What a feature pyramid is worth: Mask R-CNN with FPN against the same backbone without (C4).

    python benchmarks/fpn_ablation.py [DATA] --minutes 10 --seeds 1

Both are `mask_rcnn_nano` in everything but the neck: the same slim backbone, images, crops, anchor
sizes, budget in minutes and seeds. Without the pyramid (C4; Ren et al., 2015, He et al., 2017) one
map of stride 16 serves all sizes, and the backbone's last stage is the head of the regions. The two
train at the same moment, each pinned to half of the cores: whatever else the machine does slows
both. DATA is a folder with train.json and val.json, such as the nuclei; without it, scenes are
drawn whose objects span 8 to 256 pixels. Writes ``results/fpn_ablation_NAME.json`` after every
pair, and a picture of the curves. Linux only.
"""

import argparse
import json
import os
import statistics
import sys
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import matplotlib as mpl

from delineate.data.formats import open_splits
from delineate.data.sample import Dataset
from delineate.data.synthetic import SyntheticScenes
from delineate.recipes.mask_rcnn import mask_rcnn_nano
from delineate.train.config import BudgetConfig, DataConfig, TrainConfig
from delineate.train.log import Console
from delineate.train.loop import fit
from delineate.train.resolve import resolve
from machine import RESULTS, describe, save
from time_to_accuracy import ours, start, wait

mpl.use("agg")
from matplotlib import pyplot as plt

NECKS = {"fpn": "#0b6bcb", "c4": "#b5501b"}
MEASURES = ("AP", "AP50", "APs", "APm", "APl")
SIDE, LARGEST, SMALLEST = 512, 256, 8  # pixels of a drawn scene and of its objects


def scenes(count: int, seed: int) -> SyntheticScenes:
    """Return scenes whose objects span `SMALLEST` to `LARGEST` pixels, evenly by octaves."""
    radii = (SMALLEST / 2 / SIDE, LARGEST / 2 / SIDE)
    return SyntheticScenes(count, size=(SIDE, SIDE), seed=seed, objects=(16, 40), radii=radii)


def configs(train: Dataset, minutes: float, seed: int) -> dict[str, TrainConfig]:
    """Return the two configs, which differ in the neck only."""
    recipe = replace(
        mask_rcnn_nano(),
        budget=BudgetConfig(minutes=minutes),
        data=DataConfig(workers=0),
        seed=seed,
        validate_every=0.2,
    )
    fpn = resolve(recipe, train, accelerator="cpu")
    sizes = tuple(size for level in fpn.model.anchor_sizes for size in level)
    c4 = fpn.model.replace(neck="none", backbone_strides=(16,), anchor_sizes=(sizes,), mask_convs=0)
    return {"fpn": fpn, "c4": replace(fpn, model=c4)}


def summary(runs: list[dict[str, Any]]) -> dict[str, Any]:
    """Return mean measures of each neck, and the relative gain of the pyramid."""
    means = {
        neck: {
            name: round(statistics.mean(r["segm"][name] for r in runs if r["neck"] == neck), 4)
            for name in MEASURES
        }
        for neck in {run["neck"] for run in runs}
    }
    if means.keys() < NECKS.keys():
        return {"means": means}
    gains = {
        name: round(means["fpn"][name] / means["c4"][name] - 1, 3)
        for name in MEASURES
        if means["c4"][name] > 0
    }
    return {"means": means, "relative_gain_of_fpn": gains}


def draw(runs: list[dict[str, Any]], title: str, path: Path) -> None:
    """Draw AP over minutes."""
    figure, axes = plt.subplots(figsize=(5.6, 3.8), layout="constrained")
    for run in runs:
        points = [(0.0, 0.0), *((p["minutes"], p["AP"]) for p in run["curve"])]
        label = run["neck"].upper() if run["seed"] == 0 else None
        axes.plot(*zip(*points, strict=True), "o-", color=NECKS[run["neck"]], ms=3.5, label=label)
    axes.set(title=title, xlabel="minutes of training", ylabel="mask AP", xlim=(0, None))
    axes.set_ylim(0, None)
    axes.grid(alpha=0.3)
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(frameon=False)
    figure.savefig(path, dpi=130)


def splits_of(data: Path | None) -> dict[str, Dataset]:
    """Return what is learnt and what is measured."""
    if data is None:
        return {"train": scenes(400, seed=1), "val": scenes(60, seed=2)}
    return dict(open_splits(data, only=("train", "val")))


def train_one(data: Path | None, neck: str, minutes: float, seed: int, run: Path) -> None:
    """Train one of the two in this process."""
    splits = splits_of(data)
    config = configs(splits["train"], minutes, seed)[neck]
    fit(config, splits["train"], splits["val"], run, sinks=[Console()])


def train_pair(data: Path | None, minutes: float, seed: int, folder: Path) -> list[dict[str, Any]]:
    """Train both, each in a process on half of the cores; return what came out."""
    cores = sorted(os.sched_getaffinity(0))
    halves = cores[: len(cores) // 2], cores[len(cores) // 2 :]
    children = []
    for neck, half in zip(NECKS, halves, strict=True):
        command = [sys.executable, __file__, *([str(data)] if data else [])]
        command += ["--minutes", str(minutes), "--one", neck, str(seed), str(folder)]
        children.append(start(command, half, folder / f"{neck}_{seed}.log"))
    wait(children, folder)
    runs = []
    for neck in NECKS:
        run = folder / f"{neck}_{seed}"
        segm = json.loads((run / "metrics.json").read_text())["segm"]
        rounded = {name: round(value, 4) for name, value in segm.items()}
        runs.append({"neck": neck, "seed": seed, "segm": rounded, "curve": ours(run)})
    return runs


def main() -> None:
    """Train both, seed after seed."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", type=Path, nargs="?")
    parser.add_argument("--minutes", type=float, default=10)
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--one", nargs=3, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.one:
        neck, seed, place = options.one
        run = Path(place) / f"{neck}_{seed}"
        train_one(options.data, neck, options.minutes, int(seed), run)
        return
    name = f"fpn_ablation_{options.data.name if options.data else 'scenes'}"
    facts = {"minutes": options.minutes, "machine": describe("torch", "hotcoco")}
    runs: list[dict[str, Any]] = []
    folder = Path(tempfile.mkdtemp())
    print(f"runs and logs in {folder}", flush=True)
    for seed in range(options.seeds):
        runs += train_pair(options.data, options.minutes, seed, folder)
        save(name, facts | summary(runs) | {"runs": runs})
    draw(runs, name.removeprefix("fpn_ablation_"), RESULTS / f"{name}.png")
    print(json.dumps(summary(runs), indent=1))


if __name__ == "__main__":
    main()
