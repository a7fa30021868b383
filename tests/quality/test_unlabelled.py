"""Images whose labels were forgotten are found; backgrounds are not."""

import numpy as np
import pytest
from photographs import SIZE, circle, photograph, with_disc, write_set

from builders import edited
from delineate.data.formats import open_splits
from delineate.quality.signatures import signatures_of
from delineate.quality.unlabelled import NEIGHBOURS, unlabelled

GREEN, BLUE = np.array([60, 150, 60]), np.array([40, 60, 190])


def scene(seed, tint=GREEN, disc=True):
    """Fine noise of one colour, with a red disc on it."""
    rng = np.random.default_rng(seed)
    ground = np.clip(tint + rng.normal(0, 12, (*SIZE, 1)), 0, 255).astype(np.uint8)
    place = int(rng.integers(60, 260)), int(rng.integers(60, 180))
    return (with_disc(ground, *place, 30) if disc else ground), [circle(*place, 30)]


def found_in(folder, scenes, labels=None):
    pictures, outlines = zip(*scenes, strict=True)
    write_set(folder, "train", pictures, outlines, labels=labels)
    return list(unlabelled(open_splits(folder)))


@pytest.fixture
def labelled():
    return [scene(seed) for seed in range(20)]


def test_a_forgotten_image_is_found(tmp_path, labelled):
    """Whichever it is, but for those that look unlike the others."""
    write_set(tmp_path, "train", *zip(*labelled, strict=True))
    known, scores = signatures_of(open_splits(tmp_path)), []
    for forgotten in range(1, 21):
        text = (tmp_path / "train.json").read_text()
        with edited(tmp_path / "train.json") as content:
            content["annotations"] = [
                a for a in content["annotations"] if a["image_id"] != forgotten
            ]
        for finding in unlabelled(open_splits(tmp_path), known=known):
            assert finding.place.image_id == forgotten
            assert len(finding.others) == NEIGHBOURS
            assert "all have objects of class 'disc'" in finding.why
            assert finding.severity == ("warning" if finding.score >= 0.6 else "note")
            scores.append(finding.score)
        (tmp_path / "train.json").write_text(text)
    assert 14 <= len(scores) <= 16  # three quarters stand no farther from their neighbours
    assert max(scores) > 0.9


def test_backgrounds_are_left_alone(tmp_path, labelled):
    """One that looks different, and several that look alike, though like the labelled ones."""
    other = [(scene(30, BLUE)[0], []), (photograph(1), [])]
    assert found_in(tmp_path / "different", labelled + other) == []
    alike = [(scene(seed, disc=False)[0], []) for seed in range(40, 48)]
    assert found_in(tmp_path / "many", labelled + alike) == []


def test_neighbours_that_show_different_things_say_nothing(tmp_path, labelled):
    write_set(tmp_path, "train", *zip(*labelled, strict=True))
    known = signatures_of(open_splits(tmp_path))

    def told(forgotten, classes):
        with edited(tmp_path / "train.json") as content:
            content["annotations"] = [
                {"id": i, "image_id": i, "iscrowd": 0, "segmentation": [circle(99, 99, 9)]}
                | {"category_id": 1 + i % classes}
                for i in range(1, 21)
                if i != forgotten
            ]
        return [f.place.image_id for f in unlabelled(open_splits(tmp_path), known=known)]

    found = [forgotten for forgotten in range(1, 21) if told(forgotten, 1)]
    assert len(found) >= 14
    assert sum(bool(told(forgotten, 2)) for forgotten in found) <= 2  # five of one class by chance


def test_few_labelled_images_say_nothing(tmp_path, labelled):
    few = [(image, []) for image, _ in labelled[:3]] + labelled[3 : 2 * NEIGHBOURS + 2]
    assert found_in(tmp_path, few) == []


def test_a_road_with_potholes_that_nobody_has_labelled(shared_data):
    (finding,) = unlabelled(open_splits(shared_data / "potholes"))
    assert (finding.place.split, finding.place.name) == ("train", "img_0048.jpg")
    assert finding.severity == "warning"
