"""Mask AP over training time: torchvision's Mask R-CNN and ours, side by side from random weights.

    python benchmarks/time_to_accuracy.py DATA --minutes 20 --seeds 2

For each seed the two train at the same moment, each pinned to cores of its own, for the same
wall-clock time: whatever else the machine does slows both. torchvision's clock counts its training
only, ours its validations too (a tenth of the time apart, or seldomer where they are slow). With
``--keep`` of a folder that holds finished runs, only what is missing is done. Writes
``results/time_to_accuracy.json`` and ``.png``. Linux only.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import matplotlib as mpl

from machine import RESULTS, describe, save

mpl.use("agg")
from matplotlib import pyplot as plt

RIVAL = [sys.executable, str(Path(__file__).with_name("torchvision_run.py"))]
COLOURS = {"torchvision": "#b5501b", "delineate": "#0b6bcb"}


def start(command: list[str], cores: list[int], log: Path) -> subprocess.Popen[bytes]:
    """Start a run on its own cores; what it says goes to `log`."""
    pinned = ["taskset", "--cpu-list", ",".join(map(str, cores)), *command]
    environment = dict(os.environ, OMP_NUM_THREADS=str(len(cores)))
    with log.open("wb") as output:
        return subprocess.Popen(pinned, env=environment, stdout=output, stderr=output)


def wait(children: list[subprocess.Popen[bytes]], folder: Path) -> None:
    """Wait for both; if one fails, or the user stops, end the other."""
    try:
        while any(child.poll() is None for child in children):
            if any(child.poll() for child in children):
                raise SystemExit(f"a run failed; its log is in {folder}")
            time.sleep(1)
    finally:
        for child in children:
            if child.poll() is None:
                child.terminate()
    if any(child.returncode for child in children):
        raise SystemExit(f"a run failed; its log is in {folder}")


def ours(run: Path) -> list[dict[str, float]]:
    """Return the curve of a run folder of ours."""
    curve = []
    for line in (run / "metrics.jsonl").read_text().splitlines():
        record = json.loads(line)
        if "segm" in record:
            segm = record["segm"]
            point = {name: segm[name] for name in ("AP", "AP50", "AP75")}
            curve.append({"minutes": record["seconds"] / 60, "step": record["step"], **point})
    return curve


def pair(data: Path, minutes: float, seed: int, folder: Path) -> None:
    """Train both for one seed, each on half of the cores."""
    cores = sorted(os.sched_getaffinity(0))
    half = len(cores) // 2
    theirs = [*RIVAL, "train", str(data), str(folder / f"torchvision_{seed}")]
    theirs += ["--minutes", str(minutes), "--seed", str(seed)]
    mine = [sys.executable, "-m", "delineate.cli", "train", str(data), "--recipe"]
    mine += ["mask_rcnn_nano", "--out", str(folder / f"delineate_{seed}")]
    settings = (f"budget.minutes={minutes}", f"seed={seed}", "validate_every=0.1")
    for setting in (*settings, "data.workers=0"):
        mine += ["--set", setting]
    children = [
        start(theirs, cores[:half], folder / f"torchvision_{seed}.log"),
        start(mine, cores[half:], folder / f"delineate_{seed}.log"),
    ]
    wait(children, folder)


def measure(data: Path, seeds: int, folder: Path) -> None:
    """Measure torchvision's snapshots of all seeds, as many at once as there are cores."""
    cores = sorted(os.sched_getaffinity(0))
    for first in range(0, seeds, len(cores)):
        children = []
        for seed, core in zip(range(first, seeds), cores, strict=False):
            command = [*RIVAL, "measure", str(data), str(folder / f"torchvision_{seed}")]
            children.append(start(command, [core], folder / f"measure_{seed}.log"))
        wait(children, folder)


def summary(runs: list[dict[str, Any]]) -> dict[str, Any]:
    """When each of ours passed torchvision's final AP, as a share of torchvision's time."""
    rows = []
    for run in runs:
        final = run["torchvision"][-1]
        passed = next((p["minutes"] for p in run["delineate"] if p["AP"] > final["AP"]), None)
        rows.append(
            {
                "torchvision_final": {k: round(final[k], 4) for k in ("AP", "AP50")},
                "delineate_final": {k: round(run["delineate"][-1][k], 4) for k in ("AP", "AP50")},
                "passed_after_minutes": passed,
                "share_of_torchvision_time": passed and passed / final["minutes"],
            }
        )
    return {"runs": rows}


def draw(runs: list[dict[str, Any]], path: Path) -> None:
    """Draw AP over minutes."""
    figure, axes = plt.subplots(figsize=(6.4, 4.0), layout="constrained")
    for name, colour in COLOURS.items():
        for number, run in enumerate(runs):
            points = [(0.0, 0.0), *((p["minutes"], p["AP"]) for p in run[name])]
            label = name if number == 0 else None
            axes.plot(*zip(*points, strict=True), "o-", color=colour, ms=3.5, label=label)
    axes.set(xlabel="minutes of training", ylabel="mask AP on the validation split", xlim=(0, None))
    axes.set_ylim(0, None)
    axes.grid(alpha=0.3)
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(frameon=False)
    figure.savefig(path, dpi=130)


def main() -> None:
    """Train the pairs one after the other, then measure."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", type=Path)
    parser.add_argument("--minutes", type=float, default=20)
    parser.add_argument("--seeds", type=int, default=2)
    parser.add_argument("--keep", type=Path, help="folder for the runs themselves")
    options = parser.parse_args()
    machine = describe("torch", "torchvision", "pycocotools", "hotcoco")
    folder = options.keep or Path(tempfile.mkdtemp())
    folder.mkdir(parents=True, exist_ok=True)
    print(f"runs and logs in {folder}", flush=True)
    for seed in range(options.seeds):
        if not (folder / f"delineate_{seed}/metrics.json").exists():
            pair(options.data, options.minutes, seed, folder)
    measure(options.data, options.seeds, folder)
    runs = [
        {
            "seed": seed,
            "torchvision": json.loads((folder / f"torchvision_{seed}/curve.json").read_text()),
            "delineate": ours(folder / f"delineate_{seed}"),
        }
        for seed in range(options.seeds)
    ]
    result = {
        "data": options.data.name,
        "minutes": options.minutes,
        "cores_each": len(os.sched_getaffinity(0)) // 2,
        "machine": machine,
        **summary(runs),
        "curves": runs,
    }
    print(save("time_to_accuracy", result))
    draw(runs, RESULTS / "time_to_accuracy.png")
    print(json.dumps(summary(runs), indent=1))


if __name__ == "__main__":
    main()
