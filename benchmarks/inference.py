"""Mask R-CNN R50-FPN v1 and v2: ours against torchvision at the same random weights.

    python benchmarks/inference.py [--rounds 7] [--threads 2] [--models v1 v2] [--device cuda]

One 800 x 1066 picture, fp32, eager, from the uint8 array to COCO run-lengths of 100 objects. The
two take turns in one process; figures are medians, the ratio is that of the medians. Peak memory is
that of a fresh process for each, on a CUDA device that of torch's allocator. The predictors are
made decisive, so that 100 objects survive as in a busy street; the detections of both are compared
before anything is timed.
"""

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import cv2
import numpy as np
import torch
from pycocotools import mask as rle
from safetensors.torch import load_file, save_file
from torch import nn
from torchvision.models import detection
from torchvision.models.detection._utils import overwrite_eps

from delineate.core.instances import Instances
from delineate.models.api import SegModel
from delineate.models.fuse import optimize_for_inference
from delineate.models.zoo import build
from delineate.weights.layouts import fill_from, layout_named
from machine import describe, save

HEIGHT, WIDTH = 800, 1066
MODELS = {
    "v1": ("maskrcnn_resnet50_fpn", "torchvision_maskrcnn", detection.maskrcnn_resnet50_fpn),
    "v2": (
        "maskrcnn_resnet50_fpn_v2",
        "torchvision_maskrcnn_v2",
        detection.maskrcnn_resnet50_fpn_v2,
    ),
}


def picture() -> np.ndarray:
    """A busy picture: coloured noise at several scales with rectangles on top."""
    rng = np.random.default_rng(3)
    image = np.zeros((HEIGHT, WIDTH, 3), np.float32)
    for cells in (5, 20, 80):
        noise = rng.uniform(0, 85, (cells, cells, 3)).astype(np.float32)
        image += cv2.resize(noise, (WIDTH, HEIGHT), interpolation=cv2.INTER_CUBIC)
    for _ in range(60):
        x, y = rng.integers(0, (WIDTH - 50, HEIGHT - 50))
        w, h = rng.integers(20, 250, 2)
        image[y : y + h, x : x + w] = rng.uniform(0, 255, 3)
    return image.clip(0, 255).astype(np.uint8)


def theirs(name: str) -> nn.Module:
    """Return torchvision's model; v1 with frozen norms of eps 0, as its published weights have."""
    torch.manual_seed(0)
    model = MODELS[name][2](weights=None, weights_backbone=None, num_classes=91)
    if name == "v1":
        _freeze(model)
        overwrite_eps(model, 0.0)
    return model.eval()


def _freeze(module: nn.Module) -> None:
    from torchvision.ops import FrozenBatchNorm2d

    for child_name, child in module.named_children():
        if isinstance(child, nn.BatchNorm2d):
            setattr(module, child_name, FrozenBatchNorm2d(child.num_features))
        else:
            _freeze(child)


@torch.no_grad()
def calibrate(model: nn.Module) -> None:
    """Set batch norm statistics from the picture, and make the predictors decisive."""
    image = torch.from_numpy(picture()).permute(2, 0, 1).float() / 255

    def measure(module: nn.Module, inputs: tuple[torch.Tensor, ...]) -> None:
        if len(inputs[0]) == 0:  # no detection, no masks
            return
        module.running_mean.copy_(inputs[0].mean((0, 2, 3)))
        module.running_var.copy_(inputs[0].var((0, 2, 3)) + 1e-3)

    hooks = [
        m.register_forward_pre_hook(measure) for m in model.modules() if hasattr(m, "running_var")
    ]
    model.rpn.head.cls_logits.weight.mul_(5)
    model.rpn.head.bbox_pred.weight.mul_(2)
    model.eval()
    model([image])
    model([image])
    for hook in hooks:
        hook.remove()
    predictor = model.roi_heads.box_predictor
    predictor.cls_score.weight.mul_(8)


def ours(name: str, state: dict[str, torch.Tensor]) -> SegModel:
    """Our model with torchvision's weights, as `Predictor` runs it."""
    zoo, layout, _ = MODELS[name]
    built = build(zoo, classes=90)
    fill_from(built, state, layout_named(layout))
    return optimize_for_inference(built)


class Stages:
    """Wall-clock time of each named stage in every run, in milliseconds.

    On a CUDA device a stage ends when its kernels have; that costs both sides a little.
    """

    def __init__(self, device: str = "cpu") -> None:
        self.runs: list[dict[str, float]] = []
        self._wait = torch.cuda.synchronize if device == "cuda" else lambda: None

    @contextmanager
    def run(self) -> Iterator[None]:
        """Begin a run; its stages are summed up, however often they are entered."""
        self.runs.append(defaultdict(float))
        with self.stage("total"):
            yield

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Add the time of the block."""
        start = time.perf_counter()
        yield
        self._wait()
        self.runs[-1][name] += (time.perf_counter() - start) * 1e3

    def wrap(self, owner: object, attribute: str, name: str) -> None:
        """Time every call of a method or module."""
        function = getattr(owner, attribute)
        if isinstance(owner, nn.Module) and isinstance(function, nn.Module):
            owner, attribute, function = function, "forward", function.forward

        def timed(*args: object, **kwargs: object) -> object:
            with self.stage(name):
                return function(*args, **kwargs)

        setattr(owner, attribute, timed)

    def medians(self) -> dict[str, float]:
        """Median of every stage over the runs."""
        names = self.runs[0]
        return {k: round(statistics.median(r[k] for r in self.runs), 1) for k in names}


def run_theirs(model: nn.Module, image: np.ndarray, stages: Stages) -> list[dict]:
    """From the array to COCO results with torchvision and pycocotools."""
    device = next(model.parameters()).device
    with stages.run():
        (found,) = model([torch.from_numpy(image).to(device).permute(2, 0, 1).float() / 255])
        with stages.stage("run-lengths"):
            masks = (found["masks"][:, 0] > 0.5).cpu().numpy().astype(np.uint8)
            codes = rle.encode(np.asfortranarray(masks.transpose(1, 2, 0)))
        boxes, scores, labels = (found[k].cpu().numpy() for k in ("boxes", "scores", "labels"))
        return [
            {"box": b, "score": s, "label": lab - 1, "code": c}
            for b, s, lab, c in zip(boxes, scores, labels, codes, strict=True)
        ]


def run_ours(model: SegModel, image: np.ndarray, stages: Stages) -> list[dict]:
    """From the array to COCO results with ours."""
    with stages.run():
        with stages.stage("preprocess"):
            images, sizes, where = model.prepare([image])
        raw = model(images, sizes)
        with stages.stage("paste"):
            found: Instances = model.to_instances(raw, where)[0]
        with stages.stage("run-lengths"):
            codes = found.masks.to_coco()
        parts = zip(found.boxes, found.scores, found.labels, codes, strict=True)
        return [{"box": b, "score": s, "label": lab, "code": c} for b, s, lab, c in parts]


def compare(a: list[dict], b: list[dict]) -> dict[str, float]:
    """Pair detections of the same label by their boxes; return how many pair up and how closely.

    The predictors of a random network are made decisive by enlarging their weights, which enlarges
    rounding as well: a pair whose scores tie to the fourth digit may change places at a cut-off.
    """
    if len(a) != len(b):
        raise SystemExit(f"{len(a)} against {len(b)} detections: nothing to compare")
    free = list(b)
    pairs = []
    for mine in a:
        rivals = [d for d in free if d["label"] == mine["label"]]
        if rivals:
            nearest = min(rivals, key=lambda d: float(np.abs(d["box"] - mine["box"]).max()))
            if np.abs(nearest["box"] - mine["box"]).max() < 0.5:
                free = [d for d in free if d is not nearest]
                pairs.append((mine, nearest))
    if len(pairs) < 0.95 * len(a):
        raise SystemExit(f"only {len(pairs)} of {len(a)} detections agree: nothing to compare")
    ious = [float(rle.iou([x["code"]], [y["code"]], [0])[0, 0]) for x, y in pairs]
    if statistics.median(ious) < 0.999:
        raise SystemExit("the masks differ: nothing to compare")
    return {
        "detections": len(a),
        "paired": len(pairs),
        "box_px_max": max(float(np.abs(x["box"] - y["box"]).max()) for x, y in pairs),
        "score_max": max(abs(float(x["score"] - y["score"])) for x, y in pairs),
        "mask_iou_median": statistics.median(ious),
        "mask_iou_min": min(ious),
    }


def measure(name: str, rounds: int, device: str) -> dict:
    """Interleave the two and return medians by stage."""
    image, rival = picture(), theirs(name)
    calibrate(rival)
    state = rival.state_dict()
    mine = ours(name, state).to(device)
    rival.to(device)
    times = {"torchvision": Stages(device), "delineate": Stages(device)}
    same = compare(run_theirs(rival, image, Stages()), run_ours(mine, image, Stages()))
    tv = times["torchvision"]
    tv.wrap(rival.transform, "forward", "preprocess")
    tv.wrap(rival.transform, "postprocess", "paste")
    for part in ("backbone", "rpn"):
        tv.wrap(rival, part, part)
    for part in ("box_roi_pool", "box_head", "mask_roi_pool", "mask_head", "mask_predictor"):
        tv.wrap(rival.roi_heads, part, part)
    tv.wrap(rival, "roi_heads", "roi_heads")
    own = times["delineate"]
    own.wrap(mine, "_features", "backbone")
    own.wrap(mine.rpn, "forward", "rpn")
    own.wrap(mine.rpn, "propose", "rpn_proposals")
    for part in ("box_head", "mask_head"):
        own.wrap(mine.roi_heads, part, part)
    own.wrap(mine.roi_heads, "_pool", "roi_pool")
    own.wrap(mine, "roi_heads", "roi_heads")
    for _ in range(rounds):
        run_theirs(rival, image, tv)
        run_ours(mine, image, own)
    medians = {k: s.medians() for k, s in times.items()}
    totals = {k: [round(r["total"], 1) for r in s.runs] for k, s in times.items()}
    return {
        "same_detections": same,
        "median_ms": medians,
        "totals_ms": totals,
        "speedup": round(medians["torchvision"]["total"] / medians["delineate"]["total"], 3),
        "peak_rss_mb" if device == "cpu" else "peak_cuda_mb": peaks(name, state, device),
    }


def peaks(name: str, state: dict[str, torch.Tensor], device: str) -> dict[str, int]:
    """Peak memory in MB of two pictures, each side in a fresh process of its own."""
    found = {}
    with tempfile.TemporaryDirectory() as folder:
        weights = Path(folder) / "weights.safetensors"
        save_file({k: v.cpu().contiguous() for k, v in state.items()}, weights)
        for side in ("torchvision", "delineate"):
            command = [sys.executable, __file__, "--peak", name, side, str(weights)]
            command += ["--threads", str(torch.get_num_threads()), "--device", device]
            run = subprocess.run(command, capture_output=True, text=True, check=True)
            found[side] = round(float(run.stdout.split()[-1]))
    return found


def report_peak(name: str, side: str, weights: str, device: str) -> None:
    """Print this process's peak memory after two runs."""
    state = load_file(weights)
    if side == "delineate":
        model: nn.Module = ours(name, state)
        run: Callable = run_ours
    else:
        model, run = theirs(name), run_theirs
        model.load_state_dict(state)
    del state
    model.to(device)
    for _ in range(2):
        run(model, picture(), Stages())
    if device == "cuda":
        print(torch.cuda.max_memory_allocated() / 1e6)
        return
    status = Path("/proc/self/status").read_text()  # getrusage would report the parent's peak too
    print(int(status.split("VmHWM:")[1].split()[0]) / 1024)


def main() -> None:
    """Measure and write ``results/inference.json``, or ``inference_cuda.json``."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--models", nargs="+", default=list(MODELS), choices=list(MODELS))
    parser.add_argument("--device", default="cpu", choices=("cpu", "cuda"))
    parser.add_argument("--peak", nargs=3, help=argparse.SUPPRESS)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    torch.backends.cudnn.allow_tf32 = False  # fp32 is what is compared
    with torch.inference_mode():
        if options.peak:
            report_peak(*options.peak, options.device)
            return
        machine = describe("torch", "torchvision", "numpy", "opencv-python-headless")
        result = {"picture": [HEIGHT, WIDTH], "threads": options.threads, "machine": machine}
        if options.device == "cuda":
            result["device"] = torch.cuda.get_device_name()
        for name in options.models:
            result[name] = measure(name, options.rounds, options.device)
            print(json.dumps({name: result[name]}, indent=1), flush=True)
    print(save("inference" if options.device == "cpu" else "inference_cuda", result))


if __name__ == "__main__":
    main()
