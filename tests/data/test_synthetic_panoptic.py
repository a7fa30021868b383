"""Scenes with stuff: every pixel known, the same things as without, the same again tomorrow."""

import numpy as np
import pytest

from delineate.core.panoptic import to_instances, to_semantic
from delineate.data.coco_panoptic import read_coco_panoptic
from delineate.data.coco_panoptic_write import write_coco_panoptic
from delineate.data.grounds import GROUNDS, STUFF, paint_stuff, stuff_map
from delineate.data.sample import PanopticDataset
from delineate.data.synthetic import SyntheticScenes
from delineate.data.synthetic_panoptic import PanopticScenes
from delineate.errors import DataError

SIZE = (72, 96)
SCENES = 24


@pytest.fixture(scope="module")
def scenes() -> PanopticDataset:
    return PanopticScenes(SCENES, size=SIZE, seed=5)


def test_the_things_are_those_of_scenes_without_stuff(scenes):
    plain = SyntheticScenes(SCENES, size=SIZE, seed=5)
    assert scenes.classes == plain.classes
    for i in range(SCENES):
        ours, theirs = scenes.instances(i), plain.instances(i)
        assert ours.masks.to_coco() == theirs.masks.to_coco()
        np.testing.assert_array_equal(ours.labels, theirs.labels)
        np.testing.assert_array_equal(scenes.areas(i), plain.areas(i))
    assert (scenes[0].image != plain[0].image).any()


def test_every_pixel_belongs_to_a_segment_and_things_to_their_instance(scenes):
    for i in range(SCENES):
        value = scenes.panoptic(i)
        assert (value.ids > 0).all()
        assert value.classes == scenes.panoptic_classes
        things, instances = to_instances(value), scenes.instances(i)
        assert things.masks.to_coco() == instances.masks.to_coco()
        np.testing.assert_array_equal(things.labels, instances.labels)
        np.testing.assert_array_equal(things.ids, np.arange(len(instances)) + 1)
        assert scenes.segment_areas(i).sum() == SIZE[0] * SIZE[1]


def test_stuff_is_whole_and_of_two_to_four_classes(scenes):
    counts = set()
    for i in range(SCENES):
        labels = [s.label for s in scenes.panoptic(i).stuff]
        assert labels == sorted(set(labels))
        counts.add(len(labels))
    assert counts <= {1, 2, 3, 4}  # things may hide a region
    assert {2, 3} <= counts


def test_stuff_that_things_hide_is_no_segment(monkeypatch):
    few = PanopticScenes(1, size=SIZE, seed=5)
    hidden = few.instances(0).masks.bitmap(0)
    monkeypatch.setattr(
        "delineate.data.synthetic_panoptic.stuff_map",
        lambda size, rng: np.where(hidden, 1, 4).astype(np.int32),
    )
    assert [few.panoptic_classes.name(s.label) for s in few.panoptic(0).stuff] == ["water"]


def test_every_class_of_stuff_occurs_and_ground_lies_below():
    seen, top, bottom = set(), set(), set()
    for seed in range(40):
        labels = stuff_map(SIZE, np.random.default_rng(seed))
        seen |= set(np.unique(labels).tolist())
        top |= set(labels[0].tolist())
        bottom |= set(labels[-1].tolist())
    names = list(STUFF)
    assert seen == set(range(len(STUFF)))
    assert {names[k] for k in top} == {"sky", "wall"}
    assert {names[k] for k in bottom} == set(GROUNDS)


def test_the_map_of_classes_names_things_before_stuff(scenes):
    classes = scenes.panoptic_classes
    assert classes.things == scenes.classes
    assert classes.stuff.names == tuple(STUFF)
    labels = to_semantic(scenes.panoptic(0))
    behind = ~scenes.instances(0).masks.to_dense().any(axis=0)
    np.testing.assert_array_equal(labels >= len(scenes.classes), behind)


def test_a_scene_depends_on_seed_and_place_alone(scenes):
    again = PanopticScenes(3, size=SIZE, seed=5)
    other = PanopticScenes(3, size=SIZE, seed=6)
    for i in (2, 0):
        np.testing.assert_array_equal(again[i].image, scenes[i].image)
        np.testing.assert_array_equal(again.panoptic(i).ids, scenes.panoptic(i).ids)
        assert (other.panoptic(i).ids != scenes.panoptic(i).ids).any()
    np.testing.assert_array_equal(scenes[-1].image, scenes[SCENES - 1].image)
    with pytest.raises(IndexError):
        scenes.panoptic(SCENES)


def test_each_class_looks_like_itself():
    """The mean colour of a patch tells most classes apart: the scenes can be learnt from."""
    size = (64, 64)
    means = {name: [] for name in STUFF}
    for seed in range(6):
        for label, name in enumerate(STUFF):
            region = np.full(size, label, np.int32)
            painted = paint_stuff(region, np.random.default_rng(seed))
            assert painted.shape == (*size, 3)
            assert np.isfinite(painted).all()
            assert painted.std(axis=(0, 1)).min() > 4  # a texture, not a colour
            means[name].append(painted.mean(axis=(0, 1)))
    centres = np.array([np.mean(rows, axis=0) for rows in means.values()])
    patches = np.array(list(means.values()))
    nearest = np.linalg.norm(patches[:, :, None] - centres, axis=-1).argmin(axis=-1)
    assert (nearest == np.arange(len(STUFF))[:, None]).mean() > 0.9


def test_written_and_read_again(scenes, tmp_path):
    few = PanopticScenes(2, size=SIZE, seed=5)
    write_coco_panoptic(tmp_path / "val.json", few)
    back = read_coco_panoptic(tmp_path / "val.json")
    assert back.panoptic_classes == few.panoptic_classes
    for i in range(2):
        np.testing.assert_array_equal(back.panoptic(i).ids, few.panoptic(i).ids)
        assert back.panoptic(i).segments == few.panoptic(i).segments
        np.testing.assert_array_equal(back[i].image, few[i].image)


def test_arguments_that_make_no_sense_are_refused():
    with pytest.raises(DataError, match="no synthetic shape is called"):
        PanopticScenes(1, classes=["sky"])
    with pytest.raises(DataError, match="sides of at least"):
        PanopticScenes(1, size=(8, 8))
    assert PanopticScenes(0).records == ()


def test_a_scene_without_things_is_stuff_alone():
    value = PanopticScenes(1, size=SIZE, objects=(0, 0)).panoptic(0)
    assert value.things == ()
    assert len(value.stuff) >= 2
