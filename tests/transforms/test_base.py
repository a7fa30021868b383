from dataclasses import replace

import numpy as np

from delineate.core.instances import Instances
from delineate.data.sample import Sample
from delineate.transforms.base import Compose

SAMPLE = Sample(
    image=np.zeros((1, 1, 3), np.uint8), instances=Instances.empty((1, 1)), image_id=1, name="a"
)


def append(letter):
    return lambda sample, rng: replace(sample, name=sample.name + letter)


def draw(sample, rng):
    return replace(sample, name=f"{sample.name} {rng.integers(1000)}")


def test_transforms_apply_in_order():
    chain = Compose((append("b"), append("c")))
    assert chain(SAMPLE, np.random.default_rng(0)).name == "abc"
    assert SAMPLE.name == "a"


def test_they_draw_from_one_generator_one_after_another():
    rng = np.random.default_rng(5)
    first, second = rng.integers(1000), rng.integers(1000)
    assert Compose((draw, draw))(SAMPLE, np.random.default_rng(5)).name == f"a {first} {second}"


def test_no_transforms_return_the_very_sample():
    assert Compose()(SAMPLE, np.random.default_rng(0)) is SAMPLE
