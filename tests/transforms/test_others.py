import pickle
from dataclasses import replace

import numpy as np
import pytest

from delineate.core.boxes import area
from delineate.data.coco import read_coco
from delineate.data.derived import Subset
from delineate.data.loader import Loader
from delineate.data.synthetic import SyntheticScenes
from delineate.data.synthetic_panoptic import PanopticScenes
from delineate.errors import ImageError
from delineate.transforms.base import Among, AnyOf, Compose
from delineate.transforms.framing import RandomCrop, ScaleJitter
from delineate.transforms.geometric import Flip, Warp
from delineate.transforms.scenes import scenes

JITTER = Warp((ScaleJitter(0.7, 1.4), Flip(), RandomCrop((64, 64))))


def chain(data, **options):
    options = options or {"mosaic": 0.5, "copy_paste": 0.7, "mix_up": 0.3}
    return Compose((JITTER, scenes(data, jitter=JITTER, **options)))


def content(batches):
    return [
        (
            s.image_id,
            s.image.tobytes(),
            s.instances.labels.tolist(),
            s.instances.boxes.tobytes(),
            s.instances.masks.to_coco(),
            None if s.stuff is None else s.stuff.tobytes(),
        )
        for batch in batches
        for s in batch
    ]


def all_of(sample, rng, others):
    """A scene that tells which others it was given."""
    return replace(sample, name=" ".join(others(rng).name for _ in range(200)))


def test_others_are_drawn_evenly_and_jittered_from_the_samples_own_generator():
    data = SyntheticScenes(4, size=(32, 32))
    others = AnyOf(data, lambda s, rng: replace(s, name=f"{s.image_id}:{rng.random()}"))
    names = Among(all_of, others)(data[0], np.random.default_rng(5)).name.split()
    rng = np.random.default_rng(5)
    expected = [f"{rng.integers(4) + 1}:{rng.random()}" for _ in range(200)]
    assert names == expected
    counts = np.bincount([int(name[0]) for name in names])[1:]
    assert 30 < counts.min() <= counts.max() < 70


def test_without_jitter_others_come_as_they_are():
    data = SyntheticScenes(1, size=(32, 32))
    other = Among(lambda sample, rng, others: others(rng), AnyOf(data))
    shown = other(None, np.random.default_rng(0))
    np.testing.assert_array_equal(shown.image, data[0].image)


def test_one_data_set_is_sent_to_workers_once():
    data = SyntheticScenes(3)
    subset, transform = pickle.loads(pickle.dumps((Subset(data, [0, 1]), chain(data))))
    copies = {id(step.others.dataset) for step in transform.transforms[1].transforms}
    assert copies == {id(subset._dataset)}


@pytest.mark.filterwarnings("ignore:This DataLoader will create")
def test_scenes_are_the_same_bit_for_bit_with_any_number_of_workers():
    data = PanopticScenes(7, size=(64, 80))
    expected = None
    for workers in (0, 1, 3):
        loader = Loader(data, chain(data), batch_size=2, seed=3, workers=workers)
        got = [content(loader.batches(*place)) for place in ((0,), (1,), (1, 2))]
        assert [len(epoch) for epoch in got] == [7, 7, 3]
        assert got[2] == got[1][-3:]  # a run taken up again
        assert got[0] != got[1]
        assert got == (expected or got)
        expected = got


def test_another_that_cannot_be_read_is_an_error_of_the_batch():
    class Broken(SyntheticScenes):
        def __getitem__(self, index):
            raise ImageError("expected an image, got a poem: take it out of the folder.")

    loader = Loader(
        SyntheticScenes(2, size=(64, 64)), chain(Broken(2), mosaic=1.0), batch_size=1, seed=0
    )
    with pytest.raises(ImageError, match="got a poem"):
        list(loader.batches(0))


@pytest.mark.parametrize(
    ("folder", "split"),
    [
        ("nuclei_dsb2018", "mini_train"),
        ("mushrooms", "val"),
        ("potholes", "val"),
        ("street_facades", "val"),
        ("coco128", "val"),
    ],
)
def test_truth_stays_sound_on_real_pictures(shared_data, folder, split):
    data = read_coco(shared_data / folder / f"{split}.json")
    jitter = Warp((ScaleJitter(0.7, 1.4), Flip(), RandomCrop((160, 200))))
    always = scenes(data, jitter=jitter, mosaic=1.0, copy_paste=1.0, mix_up=0.5)
    objects = 0
    for seed in range(4):
        rng = np.random.default_rng(seed)
        sample = jitter(data[seed % len(data)], rng)
        after = always(sample, rng)
        assert after.image.shape == (160, 200, 3)
        found = after.instances
        assert found.masks.areas.all()
        np.testing.assert_array_equal(found.boxes, found.masks.boxes())
        assert (area(found.boxes) >= found.masks.areas).all()
        assert found.labels.size == 0 or found.labels.max() < len(data.classes)
        objects += len(found)
    assert objects > 4
