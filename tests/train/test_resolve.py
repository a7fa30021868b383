"""What "auto" becomes."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from tiny_run import scenes, tiny_config

from delineate.core.instances import Instances
from delineate.core.preprocess import Preprocess
from delineate.data.derived import Concat, Subset
from delineate.data.synthetic import SyntheticScenes
from delineate.errors import ConfigError, DataError
from delineate.models.mask_rcnn.config import MaskRCNNConfig
from delineate.models.yolact.config import YolactConfig
from delineate.train.anchors import Shapes, fit_ratios, fit_sizes, object_shapes
from delineate.train.balance import samples_per_image
from delineate.train.config import (
    AugmentConfig,
    BudgetConfig,
    DataConfig,
    OptimConfig,
    to_yaml,
    with_value,
)
from delineate.train.resolve import resolve

AS_IS = Preprocess(resize="factor")
FPN = MaskRCNNConfig(backbone_strides=(4, 8, 16, 32), fpn_extra_level=True)


class Boxes(Subset):
    """The pictures of a data set with other boxes."""

    def __init__(self, boxes, crowd=None, labels=None):
        super().__init__(scenes(len(boxes)), range(len(boxes)))
        self._boxes, self._crowd, self._labels = boxes, crowd, labels

    def instances(self, index):
        boxes = np.array(self._boxes[index], dtype=np.float32).reshape(-1, 4)
        return Instances(
            image_size=(64, 64),
            boxes=boxes,
            labels=np.array(self._labels[index] if self._labels else [0] * len(boxes), np.int64),
            crowd=None if self._crowd is None else np.array(self._crowd[index]),
        )


def squares(sides):
    return Shapes(np.asarray(sides), np.ones(len(sides)), np.ones(len(sides)))


def test_sides_are_roots_of_areas_in_the_networks_pixels():
    data = Boxes([[[0, 0, 4, 9]], [[0, 0, 10, 10], [1, 1, 2, 2]]])
    assert object_shapes(data, AS_IS).sides.tolist() == [6, 10, 1]
    by_factor = Preprocess(resize="factor", factor=2.0)
    to_size = Preprocess(min_size=128, max_size=999)
    for doubled in (by_factor, to_size):
        assert object_shapes(data, doubled).sides.tolist() == [12, 20, 2]


def test_crowds_are_no_objects():
    data = Boxes([[[0, 0, 4, 9], [0, 0, 64, 64]]], crowd=[[False, True]])
    assert object_shapes(data, AS_IS).sides.tolist() == [6]
    with pytest.raises(DataError, match="none of its 1 images has any"):
        object_shapes(Boxes([[[0, 0, 4, 9]]], crowd=[[True]]), AS_IS)


def test_a_single_object_in_thousands_of_images_is_found(monkeypatch):
    monkeypatch.setattr("delineate.train.anchors._LOOKED_AT", 2)
    boxes = [[]] * 5
    boxes[3] = [[0, 0, 4, 9]]
    assert object_shapes(Boxes(boxes), AS_IS).sides.tolist() == [6]


def test_anchors_are_quantiles_of_large_objects():
    sides = np.arange(100, 601, dtype=np.float64)
    assert fit_sizes(squares(sides), FPN) == ((150,), (250,), (350,), (450,), (550,))


def test_anchors_of_small_objects_keep_to_their_strides():
    assert fit_sizes(squares(np.full(9, 10.0)), FPN) == ((10,), (16,), (32,), (64,), (128,))


def test_anchors_of_equal_objects_keep_a_distance():
    model = FPN.replace(backbone_strides=(4, 8), anchor_sizes=((1,), (2,), (3,)))
    assert fit_sizes(squares(np.full(9, 100.0)), model) == ((100,), (120,), (144,))


def test_anchors_of_one_level_with_several_sizes():
    model = MaskRCNNConfig(neck="none", backbone_strides=(16,), anchor_sizes=((1, 2),))
    assert fit_sizes(squares(np.array([100.0, 200, 300, 400])), model) == ((175.0, 325.0),)


def test_a_class_of_few_large_objects_has_an_anchor_of_its_size():
    boxes = [[[0, 0, 6, 6]] * 40, [[0, 0, 60, 60]] * 6]
    labels = [[0] * 40, [1] * 6]
    model = FPN.replace(backbone_strides=(4, 8), anchor_sizes=((1,), (2,), (3,)))
    assert fit_sizes(object_shapes(Boxes(boxes), AS_IS), model)[-1] == (32,)
    assert fit_sizes(object_shapes(Boxes(boxes, labels=labels), AS_IS), model)[-1] == (60,)


@pytest.mark.parametrize(("config", "of_wide"), [(FPN, 0.1), (YolactConfig(), 10.0)])
def test_ratios_follow_objects_that_the_models_own_do_not_suit(config, of_wide):
    lines = object_shapes(Boxes([[[0, 0, 60, 6], [0, 9, 60, 15]]]), AS_IS)
    assert fit_ratios(lines, config) == pytest.approx([of_wide, 1.2 * of_wide, 1.44 * of_wide])
    columns = object_shapes(Boxes([[[0, 0, 6, 60], [9, 0, 15, 60]]]), AS_IS)
    assert fit_ratios(columns, config)[0] == pytest.approx(1 / of_wide)
    squares_mostly = object_shapes(Boxes([[[0, 0, 9, 9]] * 9 + [[0, 0, 60, 6]]]), AS_IS)
    assert fit_ratios(squares_mostly, config) == config.anchor_ratios


def auto():
    return tiny_config(
        augment=AugmentConfig(),
        data=DataConfig(),
        optim=OptimConfig(),
        validate_every="auto",
    )


def test_everything_is_resolved_once():
    config = resolve(auto(), scenes(), accelerator="cpu")
    assert "auto" not in to_yaml(config)
    assert resolve(config, scenes(), accelerator="cpu") == config


def test_what_was_chosen_stays():
    config = replace(tiny_config(), anchors="model", precision="bf16-mixed")
    assert resolve(config, scenes(), accelerator="cpu") == config


@pytest.mark.parametrize(
    ("size", "crop"), [((40, 40), 64), ((100, 144), 128), ((256, 256), 256), ((2000, 3000), 256)]
)
def test_crop_is_as_large_as_the_middle_image(size, crop):
    config = resolve(auto(), SyntheticScenes(3, size=size), accelerator="cpu")
    assert config.augment.crop == crop


def test_null_crop_stays():
    config = with_value(auto(), "augment.crop", None)
    assert resolve(config, scenes(), accelerator="cpu").augment.crop is None


@pytest.mark.parametrize(
    ("budget", "images", "steps"),
    [
        (BudgetConfig(steps=1000), 6, 20),  # at least
        (BudgetConfig(steps=1000), 100, 50),  # an epoch of batches of two
        (BudgetConfig(steps=300), 100, 30),  # a tenth of the budget
        (BudgetConfig(epochs=4), 100, 20),  # likewise
        (BudgetConfig(minutes=1), 100, 50),
    ],
)
def test_warm_up_is_an_epoch_within_bounds(budget, images, steps):
    config = replace(auto(), budget=budget)
    assert resolve(config, scenes(images), accelerator="cpu").optim.warmup_steps == steps


def test_precision_follows_the_accelerator(monkeypatch):
    config = auto()
    assert resolve(config, scenes(), accelerator="cpu").precision == "32-true"
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda: True)
    assert resolve(config, scenes(), accelerator="cuda").precision == "bf16-mixed"
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda: False)
    assert resolve(config, scenes(), accelerator="cuda").precision == "16-mixed"


def test_half_precision_needs_a_gpu():
    with pytest.raises(ConfigError, match="needs a CUDA device"):
        resolve(replace(auto(), precision="16-mixed"), scenes(), accelerator="cpu")


def test_workers_leave_cores_to_the_training(monkeypatch):
    monkeypatch.setattr("os.sched_getaffinity", lambda pid: range(16), raising=False)
    assert resolve(auto(), scenes(), accelerator="cpu").data.workers == 4
    assert resolve(auto(), scenes(), accelerator="cuda").data.workers == 8
    monkeypatch.setattr("os.sched_getaffinity", lambda pid: range(2), raising=False)
    assert resolve(auto(), scenes(), accelerator="cpu").data.workers == 0
    assert resolve(auto(), scenes(), accelerator="cuda").data.workers == 1


def test_crops_follow_the_area_within_bounds():
    data = Concat([SyntheticScenes(1, size=size) for size in ((64, 64), (64, 130), (32, 32))])
    config = replace(auto(), preprocess=AS_IS, augment=AugmentConfig(crop=64, crops_by_area=True))
    assert samples_per_image(config, data).tolist() == [1, 2, 1]
    enlarged = replace(config, preprocess=Preprocess(resize="factor", factor=8.0))
    assert samples_per_image(enlarged, data).tolist() == [64, 64, 16]
    one = replace(config, augment=AugmentConfig(crop=64))
    assert samples_per_image(one, data).tolist() == [1, 1, 1]


def test_warm_up_knows_how_long_epochs_of_crops_are():
    by_area = AugmentConfig(crop=64, crops_by_area=True)
    preprocess = Preprocess(resize="factor", factor=4.0)  # 16 crops of each image of 64 x 64
    config = replace(auto(), preprocess=preprocess, augment=by_area, batch_size=2)
    config = replace(config, budget=BudgetConfig(epochs=1))
    assert resolve(config, scenes(6), accelerator="cpu").optim.warmup_steps == 4  # of 48


def test_warm_up_knows_how_many_samples_are_made():
    config = replace(auto(), data=DataConfig(synthetic=0.75), budget=BudgetConfig(epochs=2))
    config = replace(config, preprocess=AS_IS)
    assert resolve(config, scenes(20), accelerator="cpu").optim.warmup_steps == 8  # 2 x 40 batches


def test_crops_by_area_need_crops():
    with pytest.raises(ConfigError, match="crops_by_area needs crops"):
        AugmentConfig(crop=None, crops_by_area=True)
