"""torchvision's own Mask R-CNN (ResNet-18 FPN) trained from scratch for a given wall-clock time.

    python benchmarks/torchvision_run.py train DATA RUN --minutes 20 --seed 0
    python benchmarks/torchvision_run.py measure DATA RUN

The rival of `time_to_accuracy.py`, as a user of torchvision would run it: the library's defaults,
its own transform, short side 256, AdamW with warm-up and cosine, horizontal flips, and anchors
fitted to the data's object sizes so that it has a fair chance. The clock counts training only:
snapshots are measured afterwards, with pycocotools, on the whole validation split; the result is
``RUN/curve.json``.
"""

import argparse
import contextlib
import io
import json
import math
import time
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from pycocotools import mask as rle
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval
from safetensors.torch import load_file, save_file
from torchvision.models.detection import MaskRCNN
from torchvision.models.detection.anchor_utils import AnchorGenerator
from torchvision.models.detection.backbone_utils import resnet_fpn_backbone

BATCH, RATE, WARMUP = 4, 5e-4, 100


def open_coco(path: Path) -> COCO:
    """Read a COCO file without pycocotools' prints."""
    with contextlib.redirect_stdout(io.StringIO()):
        return COCO(str(path))


class Images(torch.utils.data.Dataset):
    """One COCO file as torchvision wants it."""

    def __init__(self, path: Path, flip: bool) -> None:
        self.coco, self.flip = open_coco(path), flip
        self.folder = path.parent / "images"
        self.ids = sorted(self.coco.imgs)
        self.labels = {c: i + 1 for i, c in enumerate(sorted(self.coco.cats))}

    def __len__(self) -> int:
        return len(self.ids)

    def __getitem__(self, i: int) -> tuple[torch.Tensor, dict[str, torch.Tensor]]:
        info = self.coco.imgs[self.ids[i]]
        image = np.array(Image.open(self.folder / info["file_name"]).convert("RGB"))
        found = [a for a in self.coco.imgToAnns[info["id"]] if not a.get("iscrowd")]
        masks = np.zeros((len(found), *image.shape[:2]), np.uint8)
        for m, a in zip(masks, found, strict=True):
            m[:] = self.coco.annToMask(a)
        if self.flip and torch.rand(()) < 0.5:
            image, masks = image[:, ::-1].copy(), masks[:, :, ::-1].copy()
        keep = masks.any((1, 2))
        boxes = [
            [x.min(), y.min(), x.max() + 1, y.max() + 1]
            for y, x in (np.nonzero(m) for m in masks[keep])
        ]
        labels = [self.labels[a["category_id"]] for a, k in zip(found, keep, strict=True) if k]
        target = {
            "boxes": torch.tensor(boxes, dtype=torch.float32).reshape(-1, 4),
            "labels": torch.tensor(labels, dtype=torch.int64),
            "masks": torch.from_numpy(masks[keep]),
        }
        return torch.from_numpy(image).permute(2, 0, 1).float() / 255, target


def build(data: Images) -> MaskRCNN:
    """Mask R-CNN with anchors at five quantiles of the objects' sizes after the resize."""
    sizes = []
    for info in data.coco.imgs.values():
        scale = 256 / min(info["height"], info["width"])
        sizes += [scale * math.sqrt(a["area"]) for a in data.coco.imgToAnns[info["id"]]]
    anchors = np.quantile(sizes, [0.1, 0.4, 0.7, 0.95, 1.0]).round().clip(4)
    backbone = resnet_fpn_backbone(
        backbone_name="resnet18", weights=None, trainable_layers=5, norm_layer=torch.nn.BatchNorm2d
    )
    generator = AnchorGenerator(
        sizes=tuple((int(a),) for a in anchors), aspect_ratios=((0.5, 1.0, 2.0),) * 5
    )
    return MaskRCNN(
        backbone, num_classes=len(data.labels) + 1, min_size=256, rpn_anchor_generator=generator
    )


def train(data: Images, run: Path, minutes: float, points: int) -> None:
    """Train for `minutes`; write `points` evenly spaced snapshots into `run`."""
    model = build(data).train()
    optimizer = torch.optim.AdamW(model.parameters(), RATE, weight_decay=1e-4)
    snapshots: list[dict[str, float]] = []
    seen, step, saving = 0, 0, 0.0
    start = time.perf_counter()
    while True:
        loader = torch.utils.data.DataLoader(
            data,
            BATCH,
            shuffle=True,
            drop_last=True,
            collate_fn=lambda b: tuple(zip(*b, strict=True)),
        )
        for images, targets in loader:
            passed = (time.perf_counter() - start - saving) / 60
            done = passed / minutes
            if done >= (len(snapshots) + 1) / points:
                began = time.perf_counter()
                snapshots.append({"minutes": passed, "images": seen})
                save_file(model.state_dict(), run / f"{len(snapshots)}.safetensors")
                (run / "snapshots.json").write_text(json.dumps(snapshots))
                saving += time.perf_counter() - began
                if len(snapshots) == points:
                    return
            rate = RATE * min((step + 1) / WARMUP, 0.5 * (1 + math.cos(math.pi * min(done, 1))))
            for group in optimizer.param_groups:
                group["lr"] = rate
            loss = sum(model(images, targets).values())
            optimizer.zero_grad()
            loss.backward()
            torch.nn.utils.clip_grad_norm_(model.parameters(), 10.0)
            optimizer.step()
            step, seen = step + 1, seen + len(images)


@torch.inference_mode()
def evaluate(model: MaskRCNN, data: Images) -> dict[str, float]:
    """Mask AP, AP50 and AP75 by pycocotools."""
    model.eval()
    results = []
    classes = {v: k for k, v in data.labels.items()}
    for i, image_id in enumerate(data.ids):
        (output,) = model([data[i][0]])
        for score, label, mask in zip(
            output["scores"], output["labels"], output["masks"], strict=True
        ):
            code = rle.encode(np.asfortranarray((mask[0] > 0.5).numpy().astype(np.uint8)))
            results.append(
                {
                    "image_id": image_id,
                    "category_id": classes[int(label)],
                    "score": float(score),
                    "segmentation": code,
                }
            )
    if not results:
        return {"AP": 0.0, "AP50": 0.0, "AP75": 0.0}
    with contextlib.redirect_stdout(io.StringIO()):
        metric = COCOeval(data.coco, data.coco.loadRes(results), "segm")
        metric.evaluate()
        metric.accumulate()
        metric.summarize()
    return dict(zip(("AP", "AP50", "AP75"), map(float, metric.stats[:3]), strict=True))


def measure(model: MaskRCNN, data: Images, run: Path) -> None:
    """Measure every snapshot, the last one first; write the curve after each."""
    snapshots = json.loads((run / "snapshots.json").read_text())
    for number in range(len(snapshots), 0, -1):
        model.load_state_dict(load_file(run / f"{number}.safetensors"))
        snapshots[number - 1] |= evaluate(model, data)
        print(json.dumps(snapshots[number - 1]), flush=True)
        measured = [snapshot for snapshot in snapshots if "AP" in snapshot]
        (run / "curve.json").write_text(json.dumps(measured, indent=1))


def main() -> None:
    """Train, or measure what was trained."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("verb", choices=("train", "measure"))
    parser.add_argument("data", type=Path)
    parser.add_argument("run", type=Path)
    parser.add_argument("--minutes", type=float, default=20)
    parser.add_argument("--points", type=int, default=4)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    images = Images(options.data / "train.json", True)
    if options.verb == "measure":
        measure(build(images), Images(options.data / "val.json", False), options.run)
        return
    options.run.mkdir(parents=True)
    torch.manual_seed(options.seed)
    train(images, options.run, options.minutes, options.points)


if __name__ == "__main__":
    main()
