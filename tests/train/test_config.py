"""The config as text: strict, helpful, and back again without loss."""

import dataclasses
import json

import pytest
from tiny_run import tiny_config

from delineate.errors import ConfigError
from delineate.train.config import (
    AugmentConfig,
    BudgetConfig,
    OptimConfig,
    TrainConfig,
    from_dict,
    from_yaml,
    known_paths,
    to_dict,
    to_yaml,
    with_settings,
    with_value,
)
from delineate.transforms.presets import PRESETS


@pytest.fixture
def config() -> TrainConfig:
    return tiny_config()


def test_yaml_gives_back_an_equal_config(config):
    config = dataclasses.replace(config, optim=OptimConfig(lr=1e-05, clip_norm=None))
    assert from_yaml(to_yaml(config)) == config


def test_yaml_keeps_lists_on_one_line(config):
    assert "  scale: [0.7, 1.4]\n" in to_yaml(config)


def test_dictionary_is_plain_json(config):
    assert json.loads(json.dumps(to_dict(config))) == to_dict(config)


def test_missing_fields_of_yaml_have_their_defaults(config):
    values = to_dict(config)
    del values["optim"], values["seed"]
    assert from_dict(values).optim == OptimConfig()


@pytest.mark.parametrize(
    ("path", "text", "value"),
    [
        ("optim.lr", "1e-4", 1e-4),
        ("optim.lr", "3", 3.0),
        ("optim.clip_norm", "null", None),
        ("optim.name", "sgd", "sgd"),
        ("optim.milestones", "[0.5, 0.75]", (0.5, 0.75)),
        ("augment.quarter_turns", "true", True),
        ("data.workers", "auto", "auto"),
        ("model.anchor_sizes", "[[8], [16.5], [32], [64]]", ((8,), (16.5,), (32,), (64,))),
        ("model.backbone", "resnet18", "resnet18"),
        ("pretrained", "18", "18"),
        ("pretrained", "2020-13-45", "2020-13-45"),
        ("pretrained", "null", None),
        ("tensorboard", "true", True),
        ("preprocess.min_size", "320", 320),
        ("seed", 7, 7),
    ],
)
def test_with_value_reads_text_as_the_option_wants_it(config, path, text, value):
    found = with_value(config, path, text)
    for name in path.split("."):
        found = getattr(found, name)
    assert found == value
    assert type(found) is type(value)


def test_with_value_leaves_the_original_alone(config):
    with_value(config, "optim.lr", "0.5")
    assert config.optim.lr == 2e-3


def test_with_value_sets_a_section(config):
    assert with_value(config, "augment", "{crop: 96, flip: 0}").augment == AugmentConfig(
        crop=96, flip=0
    )


def test_naming_one_budget_takes_back_the_other(config):
    assert with_value(config, "budget.minutes", "18").budget == BudgetConfig(minutes=18)


@pytest.mark.parametrize(
    ("path", "text", "sentence"),
    [
        ("optim.lrr", "1", r"unknown option 'optim\.lrr': did you mean .*optim\.lr or"),
        ("lr", "1", r"unknown option 'lr': did you mean optim\.lr\?"),
        ("zzz", "1", r"unknown option 'zzz': choose one of model, preprocess, "),
        ("optim.lr", "fast", r"option optim\.lr should be a valid number, but is 'fast'"),
        ("optim.lr", "-1", r"option optim\.lr should be greater than 0, but is -1"),
        ("optim.lr", ".nan", r"option optim\.lr should be a finite number"),
        ("optim.name", "adam", r"option optim\.name should be 'adamw' or 'sgd', but is 'adam'"),
        ("batch_size", "1.5", r"option batch_size should be a valid integer.*1\.5"),
        ("batch_size", "true", r"option batch_size should be a valid integer.*True"),
        ("data.workers", "many", r"option data\.workers should be .*, or 'auto', but is 'many'"),
        ("augment.scale", "[2, 1]", r"augment\.scale should be \(smallest, largest\)"),
        ("augment.scale", "[1]", r"option augment\.scale has too few values"),
        ("optim", "5", r"option optim should be an object, but is 5"),
        ("budget.minutes", "null", r"budget needs exactly one"),
        ("budget", "{steps: 1, minutes: 2}", r"exactly one .*has steps and minutes"),
        ("optim", "{lrr: 1}", r"unknown option 'optim\.lrr'"),
        ("optim.milestones", "[1", r"expected YAML"),
        ("batch_size", "2020-13-45", r"batch_size: expected YAML, but month must be in 1..12"),
        ("batch_size", "!!int foo", r"expected YAML, but invalid literal"),
        ("batch_size", "!!bool foo", r"expected YAML"),
        ("seed", "9" * 5000, r"expected YAML, but .*4300 digits"),
        ("seed", "0x" + "f" * 5000, r"a config holds only .*4300 digits"),
        ("batch_size", "[" * 5000, r"nested too deeply"),
        ("augment.brightness", "1.5", r"augment\.brightness should be less than or equal to 1"),
        ("augment.contrast", "2", r"option augment\.contrast should be"),
        ("augment.saturation", "-0.1", r"option augment\.saturation should be"),
        ("model.fpn_channels", "-4", r"`fpn_channels` to be at least 1, got -4"),
        ("model.anchor_sizes", "[[8]]", r"anchor_sizes"),
    ],
)
def test_with_value_says_what_is_wrong(config, path, text, sentence):
    with pytest.raises(ConfigError, match=sentence):
        with_value(config, path, text)


def test_settings_are_checked_together(config):
    """Each of these alone would contradict the rest."""
    changed = with_settings(
        config,
        [
            "model.neck=none",
            "model.backbone_strides=[16]",
            "model.anchor_sizes=[[8, 16]]",
            "seed=1",
        ],
    )
    assert (changed.model.neck, changed.model.backbone_strides, changed.seed) == ("none", (16,), 1)


def test_a_section_can_be_set_and_then_changed(config):
    changed = with_settings(config, ["optim={lr: 0.5}", "optim.name=sgd"])
    assert changed.optim == OptimConfig(lr=0.5, name="sgd")


def test_a_setting_needs_an_equals_sign(config):
    with pytest.raises(ConfigError, match="option=value, but is"):
        with_settings(config, ["optim.lr"])


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("", "a YAML mapping"),
        ("[1, 2]", "a YAML mapping"),
        ("a: [", "expected YAML"),
        ("seed: 1\nseed: 2\n", "seed comes twice"),
        ("seed: 1\n", "option model is missing"),
        ("x: !!python/object/apply:os.system [ls]", "expected YAML"),
    ],
)
def test_yaml_that_is_no_config(text, sentence):
    with pytest.raises(ConfigError, match=sentence):
        from_yaml(text)


def test_every_field_has_its_sentence():
    """A string stands after each field of each section, for the reader and for a form."""
    import ast
    import inspect

    from delineate.train import config
    from delineate.transforms import augment

    missing = []
    for cls in [node for m in (config, augment) for node in ast.parse(inspect.getsource(m)).body]:
        if isinstance(cls, ast.ClassDef) and cls.name.endswith("Config"):
            for field, after in zip(cls.body, [*cls.body[1:], None], strict=True):
                is_section = (
                    ast.unparse(field).split(":")[-1].strip().split(" ")[0].endswith("Config")
                )
                is_text = isinstance(after, ast.Expr) and isinstance(after.value, ast.Constant)
                if isinstance(field, ast.AnnAssign) and not is_section and not is_text:
                    missing.append(f"{cls.name}.{ast.unparse(field.target)}")
    assert not missing


def test_a_preset_sets_the_options_it_names_and_is_saved_as_them(config):
    strong = with_value(config, "augment.preset", "strong")
    assert strong.augment == dataclasses.replace(PRESETS["mask_rcnn"]["strong"], crop=64)
    assert strong == dataclasses.replace(config, augment=strong.augment)
    assert "preset" not in to_yaml(strong)
    assert from_yaml(to_yaml(strong)) == strong


def test_single_options_differ_from_a_preset_whichever_comes_first(config):
    first = with_settings(config, ["augment.flip=0.1", "seed=3", "augment.preset=strong"])
    last = with_settings(config, ["augment.preset=strong", "seed=3", "augment.flip=0.1"])
    assert first == last
    assert first.augment == dataclasses.replace(PRESETS["mask_rcnn"]["strong"], crop=64, flip=0.1)


def test_the_last_of_two_presets_counts(config):
    both = with_settings(config, ["augment.preset=strong", "augment.preset=none"])
    assert both.augment == dataclasses.replace(PRESETS["mask_rcnn"]["none"], crop=64)


@pytest.mark.parametrize("before", ["none", "light"])
def test_a_preset_after_another_keeps_what_the_recipe_knows_of_its_pictures(config, before):
    recipe = with_settings(config, ["augment.vertical_flip=0.5", "augment.quarter_turns=true"])
    strong = with_value(recipe, "augment.preset", "strong")
    assert (strong.augment.vertical_flip, strong.augment.quarter_turns) == (0.5, True)
    both = with_settings(recipe, [f"augment.preset={before}", "augment.preset=strong"])
    assert both == strong


def test_a_preset_that_another_replaces_must_be_one_too(config):
    with pytest.raises(ConfigError, match="unknown augmentation 'sturdy'"):
        with_settings(config, ["augment.preset=sturdy", "augment.preset=strong"])


def test_a_preset_is_that_of_the_family():
    config = with_value(from_dict(detr()), "augment.preset", "standard")
    assert config.augment.scale == PRESETS["detr"]["standard"].scale


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("strnog", "unknown augmentation 'strnog': did you mean 'strong'"),
        ("7", "unknown augmentation '7': choose one of light, none, standard, strong"),
        ("null", "unknown augmentation 'null'"),
    ],
)
def test_an_unknown_preset_is_said(config, text, sentence):
    with pytest.raises(ConfigError, match=sentence):
        with_value(config, "augment.preset", text)


def test_a_name_close_to_the_preset_is_known(config):
    with pytest.raises(ConfigError, match=r"did you mean augment\.preset"):
        with_value(config, "augment.preest", "strong")
    with pytest.raises(ConfigError, match=r"unknown option 'augment\.preset'"):
        from_yaml(to_yaml(config).replace("augment:\n", "augment:\n  preset: strong\n"))


def test_known_paths_are_leaves_and_sections():
    assert {"optim", "optim.lr", "model.backbone", "seed"} <= set(known_paths("mask_rcnn"))
    assert "optim" not in known_paths("mask_rcnn", leaves=True)


def detr(**model):
    values = to_dict(tiny_config())
    return {**values, "anchors": "model", "model": {"family": "detr", **model}}


def test_every_family_has_its_own_options():
    config = from_dict(detr(heads=4, channels=64, masks=False))
    assert from_yaml(to_yaml(config)) == config
    assert with_value(config, "model.heads", "2").model.heads == 2
    assert "model.heads" in known_paths("detr")
    assert "model.heads" not in known_paths("mask_rcnn")


@pytest.mark.parametrize(
    ("values", "sentence"),
    [
        (detr(rpn_convs=2), "unknown option 'model.rpn_convs'"),
        (detr(head=2), "unknown option 'model.head': did you mean model.heads"),
        (detr(heads="two"), "option model.heads should be"),
        (detr(heads=0), "heads"),
        (
            {**detr(), "model": {"family": "yolo"}},
            "model.family should be .*yolo",
        ),
        ({**detr(), "model": {}}, "model.family should be .*missing"),
    ],
)
def test_what_a_family_lacks_is_one_sentence(values, sentence):
    with pytest.raises(ConfigError, match=sentence):
        from_dict(values)


def yolact(**model):
    return {**to_dict(tiny_config()), "model": {"family": "yolact", **model}}


def test_a_yolact_has_options_of_its_own():
    config = from_dict(yolact(nms="traditional", anchor_sizes=[[8], [16], [32], [64], [128]]))
    assert from_yaml(to_yaml(config)) == config
    assert config.model.anchor_sizes == ((8,), (16,), (32,), (64,), (128,))
    assert with_value(config, "model.proto_scale", "1").model.proto_scale == 1
    for values, sentence in [
        (yolact(rpn_convs=2), r"unknown option 'model\.rpn_convs'"),
        (yolact(prototype=2), r"'model\.prototype': did you mean model\.prototypes"),
        (yolact(nms="soft"), r"option model\.nms should be .* but is 'soft'"),
        (yolact(pre_nms=0), "`pre_nms` to be at least 1"),
    ]:
        with pytest.raises(ConfigError, match=sentence):
            from_dict(values)


def test_an_option_of_another_family_is_unknown():
    with pytest.raises(ConfigError, match=r"unknown option 'model.rpn_convs'"):
        with_value(from_dict(detr()), "model.rpn_convs", "2")
