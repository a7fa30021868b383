"""DETR's checkpoints: facebookresearch's own, and Hugging Face's of the same weights.

Facebookresearch's box models stand alone; in its panoptic models everything but the mask head has
the prefix ``detr.``. Hugging Face's files have the names of transformers 4, which version 5 writes
too but does not use in memory; both are read, and the files' are written. Their backbones are
called as timm's are, or (``no_timm``) as transformers' own.

A DC5 model has the names and shapes of the one without: no file tells. Such weights are loaded by
the name of a published file, or into a model of the right name.
"""

import re
from collections.abc import Mapping

import torch
from torch import Tensor

from delineate.core.classes import ClassMap
from delineate.errors import ModelError
from delineate.models.api import SegModel
from delineate.models.detr.model import DETR
from delineate.models.detr.zoo import DETECTION
from delineate.weights.coco import COCO_IDS, COCO_PANOPTIC_IDS, THINGS
from delineate.weights.keymap import Table, to_ours, to_theirs
from delineate.weights.layout import Identity, Layout, State

_DEPTHS = {6: "detr_resnet50", 23: "detr_resnet101"}  # blocks of the third stage
_PACKED = ("q_proj", "k_proj", "v_proj")  # in this order in one matrix

# -- backbones -----------------------------------------------------------------------------------


def _torchvision_body(theirs: str) -> Table:
    names = ("conv1.weight", "bn1.{norm}")
    blocks = ("conv{k}.weight", "bn{k}.{norm}", "downsample.0.weight", "downsample.1.{norm}")
    names += tuple(f"layer{{n}}.{{i}}.{name}" for name in blocks)
    return [(f"{theirs}{name}", f"backbone.{name}") for name in names]


def _transformers_body(theirs: str) -> Table:
    """Return the rows of transformers' own ResNet, which counts stages and convolutions from 0."""
    stem = f"{theirs}embedder.embedder."
    rows = [
        (f"{stem}convolution.weight", "backbone.conv1.weight"),
        (f"{stem}normalization.{{norm}}", "backbone.bn1.{norm}"),
    ]
    for stage in range(4):
        block = f"{theirs}encoder.stages.{stage}.layers.{{i}}."
        ours = f"backbone.layer{stage + 1}.{{i}}."
        pairs = [(f"layer.{k}.", f"conv{k + 1}.", f"bn{k + 1}.") for k in range(3)]
        for part, conv, norm in (*pairs, ("shortcut.", "downsample.0.", "downsample.1.")):
            rows.append((f"{block}{part}convolution.weight", f"{ours}{conv}weight"))
            rows.append((f"{block}{part}normalization.{{norm}}", f"{ours}{norm}{{norm}}"))
    return rows


# -- facebookresearch ----------------------------------------------------------------------------


def _attention(theirs: str, ours: str) -> Table:
    return [
        (f"{theirs}.in_proj_weight", f"{ours}.in_proj_weight"),
        (f"{theirs}.in_proj_bias", f"{ours}.in_proj_bias"),
        (f"{theirs}.out_proj.{{wb}}", f"{ours}.out_proj.{{wb}}"),
    ]


def _facebook_boxes(prefix: str) -> Table:
    encoder, decoder = (f"{prefix}transformer.{half}.layers.{{i}}" for half in _HALVES)
    ours_encoder, ours_decoder = (f"transformer.{half}.{{i}}" for half in _HALVES)
    return [
        *_torchvision_body(f"{prefix}backbone.0.body."),
        (f"{prefix}input_proj.{{wb}}", "input_projection.{wb}"),
        (f"{prefix}query_embed.weight", "queries.weight"),
        *_attention(f"{encoder}.self_attn", f"{ours_encoder}.self_attention"),
        (f"{encoder}.linear{{k}}.{{wb}}", f"{ours_encoder}.feedforward.linear{{k}}.{{wb}}"),
        (f"{encoder}.norm{{k}}.{{wb}}", f"{ours_encoder}.norm{{k}}.{{wb}}"),
        *_attention(f"{decoder}.self_attn", f"{ours_decoder}.self_attention"),
        *_attention(f"{decoder}.multihead_attn", f"{ours_decoder}.cross_attention"),
        (f"{decoder}.linear{{k}}.{{wb}}", f"{ours_decoder}.feedforward.linear{{k}}.{{wb}}"),
        (f"{decoder}.norm{{k}}.{{wb}}", f"{ours_decoder}.norm{{k}}.{{wb}}"),
        (f"{prefix}transformer.decoder.norm.{{wb}}", "transformer.norm.{wb}"),
        (f"{prefix}class_embed.{{wb}}", "class_head.{wb}"),
        *_box_head(f"{prefix}bbox_embed"),
    ]


def _box_head(theirs: str) -> Table:
    return [(f"{theirs}.layers.{k}.{{wb}}", f"box_head.{2 * k}.{{wb}}") for k in range(3)]


def _facebook_masks(query: str, key: str) -> Table:
    """Return the rows of the mask head, whose layers count from 1."""
    rows = [
        (f"bbox_attention.{query}.{{wb}}", "mask_attention.query.{wb}"),
        (f"bbox_attention.{key}.{{wb}}", "mask_attention.key.{wb}"),
        ("mask_head.out_lay.{wb}", "mask_head.logits.{wb}"),
    ]
    for k in range(5):
        rows.append((f"mask_head.lay{k + 1}.{{wb}}", f"mask_head.convs.{k}.{{wb}}"))
        rows.append((f"mask_head.gn{k + 1}.{{wb}}", f"mask_head.norms.{k}.{{wb}}"))
    for k in range(3):
        rows.append((f"mask_head.adapter{k + 1}.{{wb}}", f"mask_head.adapters.{k}.{{wb}}"))
    return rows


_HALVES = ("encoder", "decoder")
FACEBOOK_BOXES: Table = _facebook_boxes("")
FACEBOOK_PANOPTIC: Table = [*_facebook_boxes("detr."), *_facebook_masks("q_linear", "k_linear")]

# -- Hugging Face, after its three projections are packed ------------------------------------------


def _huggingface_boxes(prefix: str, *, in_memory: bool, timm: bool) -> Table:
    """Return the rows of one spelling.

    Args:
        prefix: ``"detr."`` in a model with masks.
        in_memory: The names that transformers 5 uses in memory, else those in files.
        timm: Whether the backbone is called as timm's.
    """
    model = f"{prefix}model."
    body = f"{model}backbone.model." if in_memory else f"{model}backbone.conv_encoder.model."
    out = "o_proj" if in_memory else "out_proj"
    linear = "mlp.fc{k}" if in_memory else "fc{k}"
    rows = [
        *(_torchvision_body(body) if timm else _transformers_body(body)),
        (f"{model}input_projection.{{wb}}", "input_projection.{wb}"),
        (f"{model}query_position_embeddings.weight", "queries.weight"),
        (f"{model}decoder.layernorm.{{wb}}", "transformer.norm.{wb}"),
        (f"{prefix}class_labels_classifier.{{wb}}", "class_head.{wb}"),
        *_box_head(f"{prefix}bbox_predictor"),
    ]
    attentions = {"encoder": ("self",), "decoder": ("self", "encoder")}
    for half, kinds in attentions.items():
        theirs, ours = f"{model}{half}.layers.{{i}}.", f"transformer.{half}.{{i}}."
        for number, kind in enumerate(kinds, start=1):
            name = f"{ours}{'self' if kind == 'self' else 'cross'}_attention"
            rows += [
                (f"{theirs}{kind}_attn.in_proj_weight", f"{name}.in_proj_weight"),
                (f"{theirs}{kind}_attn.in_proj_bias", f"{name}.in_proj_bias"),
                (f"{theirs}{kind}_attn.{out}.{{wb}}", f"{name}.out_proj.{{wb}}"),
                (f"{theirs}{kind}_attn_layer_norm.{{wb}}", f"{ours}norm{number}.{{wb}}"),
            ]
        rows.append((f"{theirs}{linear}.{{wb}}", f"{ours}feedforward.linear{{k}}.{{wb}}"))
        rows.append((f"{theirs}final_layer_norm.{{wb}}", f"{ours}norm{len(kinds) + 1}.{{wb}}"))
    return rows


def _memory_masks() -> Table:
    """Return the rows of the mask head under the names that transformers 5 uses in memory."""
    rows = [
        ("bbox_attention.q_proj.{wb}", "mask_attention.query.{wb}"),
        ("bbox_attention.k_proj.{wb}", "mask_attention.key.{wb}"),
        ("mask_head.output_conv.{wb}", "mask_head.logits.{wb}"),
    ]
    stages = [f"fpn_stages.{k}.refine" for k in range(3)]
    for k, name in enumerate(("conv1", "conv2", *stages)):
        rows.append((f"mask_head.{name}.conv.{{wb}}", f"mask_head.convs.{k}.{{wb}}"))
        rows.append((f"mask_head.{name}.norm.{{wb}}", f"mask_head.norms.{k}.{{wb}}"))
    for k in range(3):
        theirs = f"mask_head.fpn_stages.{k}.fpn_adapter.{{wb}}"
        rows.append((theirs, f"mask_head.adapters.{k}.{{wb}}"))
    return rows


def _huggingface(state: State, prefix: str) -> Table:
    """Return the table of the spelling that a state dict has."""
    in_memory = not any(".conv_encoder." in key for key in state)
    timm = not any(".embedder.embedder." in key for key in state)
    rows = [*_huggingface_boxes(prefix, in_memory=in_memory, timm=timm)]
    if prefix:
        rows += _memory_masks() if in_memory else _facebook_masks("q_linear", "k_linear")
    return rows


def pack(state: State) -> dict[str, Tensor]:
    """Join the three input projections of every attention, as both programs and we read them.

    Raises:
        ModelError: One of three is missing.
    """
    packed = {key: value for key, value in state.items() if not _is_part(key)}
    for key in state:
        if _is_part(key) and f".{_PACKED[0]}." in key:
            names = [key.replace(f".{_PACKED[0]}.", f".{part}.") for part in _PACKED]
            if missing := [name for name in names if name not in state]:
                raise ModelError(
                    f"expected queries, keys and values of every attention, and {missing[0]} is "
                    "missing: get the file again."
                )
            joined = key.replace(f".{_PACKED[0]}.", ".in_proj_")
            packed[joined] = torch.cat([state[name] for name in names])
    return packed


def unpack(state: State) -> dict[str, Tensor]:
    """Split what `pack` joins, into tensors of their own."""
    split: dict[str, Tensor] = {}
    for key, value in state.items():
        if ".in_proj_" not in key:
            split[key] = value
            continue
        for name, part in zip(_PACKED, value.chunk(3), strict=True):
            split[key.replace(".in_proj_", f".{name}.")] = part.clone()
    return split


def _is_part(key: str) -> bool:
    return "_attn." in key and any(f".{part}." in key for part in _PACKED)


# -- layouts ---------------------------------------------------------------------------------------


def identify(state: Mapping[str, Tensor], *, scores: str, queries: str, masks: bool) -> Identity:
    """Tell which DETR a state dict is of.

    Args:
        state: Under their names.
        scores: The entry of the class head's weights.
        queries: The entry of the queries.
        masks: Whether it has a mask head.

    Raises:
        ModelError: The backbone is neither ResNet-50 nor ResNet-101.
    """
    stage = re.compile(r".*(?:\.layer3\.|\.stages\.2\.layers\.)(\d+)\..*")
    blocks = {match[1] for key in state if (match := stage.fullmatch(key))}
    if len(blocks) not in _DEPTHS:
        raise ModelError(
            "expected a DETR with ResNet-50 or ResNet-101, 6 or 23 blocks in the third stage, got "
            f"{len(blocks)}: choose another checkpoint."
        )
    count = len(state[scores]) - 1
    options: dict[str, object] = {"masks": masks, "queries": len(state[queries])}
    known = {len(table): table for table in (COCO_IDS, COCO_PANOPTIC_IDS)}
    classes = known.get(count) or ClassMap.from_names([f"class {n + 1}" for n in range(count)])
    if classes is COCO_PANOPTIC_IDS:
        options["things"] = THINGS
    for half in _HALVES:
        layer = re.compile(rf".*\b{half}\.layers\.(\d+)\..*_attn\..*")
        options[f"{half}_layers"] = len({m[1] for key in state if (m := layer.fullmatch(key))})
    return Identity(
        model=_DEPTHS[len(blocks)], classes=classes, preprocess=DETECTION, options=options
    )


def _write(model: SegModel, table: Table, *, masks: bool, what: str) -> dict[str, Tensor]:
    backbone = model.config.backbone if isinstance(model, DETR) else None
    if backbone not in ("resnet50", "resnet101") or model.config.masks != masks:
        raise ModelError(
            f"expected a DETR {what} masks on ResNet-50 or ResNet-101, got "
            f"{type(model).__name__} on {model.config.backbone}: choose the form that fits."
        )
    return to_theirs(model.state_dict(), table)


def _layout(name: str, *, masks: bool) -> Layout:
    prefix, what = ("detr.", "with") if masks else ("", "without")
    facebook = name.startswith("facebook")
    model = prefix if facebook else f"{prefix}model."
    scores = f"{prefix}{'class_embed' if facebook else 'class_labels_classifier'}.weight"
    queries = f"{model}{'query_embed' if facebook else 'query_position_embeddings'}.weight"
    last = f"{model}{'transformer.decoder.norm' if facebook else 'decoder.layernorm'}.weight"
    plain = FACEBOOK_PANOPTIC if masks else FACEBOOK_BOXES
    written = [*_huggingface_boxes(prefix, in_memory=False, timm=True)]
    if masks:
        written += _facebook_masks("q_linear", "k_linear")

    def read(ours: SegModel, state: State) -> dict[str, Tensor]:
        wanted = ours.state_dict().keys()
        if facebook:
            return to_ours(state, plain, wanted)
        return to_ours(pack(state), _huggingface(state, prefix), wanted)

    def write(ours: SegModel) -> dict[str, Tensor]:
        if facebook:
            return _write(ours, plain, masks=masks, what=what)
        return unpack(_write(ours, written, masks=masks, what=what))

    return Layout(
        name=name,
        marks=(scores, queries, last),
        identify=lambda s: identify(s, scores=scores, queries=queries, masks=masks),
        to_ours=read,
        to_theirs=write,
    )


LAYOUTS: tuple[Layout, ...] = (
    _layout("facebook_detr", masks=False),
    _layout("facebook_detr_panoptic", masks=True),
    _layout("huggingface_detr", masks=False),
    _layout("huggingface_detr_panoptic", masks=True),
)
"""Every way in which DETR's weights are written down."""
