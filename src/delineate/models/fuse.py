"""Make an inference copy of a model: batch norms folded away, memory laid out for speed."""

import copy
import itertools
from typing import TypeVar

import torch
from torch import nn

from delineate.models.layers import ConvNorm, FrozenBatchNorm2d, MapLinear
from delineate.models.onednn import ConvReLU, FusedResidual, can_fuse
from delineate.models.resnet import BasicBlock, Bottleneck, ResNet

Model = TypeVar("Model", bound=nn.Module)


def optimize_for_inference(model: Model) -> Model:
    """Return a copy that detects the same, faster; the model itself is left as it is.

    Batch norms, trained or frozen, become part of the convolutions before them, and ReLUs and the
    sums of residual blocks are computed with the convolution (`delineate.models.onednn`). Weights
    are laid out channels last. The copy is in evaluation mode, has no gradients, and is not for
    saving: its state dict has other keys. Results differ from the model's own by rounding only.
    """
    copied = copy.deepcopy(model).eval().requires_grad_(False)
    for module in copied.modules():
        if isinstance(module, ResNet | BasicBlock | Bottleneck):
            for number in (1, 2, 3):
                if hasattr(module, f"conv{number}"):
                    fold(module, f"conv{number}", f"bn{number}")
        elif type(module) in (nn.Sequential, ConvNorm):
            for first, second in itertools.pairwise(module._modules):
                fold(module, first, second)
        elif isinstance(module, MapLinear):
            module.read_channels_last()
    for module in list(copied.modules()):
        join_activations(module)
    return copied.to(memory_format=torch.channels_last)


def join_activations(parent: nn.Module) -> None:
    """Join convolutions with what follows them, in the children of a module, in place."""
    earlier: nn.Module | None = None  # the child that alone feeds this one
    for name, child in parent.named_children():
        overwrites = isinstance(earlier, BasicBlock | Bottleneck)
        earlier = child if isinstance(parent, nn.Sequential) else None
        if isinstance(child, BasicBlock | Bottleneck):
            convs = [getattr(child, f"conv{n}") for n in (1, 2, 3) if hasattr(child, f"conv{n}")]
            norms = [getattr(child, f"bn{n}") for n in range(1, len(convs) + 1)]
            if all(isinstance(norm, nn.Identity) for norm in norms):
                fused = FusedResidual(convs, child.downsample, overwrites=overwrites)
                setattr(parent, name, fused)
    if type(parent) in (nn.Sequential, ConvNorm):
        layers = [(n, m) for n, m in parent.named_children() if not isinstance(m, nn.Identity)]
        for (first, conv), (second, relu) in itertools.pairwise(layers):
            if can_fuse(conv) and type(relu) is nn.ReLU:
                setattr(parent, first, ConvReLU(conv))
                setattr(parent, second, nn.Identity())


@torch.no_grad()
def fold(parent: nn.Module, conv_name: str, norm_name: str) -> None:
    """Merge a batch norm in evaluation mode into the convolution before it, in place.

    Nothing happens where the two children are not a convolution and a batch norm.
    """
    conv, norm = parent.get_submodule(conv_name), parent.get_submodule(norm_name)
    # Exactly these: subclasses (timm has some) pad, or activate, in the same breath.
    if type(conv) is not nn.Conv2d or type(norm) not in (nn.BatchNorm2d, FrozenBatchNorm2d):
        return
    gain, bias, mean, variance, kernel = (
        tensor.cpu().double()  # on the CPU because not every device has doubles
        for tensor in (norm.weight, norm.bias, norm.running_mean, norm.running_var, conv.weight)
    )
    scale = gain / (variance + norm.eps).sqrt()
    shift = bias - mean * scale
    if conv.bias is not None:
        shift += conv.bias.cpu().double() * scale
    kernel = kernel * scale[:, None, None, None]
    conv.bias = nn.Parameter(shift.to(conv.weight), requires_grad=False)
    conv.weight = nn.Parameter(kernel.to(conv.weight), requires_grad=False)
    setattr(parent, norm_name, nn.Identity())
