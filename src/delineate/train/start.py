"""Weights to begin with: a published backbone, or a whole model trained before."""

import torch

from delineate.core.classes import ClassMap
from delineate.errors import ModelError
from delineate.models.api import SegModel
from delineate.weights.hub import WEIGHTS
from delineate.weights.load import load, load_backbone


def give_start(model: SegModel, spec: str) -> None:
    """Replace the random weights of a new model.

    Layers whose shape depends on the number of classes are taken over from a model of the same
    classes only; else they stay random. So does a whole part that the other model lacks: the mask
    head of a DETR on weights for boxes, the stuff head on a Mask R-CNN without one.

    Args:
        model: The new model.
        spec: ``name:tag`` of a published backbone or model, a file, or a run folder.

    Raises:
        ModelError: There are no such weights, or they are those of another network.
        DownloadError: They cannot be fetched.
    """
    if spec in WEIGHTS and WEIGHTS[spec].classes is None:
        load_backbone(model, spec)
        return
    donor = load(spec)
    wanted = {name: tensor.shape for name, tensor in model.state_dict().items()}
    heads = _class_layers(model) if donor.classes.names != model.classes.names else frozenset()
    taken = {name: t for name, t in donor.state_dict().items() if name not in heads}
    parts = {_part(name) for name in donor.state_dict()}
    due = [name for name in wanted if name not in heads and _part(name) in parts]
    wrong = [name for name in due if _shape(taken, name) != wanted[name]]
    wrong += [name for name in taken if name not in wanted]
    if wrong:
        raise ModelError(
            f"the weights {spec!r} should be of the network to be trained, but differ in "
            f"{wrong[0]} and {len(wrong) - 1} more: choose other weights, or make model the same."
        )
    model.load_state_dict(taken, strict=False)


def _part(name: str) -> str:
    return name.split(".")[0]


def _shape(tensors: dict[str, torch.Tensor], name: str) -> torch.Size | None:
    return tensors[name].shape if name in tensors else None


def _class_layers(model: SegModel) -> frozenset[str]:
    """Return the names of the tensors that would have another shape with one class more."""
    names = [str(number) for number in range(len(model.classes) + 1)]
    with torch.device("meta"):
        larger = type(model)(model.config, ClassMap.from_names(names), model.preprocess)
    ours = model.state_dict()
    return frozenset(n for n, t in larger.state_dict().items() if t.shape != ours[n].shape)
