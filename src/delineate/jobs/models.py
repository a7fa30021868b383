"""`delineate models list|show`: what there is, and what it is made of."""

from pathlib import Path
from typing import Any

import torch

from delineate.models.api import SegModel
from delineate.models.zoo import MODELS, build
from delineate.weights.hub import COCO_91, WEIGHTS, find, tags
from delineate.weights.load import load


def model_rows(*, commercial_only: bool = False) -> list[dict[str, Any]]:
    """Return name, summary and published weights of every model.

    Args:
        commercial_only: Leave out weights whose terms do not allow commercial use.
    """
    return [
        {
            "name": name,
            "summary": entry.summary,
            "weights": [
                _weights(w) for w in tags(name) if WEIGHTS[w].commercial or not commercial_only
            ],
        }
        for name, entry in MODELS.items()
    ]


def _weights(name: str) -> dict[str, Any]:
    record = WEIGHTS[name]
    return {
        "name": name,
        "mask_ap": record.mask_ap,
        "box_ap": record.box_ap,
        "pq": record.pq,
        "licence": record.licence,
        "commercial": record.commercial,
        "mebibytes": record.mebibytes,
    }


def model_table(rows: list[dict[str, Any]]) -> str:
    """Return `model_rows` to read."""
    lines = []
    for row in rows:
        lines.append(f"{row['name']:26} {row['summary']}")
        lines += [_weights_line(weights) for weights in row["weights"]]
    return "\n".join(lines)


def _weights_line(weights: dict[str, Any]) -> str:
    """Return name, published measures in percent, size and licence in columns."""
    measures = {"mask AP": "mask_ap", "box AP": "box_ap", "PQ": "pq"}
    numbers = [
        f"{title} {100 * weights[key]:.1f}" if weights[key] is not None else ""
        for title, key in measures.items()
    ]
    licence = weights["licence"].partition(" ")[0]
    size = f"{weights['mebibytes']:.0f} MiB"
    columns = f"{numbers[0]:12}  {numbers[1]:11}  {numbers[2]:7}  {size:>8}  {licence}"
    return f"  {weights['name']:40} {columns}"


def show_model(name: str) -> dict[str, Any]:
    """Return what a model of the zoo, published weights or a checkpoint are made of.

    Raises:
        ModelError: There is no such model or checkpoint.
    """
    weights: list[dict[str, Any]] = []
    classes: list[str] | None = None
    if Path(name).exists():
        model = load(name)
        classes = list(model.classes.names)
    else:
        zoo, _, tag = name.partition(":")
        if tag:
            find(name)
        model = _empty(zoo)
        weights = [_weights(name)] if tag else [_weights(w) for w in tags(zoo)]
    return {
        "name": name,
        "parameters": sum(p.numel() for p in model.parameters()),
        "classes": classes,
        "preprocess": model.preprocess.to_json(),
        "config": model.config.to_json(),
        "weights": weights,
    }


def _empty(name: str) -> SegModel:
    """Build a model of the zoo for COCO's classes, without memory for its weights."""
    with torch.device("meta"):
        return build(name, classes=COCO_91)


def model_text(shown: dict[str, Any]) -> str:
    """Return `show_model`'s answer to read."""
    lines = [f"{shown['name']}: {shown['parameters'] / 1e6:.2f} million parameters"]
    if shown["classes"] is not None:
        lines.append(f"classes: {', '.join(shown['classes'])}")
    for part in ("preprocess", "config"):
        lines += [f"{part}:", *(f"  {k}: {v}" for k, v in shown[part].items())]
    lines += [f"weights: {w['name']} ({w['licence']})" for w in shown["weights"]]
    return "\n".join(lines)
