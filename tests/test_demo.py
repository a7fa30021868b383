"""The demo as a job, on few scenes: what it writes, and that it can be called again."""

import numpy as np
import pytest

from delineate import read_image
from delineate.errors import OutputError
from delineate.jobs import demo

SMALL = (
    *("augment.crop=64", "batch_size=2"),
    *("model.slim_widths=[16,16,16,16,16]", "model.fpn_channels=16"),
    *("model.rpn_post_nms_train=32",),
)


@pytest.fixture
def small(monkeypatch):
    monkeypatch.setattr(demo, "SCENES", {"train": 4, "val": 2, "test": 3})
    monkeypatch.setattr(demo, "SIZE", (64, 64))
    monkeypatch.setattr(demo, "SETTINGS", SMALL)


def test_the_demo_twice_in_one_folder(small, tmp_path):
    told: list[str] = []
    first = demo.run(tmp_path, minutes=0.01, seed=0, say=told.append)
    page = read_image(first["sheet"])
    assert page.shape[1] == 3 * (240 + 12) + 12
    assert np.ptp(page) > 100
    overlays = sorted((tmp_path / "test" / "overlays").iterdir())
    assert len(overlays) == 3
    again = demo.run(tmp_path, minutes=0.01, seed=0, say=told.append)
    assert again["segm"] == first["segm"]
    assert sorted((tmp_path / "test" / "overlays").iterdir()) == overlays


def test_the_demo_does_not_mix_with_pictures_of_others(small, tmp_path):
    other = tmp_path / "test" / "overlays" / "other.jpg"
    other.parent.mkdir(parents=True)
    other.write_text("mine")
    with pytest.raises(OutputError, match=r"found other\.jpg"):
        demo.run(tmp_path, minutes=0.01, seed=0, say=print)
    assert other.read_text() == "mine"
    assert not (tmp_path / "run").exists(), "told before the training"
