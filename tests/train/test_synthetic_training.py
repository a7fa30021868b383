"""Training with made samples: as many as told, new in every epoch, the same however they come."""

import pytest
from test_resume import Crash, CrashAt, assert_same_run
from tiny_run import run, scenes, tiny_config

from delineate.core.preprocess import Preprocess
from delineate.data.derived import Subset
from delineate.data.synthetic import SyntheticScenes
from delineate.data.synthetic_panoptic import PanopticScenes
from delineate.errors import ConfigError, DataError
from delineate.train.config import BudgetConfig, DataConfig, with_settings
from delineate.train.feed import feed, made
from delineate.train.loop import fit
from delineate.train.resolve import resolve

HALF = DataConfig(workers=0, synthetic=0.5)


def loader(share, **changes):
    config = tiny_config(data=DataConfig(workers=0, synthetic=share), **changes)
    return feed(resolve(config, scenes(), accelerator="cpu"), scenes())


@pytest.mark.parametrize(
    ("share", "samples"), [(0, 6), (0.5, 12), (0.25, 8), (0.75, 24), (0.01, 7)]
)
def test_as_many_made_samples_as_told(share, samples):
    assert loader(share).samples_per_epoch == samples


@pytest.mark.parametrize(("resize", "longest"), [("factor", 1700), ("short_side", 1600)])
def test_made_objects_are_as_large_to_the_network_as_real_ones(resize, longest):
    """What multiplies all pictures alike needs grounds of their real size."""
    large = SyntheticScenes(2, size=(80, 1700), objects=(2, 4))
    config = tiny_config(preprocess=Preprocess(resize=resize))
    assert max(made(config, large).records[0].size) == longest


def names(of, epoch):
    return [sample.name for batch in of.batches(epoch) for sample in batch]


def test_every_epoch_has_all_real_samples_and_new_made_ones():
    half = loader(0.5)
    first, second = names(half, 0), names(half, 1)
    real = sorted(record.name for record in scenes().records)
    made = [{name for name in epoch if name.startswith("synth_")} for epoch in (first, second)]
    assert sorted(set(first) - made[0]) == sorted(set(second) - made[1]) == real
    assert len(made[0]) == len(made[1]) == 6
    assert not made[0] & made[1]


def test_without_made_samples_all_is_as_it_was():
    plain = tiny_config()
    assert plain.data.synthetic == 0
    samples = list(feed(resolve(plain, scenes(), accelerator="cpu"), scenes()).batches(0))
    assert {s.name for batch in samples for s in batch} == {r.name for r in scenes().records}


@pytest.mark.parametrize("crash", [1, 4])
def test_a_crash_between_two_steps_changes_nothing(tmp_path, crash):
    run(tmp_path / "whole", 5, data=HALF)
    config = tiny_config(budget=BudgetConfig(steps=5), checkpoint_steps=2, data=HALF)
    cut, sinks = tmp_path / "cut", [CrashAt(crash)]
    with pytest.raises(Crash):
        fit(config, scenes(), scenes(2, seed=2), cut, sinks=sinks, device="cpu")
    run(cut, 5, data=HALF)
    assert_same_run(tmp_path / "whole", cut)


@pytest.mark.filterwarnings("ignore:This DataLoader will create")
def test_workers_change_nothing(tmp_path):
    run(tmp_path / "none", 4, data=HALF)
    run(tmp_path / "two", 4, data=DataConfig(workers=2, synthetic=0.5))
    assert_same_run(tmp_path / "none", tmp_path / "two")


def test_made_samples_make_a_difference(tmp_path):
    run(tmp_path / "with", 3, data=HALF)
    run(tmp_path / "without", 3)
    with pytest.raises(AssertionError):
        assert_same_run(tmp_path / "with", tmp_path / "without")


def test_a_run_is_told_of_them(tmp_path):
    notes = []

    class Listener(CrashAt):
        def note(self, text):
            notes.append(text)

    fit(
        tiny_config(data=HALF, budget=BudgetConfig(steps=1)),
        scenes(),
        scenes(2, seed=2),
        tmp_path / "run",
        sinks=[Listener(99)],
        device="cpu",
    )
    assert notes[0] == "learning from 6 images how to make others"
    assert "6 images in 12 samples an epoch, 50% of them made" in notes[1]


def test_a_folder_that_holds_a_run_is_refused_before_pictures_are_read(tmp_path, monkeypatch):
    run(tmp_path / "run", 1)
    monkeypatch.setattr("delineate.train.feed.CutPaste", None)  # would read them
    with pytest.raises(ConfigError, match="holds a run"):
        fit(tiny_config(data=HALF), scenes(), None, tmp_path / "run", device="cpu")


def test_what_cannot_be_is_said_before_there_is_a_run(tmp_path):
    stuff = with_settings(
        tiny_config(data=HALF), ["stuff=auto", "model.stuff_channels=32", "model.stuff_area=64"]
    )
    world = PanopticScenes(4, size=(64, 64))
    with pytest.raises(ConfigError, match=r"data.synthetic should be 0 where stuff is learnt"):
        fit(stuff, world, world, tmp_path / "run", device="cpu")
    assert not (tmp_path / "run").exists()
    with pytest.raises(ConfigError, match=r"data.synthetic"):
        with_settings(tiny_config(), ["data.synthetic=1"])


def test_data_of_which_nothing_can_be_cut_out_are_said_before_there_is_a_run(tmp_path):
    class Cut(Subset):
        """Objects as tall as the picture: none is whole."""

        def instances(self, index):
            found = super().instances(index)
            masks = type(found.masks).from_bitmaps(
                [found.masks.bitmap(k) | True for k in range(len(found))], found.image_size
            )
            return found.replace(masks=masks, boxes=masks.boxes())

    with pytest.raises(DataError, match="can be cut out"):
        fit(tiny_config(data=HALF), Cut(scenes(), range(6)), None, tmp_path / "run", device="cpu")
    assert not (tmp_path / "run").exists()
