"""DETR's key tables against the key lists of the originals, strictly, and back."""

import json
import re

import numpy as np
import pytest
import torch
from torch import Tensor

from delineate.errors import ModelError
from delineate.models.zoo import MODELS, build
from delineate.weights.coco import COCO_IDS, COCO_PANOPTIC_IDS, THINGS
from delineate.weights.detr import LAYOUTS
from delineate.weights.hub import WEIGHTS
from delineate.weights.layout import Layout

BY_NAME = {layout.name: layout for layout in LAYOUTS}
LISTS = {
    "facebook_detr_resnet50": "facebook_detr",
    "facebook_detr_resnet101": "facebook_detr",
    "facebook_detr_resnet50_dc5": "facebook_detr",
    "facebook_detr_resnet101_dc5": "facebook_detr",
    "facebook_detr_resnet50_panoptic": "facebook_detr_panoptic",
    "facebook_detr_resnet101_panoptic": "facebook_detr_panoptic",
    "facebook_detr_resnet50_dc5_panoptic": "facebook_detr_panoptic",
    "hf_DetrForObjectDetection_timm": "huggingface_detr",
    "hf_DetrForSegmentation_timm": "huggingface_detr_panoptic",
    "hf_DetrForSegmentation_hfresnet": "huggingface_detr_panoptic",
}
IN_FILES = (  # from transformers 5 in memory to what its files hold (peers.md, section 4.5)
    ("backbone.model.", "backbone.conv_encoder.model."),
    (".o_proj.", ".out_proj."),
    (".mlp.fc", ".fc"),
    ("bbox_attention.q_proj", "bbox_attention.q_linear"),
    ("bbox_attention.k_proj", "bbox_attention.k_linear"),
    ("mask_head.output_conv", "mask_head.out_lay"),
    *((f"fpn_stages.{k}.fpn_adapter", f"adapter{k + 1}") for k in range(3)),
    *((f"fpn_stages.{k}.refine.conv.", f"lay{k + 3}.") for k in range(3)),
    *((f"fpn_stages.{k}.refine.norm.", f"gn{k + 3}.") for k in range(3)),
    *((f"mask_head.conv{k}.conv.", f"mask_head.lay{k}.") for k in (1, 2)),
    *((f"mask_head.conv{k}.norm.", f"mask_head.gn{k}.") for k in (1, 2)),
)


def in_file(key: str) -> str:
    for memory, file in IN_FILES:
        key = key.replace(memory, file)
    return key


def state_of(path) -> dict[str, Tensor]:
    """Return an entry for each listed key whose values say which entry it is."""
    keys = json.loads(path.read_text())["keys"]
    state = {}
    for number, (key, shape, _) in enumerate(keys):
        values = torch.full((max(1, *shape),), float(number), dtype=torch.float16)
        values[0] += 0.5
        state[key] = values[: shape[0]].view(-1, *[1] * (len(shape) - 1)).expand(shape)
    return state


def read(layout: Layout, state: dict[str, Tensor], **options: object):
    identity = layout.identify(state)
    with torch.device("meta"):
        model = build(identity.model, classes=identity.classes, **identity.options | options)
    ours = layout.to_ours(model, state)
    assert {k: v.shape for k, v in ours.items()} == {
        k: v.shape for k, v in model.state_dict().items()
    }
    return model, ours


@pytest.mark.parametrize("name", LISTS)
def test_every_key_is_read_and_written_back(name, goldens):
    layout, state = BY_NAME[LISTS[name]], state_of(goldens / "keys" / f"{name}.json")
    assert [other.name for other in LAYOUTS if state.keys() >= set(other.marks)] == [layout.name]
    model, ours = read(layout, state)
    model.load_state_dict(ours, assign=True)
    back = layout.to_theirs(model)
    expected = state
    if name.startswith("hf_"):
        expected = {in_file(key): value for key, value in state.items()}
    if name.endswith("hfresnet"):  # written with timm's names, so read once more
        again = layout.to_ours(model, back)
        back, expected = again, ours
    assert back.keys() == expected.keys()
    assert all(torch.equal(back[key], expected[key]) for key in expected)


@pytest.mark.parametrize("name", [name for name in LISTS if name.startswith("hf_")])
def test_names_in_memory_and_in_files_are_the_same_weights(name, goldens):
    layout, state = BY_NAME[LISTS[name]], state_of(goldens / "keys" / f"{name}.json")
    _, memory = read(layout, state)
    _, files = read(layout, {in_file(key): value for key, value in state.items()})
    assert all(torch.equal(files[key], memory[key]) for key in memory)


@pytest.mark.parametrize(
    ("name", "parameters"),
    [("facebook_detr_resnet50", 41_524_768), ("facebook_detr_resnet50_panoptic", 42_899_288)],
)
def test_parameters_are_as_many_as_the_original_s(name, parameters, goldens):
    model, _ = read(BY_NAME[LISTS[name]], state_of(goldens / "keys" / f"{name}.json"))
    assert sum(p.numel() for p in model.parameters()) == parameters


def test_what_a_file_is_of(goldens):
    boxes, panoptic = (
        BY_NAME[LISTS[name]].identify(state_of(goldens / "keys" / f"{name}.json"))
        for name in ("facebook_detr_resnet101", "hf_DetrForSegmentation_hfresnet")
    )
    assert (boxes.model, panoptic.model) == ("detr_resnet101", "detr_resnet50")
    assert (boxes.classes, panoptic.classes) == (COCO_IDS, COCO_PANOPTIC_IDS)
    assert boxes.preprocess == panoptic.preprocess == MODELS["detr_resnet50"].preprocess
    sizes = {"queries": 100, "encoder_layers": 6, "decoder_layers": 6}
    assert boxes.options == {"masks": False, **sizes}
    assert panoptic.options == {"masks": True, "things": THINGS, **sizes}


def test_classes_are_coco_s_own_ids(goldens):
    records = json.loads(bytes(np.load(goldens / "pq_sample_data.npz")["categories.json"]))
    named = {i: name for i, name in enumerate(COCO_PANOPTIC_IDS.names) if "N/A" not in name}
    assert named == {record["id"]: record["name"] for record in records}
    assert all((record["id"] < THINGS) == bool(record["isthing"]) for record in records)
    assert COCO_PANOPTIC_IDS.source_ids == tuple(range(250))
    assert COCO_IDS.source_ids == tuple(range(91))


def test_another_backbone_and_a_lost_projection_are_one_sentence(goldens):
    state = state_of(goldens / "keys" / "hf_DetrForObjectDetection_timm.json")
    layout = BY_NAME["huggingface_detr"]
    with pytest.raises(ModelError, match="got 0: choose another"):
        layout.identify({k: v for k, v in state.items() if ".layer3." not in k})
    state.pop("model.encoder.layers.3.self_attn.k_proj.bias")
    with pytest.raises(ModelError, match=r"layers.3.self_attn.k_proj.bias is missing"):
        read(layout, state)


def test_writing_takes_a_model_that_the_program_has():
    with torch.device("meta"):
        model = build("maskrcnn_resnet50_fpn", classes=3)
    with pytest.raises(ModelError, match=r"DETR without masks .* got MaskRCNN"):
        BY_NAME["facebook_detr"].to_theirs(model)


@pytest.mark.parametrize("spec", [spec for spec in WEIGHTS if spec.startswith("detr_")])
def test_published_records_fit_the_layouts(spec):
    record, (name, tag) = WEIGHTS[spec], spec.split(":")
    assert name in MODELS
    assert record.layout in BY_NAME
    assert re.fullmatch(
        rf"https://dl\.fbaipublicfiles\.com/detr/detr-.*-{record.sha256}\.pth", record.url
    )
    assert len(record.sha256) == 8
    assert ("dc5" in name, "r101" in record.url) == ("dc5" in record.url, "101" in name)
    panoptic = tag == "coco_panoptic"
    assert record.classes is (COCO_PANOPTIC_IDS if panoptic else COCO_IDS)
    assert (record.mask_ap is not None, record.pq is not None) == (panoptic, panoptic)
    assert ("panoptic" in record.url) == panoptic
    assert record.licence.startswith("Apache-2.0")
