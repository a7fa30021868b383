"""What balancing is worth to a rare class: one of 100 objects, AP with and without.

    python benchmarks/balance.py --steps 1000 --seeds 2

Drawn scenes of bricks, and a few in which leaves lie among bricks: about 100 bricks to a leaf. Both
have the same sizes and places and several colours in common, so whoever has seen too few leaves
calls them bricks. `mask_rcnn_nano` learns for equally many steps (or ``--minutes``) from each image
once an epoch, with repeat factors, drawn by class, and with weights in the loss (of two strengths),
on the same scenes and from the same first weights for each seed. What the schedule ends with is
measured on scenes that hold as many leaves as bricks; no checkpoint is chosen by them.

Writes ``results/balance.json`` after every run; runs that it has already, of the same budget and
set, are not repeated, and with ``--keep`` of a folder one that was stopped goes on. At the end also
``results/balance.png``.
"""

import argparse
import json
import statistics
import tempfile
from pathlib import Path
from typing import Any

import matplotlib as mpl

from delineate import SyntheticScenes, TrainConfig, fit, load
from delineate.data.derived import Concat
from delineate.data.sample import Dataset
from delineate.data.sampling import class_shares, count_classes
from delineate.jobs.evaluate import measure
from delineate.recipes.mask_rcnn import mask_rcnn_nano
from delineate.train.balance import times_shown
from delineate.train.config import with_settings
from delineate.train.folder import saved_config
from delineate.train.log import Console
from machine import RESULTS, describe, save

mpl.use("agg")
from matplotlib import pyplot as plt

MODES = {
    "none": (),
    "repeat_factor": ("data.balance=repeat_factor",),
    "class_aware": ("data.balance=class_aware",),
    "class_weights": ("loss.class_weights=effective",),
    "class_weights, 0.999": ("loss.class_weights=effective", "loss.beta=0.999"),
}
COMMON, RARE = "brick", "leaf"
COLOURS = {COMMON: "#8a8f98", RARE: "#2c8a4b"}
SIDE = 96  # pixels of a scene
SET = {"side": SIDE, "objects": [1, 4], "mixed": 24, "common": 1400, "val": 120}


def scenes(count: int, seed: int, *classes: str) -> SyntheticScenes:
    """Return scenes of a few things of 20 to 38 pixels."""
    few, many = SET["objects"]
    return SyntheticScenes(
        count,
        size=(SIDE, SIDE),
        seed=seed,
        classes=classes,
        objects=(few, many),
        radii=(0.105, 0.2),
    )


def training_set(seed: int) -> Dataset:
    """Return scenes of bricks, a few of them with leaves."""
    mixed = scenes(SET["mixed"], 100 + seed, COMMON, RARE)
    return Concat([mixed, scenes(SET["common"], 200 + seed, COMMON)], name="bricks and a leaf")


def config(mode: str, seed: int, budget: str) -> TrainConfig:
    """Return the recipe with one way of balancing, on scenes at their own size."""
    fixed = (budget, f"seed={seed}", f"augment.crop={SIDE}", "image_scale=preprocess")
    whole = ("validate_every=1.0", "data.val_fraction=0", "data.workers=0")
    return with_settings(mask_rcnn_nano(), [*fixed, *whole, *MODES[mode]])


def train(mode: str, seed: int, budget: str, val: Dataset, run: Path) -> dict[str, Any]:
    """Train, or go on; return how well each class is found, and how often it was shown."""
    data = training_set(seed)
    fit(config(mode, seed, budget), data, None, run, resume=True, sinks=[Console()])
    resolved = saved_config(run)
    found = measure(load(run), val)[0].per_class
    counts = count_classes(data)
    shown = class_shares(counts, times_shown(resolved, data))
    facts = json.loads((run / "metrics.json").read_text())
    return {
        "mode": mode,
        "seed": seed,
        "step": facts["step"],
        "minutes": facts["minutes"],
        "objects": dict(zip(data.classes.names, counts.sum(axis=0).tolist(), strict=True)),
        "images": dict(zip(data.classes.names, (counts > 0).sum(axis=0).tolist(), strict=True)),
        "rare_share_of_objects_shown": round(float(shown[data.classes.names.index(RARE)]), 4),
        "repeat_threshold": resolved.data.repeat_threshold,
        "class_weights": resolved.loss.class_weights,
        **{
            name: {"truths": s.truths, "AP": round(s.ap, 4), "AP50": round(s.ap50, 4)}
            for name, s in found.items()
        },
    }


def summary(runs: list[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """Return the mean AP of both classes, mode by mode, with that of each seed."""
    rows: dict[str, dict[str, Any]] = {}
    for mode in MODES:
        mine = [run for run in runs if run["mode"] == mode]
        for name in (RARE, COMMON) if mine else ():
            values = [run[name]["AP"] for run in mine]
            mean = round(statistics.mean(values), 4)
            rows.setdefault(mode, {})[name] = {"AP": mean, "of_seeds": values}
    return rows


def table(rows: dict[str, dict[str, Any]]) -> str:
    """Return the summary as a table in Markdown."""
    lines = [f"| balance | {RARE} (rare) AP | {COMMON} (common) AP |", "|---|---|---|"]
    for mode, row in rows.items():
        cells = [
            f"{row[name]['AP']:.3f} ({', '.join(f'{v:.3f}' for v in row[name]['of_seeds'])})"
            for name in (RARE, COMMON)
        ]
        lines.append(f"| {mode} | {cells[0]} | {cells[1]} |")
    return "\n".join(lines)


def draw(rows: dict[str, dict[str, Any]], path: Path) -> None:
    """Draw the mean AP of both classes as bars, each seed as a dot."""
    figure, axes = plt.subplots(figsize=(6.4, 0.8 + 0.62 * len(rows)), layout="constrained")
    for offset, (name, kind) in zip(
        (-0.19, 0.19), ((RARE, "rare"), (COMMON, "common")), strict=True
    ):
        places = [place + offset for place in range(len(rows))]
        means = [row[name]["AP"] for row in rows.values()]
        axes.barh(places, means, height=0.34, color=COLOURS[name], label=f"{name} ({kind})")
        for place, row, mean in zip(places, rows.values(), means, strict=True):
            values = row[name]["of_seeds"]
            axes.plot(values, [place] * len(values), "o", color="black", ms=3)
            axes.annotate(
                f"{mean:.2f}",
                (max(mean, *values), place),
                xytext=(6, 0),
                textcoords="offset points",
                va="center",
                fontsize=8,
            )
    axes.set_yticks(range(len(rows)), [mode.replace("_", " ") for mode in rows])
    axes.invert_yaxis()
    axes.set(xlabel="mask AP on scenes with as many of each", xlim=(0, None))
    axes.grid(axis="x", alpha=0.3)
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)
    figure.legend(loc="outside upper center", ncols=2, frameon=False)
    figure.savefig(path, dpi=130)


def earlier_runs(facts: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the runs that were measured before, with the same budget on the same set."""
    path = RESULTS / "balance.json"
    kept = json.loads(path.read_text()) if path.exists() else {}
    same = all(kept.get(name) == value for name, value in facts.items())
    return list(kept["runs"]) if same else []


def main() -> None:
    """Train what is missing, seed after seed, and write."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    budget = parser.add_mutually_exclusive_group()
    budget.add_argument("--steps", type=int, default=1000)
    budget.add_argument("--minutes", type=float)
    parser.add_argument("--seeds", type=int, default=2)
    parser.add_argument("--modes", nargs="+", choices=MODES, default=list(MODES))
    parser.add_argument("--keep", type=Path, help="folder for the runs themselves")
    options = parser.parse_args()
    setting = f"budget.steps={options.steps}"
    if options.minutes is not None:
        setting = f"budget.minutes={options.minutes}"
    facts = {"budget": setting, "set": SET}
    runs = earlier_runs(facts)
    folder = options.keep or Path(tempfile.mkdtemp())
    print(f"runs in {folder}", flush=True)
    val = scenes(SET["val"], 300, COMMON, RARE)
    for seed in range(options.seeds):
        for mode in options.modes:
            if any((run["mode"], run["seed"]) == (mode, seed) for run in runs):
                continue
            run = folder / f"{mode.replace(', ', '_')}_{seed}"
            runs.append(train(mode, seed, setting, val, run))
            machine = describe("torch", "torchvision", "hotcoco")
            save("balance", {**facts, "machine": machine, "summary": summary(runs), "runs": runs})
    print(table(summary(runs)))
    draw(summary(runs), RESULTS / "balance.png")


if __name__ == "__main__":
    main()
