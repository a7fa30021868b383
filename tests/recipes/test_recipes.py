"""Recipes are whole configs that fit their models."""

import pytest

from delineate.errors import ConfigError
from delineate.models.zoo import build
from delineate.recipes.table import RECIPES, recipe_by_name
from delineate.train.config import from_yaml, to_yaml
from delineate.weights.hub import WEIGHTS


@pytest.mark.parametrize("name", RECIPES)
def test_recipe_is_valid_and_survives_yaml(name):
    config = recipe_by_name(name)
    assert from_yaml(to_yaml(config)) == config
    assert config.pretrained is None or config.pretrained in WEIGHTS


@pytest.mark.parametrize("name", RECIPES)
def test_recipe_says_how_it_is_run(name):
    text = RECIPES[name].__doc__
    assert f"--recipe {name} " in text
    assert "Hardware:" in text
    assert "AP: " in text or "PQ: " in text


def test_nano_is_small():
    config = recipe_by_name("mask_rcnn_nano")
    model = build(config.model, classes=1, preprocess=config.preprocess)
    assert sum(p.numel() for p in model.parameters()) < 5e6


def test_unknown_recipe_names_the_nearest():
    with pytest.raises(ConfigError, match="did you mean 'mask_rcnn_nano'"):
        recipe_by_name("maskrcnn_nano")
