"""Splitting: nothing lost, groups whole, classes spread, always the same."""

from collections import Counter
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from builders import edited, tiny_coco
from delineate.data.coco import read_coco
from delineate.data.derived import Concat
from delineate.data.formats import open_splits
from delineate.data.split import objects_by_size, split
from delineate.errors import ConfigError, DataError

THREE = {"train": 0.6, "val": 0.2, "test": 0.2}


def with_labels(folder, labels_of_images):
    """A data set whose images show exactly the labels given."""
    count = 1 + max((max(labels, default=0) for labels in labels_of_images), default=0)
    path = tiny_coco(
        folder, len(labels_of_images), [f"class {i}" for i in range(count)], objects=count
    )
    with edited(path) as content:
        kept = []
        for image, labels in zip(content["images"], labels_of_images, strict=True):
            mine = [a for a in content["annotations"] if a["image_id"] == image["id"]]
            for annotation, label in zip(mine, labels, strict=False):
                annotation["category_id"] = 3 + 4 * label
                kept.append(annotation)
        content["annotations"] = kept
    return read_coco(path)


def ids(part):
    return [record.image_id for record in part.records]


def images_with(part, label):
    return sum(label in part.instances(i).labels for i in range(len(part)))


def test_every_image_is_in_one_part_in_its_order(tmp_path):
    dataset = read_coco(tiny_coco(tmp_path, 10))
    parts = split(dataset, THREE)
    assert list(parts) == ["train", "val", "test"]
    assert {name: len(part) for name, part in parts.items()} == {"train": 6, "val": 2, "test": 2}
    assert sorted(i for part in parts.values() for i in ids(part)) == ids(dataset)
    assert all(ids(part) == sorted(ids(part)) for part in parts.values())
    assert parts["val"].name == f"{dataset.name}/val"


def test_same_seed_same_parts_other_seed_others(tmp_path):
    dataset = read_coco(tiny_coco(tmp_path, 20, ("disc",)))
    first = {name: ids(part) for name, part in split(dataset, THREE, seed=3).items()}
    again = {name: ids(part) for name, part in split(dataset, THREE, seed=3).items()}
    other = {name: ids(part) for name, part in split(dataset, THREE, seed=4).items()}
    assert first == again
    assert first != other


def test_classes_are_spread(tmp_path):
    # 12 images with class 0, 8 of them with class 1 too, 4 with class 2 alone, 4 empty
    dataset = with_labels(tmp_path, [[0, 1]] * 8 + [[0]] * 4 + [[2]] * 4 + [[]] * 4)
    for seed in range(5):
        parts = split(dataset, {"a": 0.5, "b": 0.5}, seed=seed)
        for part in parts.values():
            assert len(part) == 10
            assert [images_with(part, label) for label in range(3)] == [6, 4, 2]


def test_a_class_of_two_images_reaches_both_parts(tmp_path):
    dataset = with_labels(tmp_path, [[0]] * 18 + [[0, 1]] * 2)
    parts = split(dataset, {"train": 0.5, "val": 0.5})
    assert [images_with(part, 1) for part in parts.values()] == [1, 1]


def test_groups_stay_together(tmp_path):
    dataset = read_coco(tiny_coco(tmp_path, 12))
    groups = list("aaaabbbccdde")
    for seed in range(5):
        parts = split(dataset, {"train": 0.5, "val": 0.5}, seed=seed, groups=groups)
        in_parts = [{groups[i // 10 - 1] for i in ids(part)} for part in parts.values()]
        assert not in_parts[0] & in_parts[1]
        assert in_parts[0] | in_parts[1] == set("abcde")
        assert [len(part) for part in parts.values()] == [6, 6]  # 4 + 2 of 4, 3, 2, 2, 1


def test_one_huge_group_leaves_no_part_empty(tmp_path):
    dataset = read_coco(tiny_coco(tmp_path, 8))
    parts = split(dataset, THREE, groups=[0, 0, 0, 0, 0, 0, 1, 2])
    assert Counter(len(part) for part in parts.values()) == {6: 1, 1: 2}


def test_more_parts_than_the_shares_would_fill(tmp_path):
    dataset = read_coco(tiny_coco(tmp_path, 4))
    parts = split(dataset, {"train": 0.97, "val": 0.02, "test": 0.01})
    assert [len(part) for part in parts.values()] == [2, 1, 1]


def test_images_without_objects_are_dealt_out_by_number(tmp_path):
    dataset = with_labels(tmp_path, [[]] * 10)
    assert [len(part) for part in split(dataset, THREE).values()] == [6, 2, 2]


def test_too_few_groups(tmp_path):
    dataset = read_coco(tiny_coco(tmp_path, 4))
    with pytest.raises(DataError, match=r"2 separate groups .* too few for 3 parts"):
        split(dataset, THREE, groups=[0, 0, 1, 1])


@pytest.mark.parametrize(
    "fractions", [{}, {"train": 0.8}, {"train": 1.2, "val": -0.2}, {"a": np.nan, "b": 0.5}]
)
def test_fractions_that_are_no_shares(tmp_path, fractions):
    dataset = read_coco(tiny_coco(tmp_path))
    with pytest.raises(ConfigError, match="positive fractions that sum to 1"):
        split(dataset, fractions)


def test_groups_of_the_wrong_length(tmp_path):
    dataset = read_coco(tiny_coco(tmp_path))
    with pytest.raises(ConfigError, match=r"4 images .*got 3"):
        split(dataset, {"train": 0.5, "val": 0.5}, groups=[0, 1, 2])


# -- sizes ---------------------------------------------------------------------------------------


def with_areas(folder, areas_of_images):
    """A data set of one class whose objects state exactly the areas given."""
    most = max(map(len, areas_of_images))
    path = tiny_coco(folder, len(areas_of_images), ("car",), objects=most)
    with edited(path) as content:
        kept = []
        for image, areas in zip(content["images"], areas_of_images, strict=True):
            mine = [a for a in content["annotations"] if a["image_id"] == image["id"]]
            kept += [{**a, "area": area} for a, area in zip(mine, areas, strict=False)]
        content["annotations"] = kept
    return read_coco(path)


def test_objects_by_size_are_those_of_coco(tmp_path):
    dataset = with_areas(tmp_path, [[1, 1023.9, 1024, 9215.9, 9216, 1e6], []])
    assert objects_by_size(dataset).tolist() == [[[2, 2, 2]], [[0, 0, 0]]]


def test_every_part_gets_its_share_of_each_size(tmp_path):
    # every image shows cars, but small ones are in four of twelve
    dataset = with_areas(tmp_path, [[100, 5000]] * 4 + [[5000, 5000]] * 8)
    for seed in range(8):
        for part in split(dataset, {"a": 0.5, "b": 0.5}, seed=seed).values():
            assert objects_by_size(part).sum(axis=0).tolist() == [[2, 10, 0]]


def test_numbers_of_objects_are_shared_out_too(tmp_path):
    # one crowded image of each kind would do for the images; 1 + 2 + 4 + 5 = 3 + 3 + 3 + 3
    dataset = with_areas(tmp_path, [[100] * n for n in (1, 2, 4, 5, 3, 3, 3, 3)])
    for seed in range(8):
        parts = split(dataset, {"a": 0.5, "b": 0.5}, seed=seed)
        assert [int(objects_by_size(part).sum()) for part in parts.values()] == [12, 12]


@pytest.mark.parametrize(
    ("folder", "most"), [("nuclei_dsb2018", 0.002), ("street_facades", 0.08), ("mushrooms", 0.01)]
)
def test_real_sets_are_shared_out_evenly(shared_data, folder, most):
    dataset = Concat(list(open_splits(shared_data / folder).values()))
    parts = split(dataset, {"train": 0.8, "val": 0.2})
    whole = objects_by_size(dataset).sum(axis=0)
    share = objects_by_size(parts["val"]).sum(axis=0)[whole >= 20] / whole[whole >= 20]
    assert abs(share - 0.2).max() <= most


class Counted:
    """Images of which nothing is known but their objects' labels and areas."""

    def __init__(self, images):
        self.images = images
        self.name, self.problems, self.classes = "counted", (), range(3)
        self.records = tuple(range(len(images)))

    def __len__(self):
        return len(self.images)

    def instances(self, index):
        return SimpleNamespace(labels=np.array([label for label, _ in self.images[index]], int))

    def areas(self, index):
        return np.array([area for _, area in self.images[index]], float)


def test_shares_of_the_images_come_before_those_of_the_objects():
    """Only groups of equally many images change places, whatever their objects."""
    dataset = Counted([[(0, 10)]] * 5 + [[(0, 10)] * 60])
    groups = [0, 0, 0, 1, 2, 3]
    for seed in range(5):
        parts = split(dataset, {"a": 0.5, "b": 0.5}, seed=seed, groups=groups)
        assert [len(part) for part in parts.values()] == [3, 3]


objects = st.lists(st.tuples(st.integers(0, 2), st.sampled_from([10, 2000, 20000])), max_size=4)


@settings(deadline=None)
@given(
    st.lists(st.tuples(objects, st.integers(0, 5)), min_size=1, max_size=40),
    st.lists(st.integers(1, 9), min_size=1, max_size=3),
    st.integers(0, 3),
)
def test_no_group_crosses_nothing_is_lost_and_all_can_be_repeated(images, weights, seed):
    dataset, groups = Counted([o for o, _ in images]), [group for _, group in images]
    shares = {f"part {k}": w / sum(weights) for k, w in enumerate(weights)}
    if len(set(groups)) < len(shares):
        with pytest.raises(DataError, match="too few"):
            split(dataset, shares, seed=seed, groups=groups)
        return
    parts = split(dataset, shares, seed=seed, groups=groups)
    numbers = [list(part.records) for part in parts.values()]
    assert sorted(i for part in numbers for i in part) == list(range(len(images)))
    assert all(part and part == sorted(part) for part in numbers)
    held = [{groups[i] for i in part} for part in numbers]
    assert sum(map(len, held)) == len(set(groups))
    again = split(dataset, shares, seed=seed, groups=groups)
    assert numbers == [list(part.records) for part in again.values()]


def test_counting_rasterises_no_mask_where_the_source_states_what_it_takes(tmp_path, monkeypatch):
    dataset = read_coco(tiny_coco(tmp_path, 3))
    expected = objects_by_size(Concat([dataset]))  # which states nothing
    fresh = read_coco(tmp_path / "train.json")
    monkeypatch.setattr(fresh, "instances", lambda index: pytest.fail("a mask is rasterised"))
    np.testing.assert_array_equal(objects_by_size(fresh), expected)
    assert expected.sum() > 0
