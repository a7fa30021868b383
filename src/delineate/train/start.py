"""Weights to begin with: a published backbone, or a whole model trained before."""

from collections.abc import Collection

import torch

from delineate.core.classes import ClassMap
from delineate.errors import ConfigError, ModelError
from delineate.models.api import SegModel
from delineate.weights.hub import WEIGHTS
from delineate.weights.load import load, load_backbone


def give_start(model: SegModel, spec: str | None) -> tuple[str, ...]:
    """Replace the random weights of a new model.

    Layers whose shape depends on the number of classes are taken over from a model of the same
    classes only; else they stay random. So does a whole part that the other model lacks: the mask
    head of a DETR on weights for boxes, the stuff head on a model without one.

    Args:
        model: The new model.
        spec: ``name:tag`` of a published backbone or model, a file, or a run folder; None leaves
            everything random.

    Returns:
        The parts that the other model lacks.

    Raises:
        ConfigError: What the model is not to learn would stay random.
        ModelError: There are no such weights, or they are those of another network.
        DownloadError: They cannot be fetched.
    """
    if spec is None or (spec in WEIGHTS and WEIGHTS[spec].classes is None):
        if spec is not None:
            load_backbone(model, spec)
        _check_frozen(model, ())
        return ()
    donor = load(spec)
    wanted = {name: tensor.shape for name, tensor in model.state_dict().items()}
    heads = _class_layers(model, donor)
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
    _check_frozen(model, taken)
    model.load_state_dict(taken, strict=False)
    return tuple(sorted({_part(name) for name in wanted} - parts))


def _check_frozen(model: SegModel, taken: Collection[str]) -> None:
    """Refuse to train on parts that neither learn nor have learnt."""
    for name, parameter in model.named_parameters():
        if not parameter.requires_grad and name not in taken and _part(name) != "backbone":
            raise ConfigError(
                f"expected weights for {_part(name)}, which this recipe does not train, but they "
                "would stay random: set pretrained to a run of the step before, on the same "
                "classes."
            )


def _part(name: str) -> str:
    return name.split(".")[0]


def _shape(tensors: dict[str, torch.Tensor], name: str) -> torch.Size | None:
    return tensors[name].shape if name in tensors else None


def _class_layers(model: SegModel, donor: SegModel) -> frozenset[str]:
    """Return the names of the tensors of `model` that belong to classes which `donor` lacks.

    They are those that would have another shape with one class more.
    """
    things, config = model.classes, model.config
    if donor.classes.names != model.classes.names:
        things = _one_more(model.classes)
    if len(config.stuff) and donor.config.stuff.names != config.stuff.names:
        config = config.with_stuff(_one_more(config.stuff))
    with torch.device("meta"):
        larger = type(model)(config, things, model.preprocess).state_dict()
    return frozenset(n for n, t in model.state_dict().items() if larger[n].shape != t.shape)


def _one_more(classes: ClassMap) -> ClassMap:
    return ClassMap.from_names([str(number) for number in range(len(classes) + 1)])
