import os
import signal
import subprocess
import sys
import time
from dataclasses import dataclass, field, replace
from itertools import chain
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from delineate.core.classes import ClassMap
from delineate.core.instances import Instances
from delineate.data.derived import Subset
from delineate.data.loader import Loader
from delineate.data.sample import ImageRecord, Sample
from delineate.data.synthetic import SyntheticScenes
from delineate.errors import ConfigError, ImageError, ReaderLost
from delineate.transforms.augment import AugmentConfig, training

more_workers_than_cores = pytest.mark.filterwarnings("ignore:This DataLoader will create")


@dataclass
class Numbers:
    """A data set of one-pixel images whose value is their index."""

    count: int
    broken: int = -1
    error: type[Exception] = ImageError
    sizes: tuple = ((1, 1),)
    read: list = field(default_factory=list)
    name = "numbers"
    classes = ClassMap.from_names(("thing",))
    problems = ()

    @property
    def records(self):
        return [
            ImageRecord(image_id=i, name=str(i), path=None, size=self.sizes[i % len(self.sizes)])
            for i in range(self.count)
        ]

    def __len__(self):
        return self.count

    def __getitem__(self, index):
        self.read.append(index)
        if index == self.broken:
            raise self.error("expected an image, got a poem: take it out of the folder.")
        return Sample(
            image=np.full((1, 1, 3), index, np.uint8),
            instances=Instances.empty((1, 1)),
            image_id=index,
            name=str(index),
        )


class Numbered(Numbers):
    """Numbers from 100 on."""

    def __getitem__(self, index):
        return replace(super().__getitem__(index), image_id=100 + index)


class Surroundings(Numbers):
    """Each sample's name tells how the process that read it is set up."""

    def __getitem__(self, index):
        ctrl_c = signal.getsignal(signal.SIGINT) is signal.SIG_IGN
        setup = f"{cv2.getNumThreads()} {torch.get_num_threads()} {ctrl_c}"
        return replace(super().__getitem__(index), name=setup)


class Killed(Numbers):
    """The process that reads a sample is killed."""

    def __getitem__(self, index):
        os.kill(os.getpid(), signal.SIGKILL)


def drawn(sample, rng):
    return replace(sample, name=str(rng.integers(2**62)))


def ids(batches):
    return [[sample.image_id for sample in batch] for batch in batches]


def content(batches):
    return [
        (s.image_id, s.image.tobytes(), s.instances.boxes.tobytes(), s.instances.masks.to_coco())
        for batch in batches
        for s in batch
    ]


def test_an_epoch_holds_every_sample_once_in_even_batches():
    loader = Loader(Numbers(10), batch_size=4, seed=0)
    batches = ids(loader.batches(0))
    assert [len(batch) for batch in batches] == [4, 3, 3]
    assert loader.batches_per_epoch == 3
    order = list(chain(*batches))
    assert sorted(order) == list(range(10))
    assert order != list(range(10))


def test_the_order_depends_on_seed_and_epoch():
    first, again = (Loader(Numbers(30), batch_size=4, seed=7) for _ in range(2))
    other = Loader(Numbers(30), batch_size=4, seed=8)
    assert ids(first.batches(3)) == ids(again.batches(3))
    assert ids(first.batches(3)) != ids(first.batches(4))
    assert ids(first.batches(3)) != ids(other.batches(3))


def test_without_shuffling_the_order_is_the_data_sets():
    loader = Loader(Numbers(5), batch_size=2, seed=0, shuffle=False)
    assert ids(loader.batches(0)) == ids(loader.batches(1)) == [[0, 1], [2, 3], [4]]


def test_a_sample_draws_from_seed_epoch_and_index():
    loader = Loader(Numbers(6), drawn, batch_size=4, seed=11)
    for epoch in (0, 5):
        for sample in chain(*loader.batches(epoch)):
            rng = np.random.default_rng([11, epoch, sample.image_id])
            assert sample.name == str(rng.integers(2**62))


def test_every_epoch_takes_fresh_samples_beside_all_others():
    loader = Loader(
        Numbers(3), batch_size=2, seed=4, fresh=Numbered(7), fresh_per_epoch=2, shuffle=False
    )
    assert (loader.samples_per_epoch, loader.batches_per_epoch) == (5, 3)
    epochs = [list(chain(*ids(loader.batches(epoch)))) for epoch in range(5)]
    assert [epoch[:3] for epoch in epochs] == [[0, 1, 2]] * 5
    fresh = list(chain(*(epoch[3:] for epoch in epochs)))
    assert fresh == [100, 101, 102, 103, 104, 105, 106, 100, 101, 102]  # from the start again
    assert list(chain(*ids(loader.batches(2, start=2)))) == epochs[2][4:]


@more_workers_than_cores
def test_fresh_samples_are_the_same_with_workers_and_shuffled_among_the_others():
    def epochs(workers):
        options = {"batch_size": 3, "seed": 4, "fresh": Numbered(50), "fresh_per_epoch": 9}
        loader = Loader(Numbers(10), drawn, workers=workers, **options)
        batches = [batch for epoch in (0, 3) for batch in loader.batches(epoch)]
        return [(s.image_id, s.name) for s in chain(*batches)]

    alone = epochs(0)
    assert epochs(2) == alone
    assert sorted(i for i, _ in alone[:19]) == [*range(10), *range(100, 109)]
    assert [i for i, _ in alone[:19]] != sorted(i for i, _ in alone[:19])


def test_fresh_samples_are_grouped_by_their_size_too():
    fresh = Numbered(40, sizes=((1, 1), (90, 60)))
    loader = Loader(
        Numbers(8), batch_size=4, seed=0, fresh=fresh, fresh_per_epoch=8, group_by_size=True
    )
    large = [[i >= 100 and i % 2 == 1 for i in batch] for batch in ids(loader.batches(1))]
    assert sum(map(all, large)) == 1
    assert sum(map(any, large)) == 1


def test_fresh_samples_come_beside_those_that_are_shown_again():
    loader = Loader(
        Numbers(3),
        batch_size=2,
        seed=4,
        shuffle=False,
        times=[2, 0.5, 1.5],
        fresh=Numbered(5),
        fresh_per_epoch=2,
    )
    assert (loader.samples_per_epoch, loader.batches_per_epoch) == (6, 3)
    epochs = [list(chain(*ids(loader.batches(epoch)))) for epoch in range(12)]
    assert {tuple(epoch[:4]) for epoch in epochs} == {(0, 0, 1, 2), (0, 0, 2, 2)}
    assert [epoch[4:] for epoch in epochs[:3]] == [[100, 101], [102, 103], [104, 100]]


def test_fresh_samples_come_from_somewhere():
    for fresh in (None, Numbers(0)):
        with pytest.raises(ConfigError, match="fresh samples should come from a data set"):
            Loader(Numbers(1), batch_size=1, seed=0, fresh=fresh, fresh_per_epoch=1)


def test_the_order_shares_its_random_stream_with_no_sample():
    # numpy pads short seeds with zeros: [seed, epoch] alone would be the stream of sample 0.
    loader = Loader(Numbers(8), batch_size=8, seed=1)
    streams = [np.random.default_rng([1, 0, i]).permutation(8).tolist() for i in range(8)]
    assert ids(loader.batches(0))[0] not in streams


@more_workers_than_cores
def test_batches_are_the_same_bit_for_bit_with_any_number_of_workers():
    scenes = SyntheticScenes(7, size=(64, 80))
    transform = training(AugmentConfig(crop=48, hue=0.0))
    expected = None
    for workers in (0, 1, 3):
        loader = Loader(scenes, transform, batch_size=2, seed=3, workers=workers)
        got = [
            content(loader.batches(0)),
            content(loader.batches(1)),
            content(loader.batches(1, 2)),
        ]
        assert [len(epoch) for epoch in got] == [7, 7, 3]
        assert got[2] == got[1][-3:]
        assert got[0] != got[1]
        assert got == (expected or got)
        expected = got


def test_a_later_start_reads_nothing_that_comes_before():
    numbers = Numbers(12)
    loader = Loader(numbers, batch_size=3, seed=0)
    whole = ids(loader.batches(2))
    numbers.read.clear()
    assert ids(loader.batches(2, start=3)) == whole[3:]
    assert sorted(numbers.read) == sorted(whole[3])
    assert ids(loader.batches(2, start=4)) == []


@pytest.mark.parametrize("workers", [0, 1])
def test_a_sample_that_cannot_be_read_is_the_same_sentence_everywhere(workers):
    loader = Loader(Numbers(6, broken=3), batch_size=2, seed=0, workers=workers, shuffle=False)
    batches = loader.batches(0)
    assert ids([next(batches)]) == [[0, 1]]
    with pytest.raises(ImageError) as caught:
        next(batches)
    assert str(caught.value) == "expected an image, got a poem: take it out of the folder."
    assert ids(loader.batches(1, start=2)) == [[4, 5]]


@pytest.mark.parametrize("workers", [0, 1])
def test_a_bug_keeps_its_own_type(workers):
    numbers = Numbers(2, broken=1, error=ZeroDivisionError)
    with pytest.raises(ZeroDivisionError, match="a poem"):
        list(Loader(numbers, batch_size=1, seed=0, workers=workers).batches(0))


def test_workers_use_one_core_and_leave_ctrl_c_to_their_parent():
    threads = cv2.getNumThreads(), torch.get_num_threads(), signal.getsignal(signal.SIGINT)
    loader = Loader(Surroundings(2), batch_size=1, seed=0, workers=1)
    assert [batch[0].name for batch in loader.batches(0)] == ["1 1 True"] * 2
    assert threads == (
        cv2.getNumThreads(),
        torch.get_num_threads(),
        signal.getsignal(signal.SIGINT),
    )


def test_an_epoch_left_halfway_does_not_disturb_the_next():
    loader = Loader(Numbers(20), batch_size=2, seed=0, workers=1)
    expected = ids(Loader(Numbers(20), batch_size=2, seed=0).batches(1))
    left = loader.batches(0)
    next(left)
    assert ids(loader.batches(1)) == expected
    with pytest.raises(RuntimeError, match="another epoch"):
        next(left)


def test_workers_draw_nothing_from_torchs_generator():
    before = torch.get_rng_state()
    list(Loader(Numbers(4), batch_size=2, seed=0, workers=1).batches(0))
    assert torch.equal(torch.get_rng_state(), before)


def test_grouping_by_size_puts_like_to_like():
    sizes = ((100, 200), (200, 100), (400, 400), (101, 198))
    loader = Loader(Numbers(64, sizes=sizes), batch_size=4, seed=0, group_by_size=True)
    plan = loader.plan(0)
    assert sorted(np.concatenate(plan)) == list(range(64))
    # Image i is of size i % 4; sizes 0 and 3 are alike, and 32 + 16 + 16 fill whole batches.
    kinds = [{(0 if i % 4 == 3 else i % 4) for i in batch} for batch in plan]
    assert all(len(kind) == 1 for kind in kinds)
    assert kinds != sorted(kinds, key=min)
    assert [b.tolist() for b in plan] == [b.tolist() for b in loader.plan(0)]
    assert [b.tolist() for b in plan] != [b.tolist() for b in loader.plan(1)]


def test_grouping_without_shuffling_keeps_the_order_within_a_size():
    loader = Loader(
        Numbers(6, sizes=((100, 100), (10, 10))),
        batch_size=3,
        seed=0,
        shuffle=False,
        group_by_size=True,
    )
    assert ids(loader.batches(0)) == [[1, 3, 5], [0, 2, 4]]


def test_images_are_shown_as_often_as_wished():
    """Twice, never, or once and in every second epoch once more."""
    numbers, times = Numbers(4), [2, 0, 1.5, 1.5]
    loader = Loader(numbers, batch_size=2, seed=0, times=times)
    assert (loader.samples_per_epoch, loader.batches_per_epoch) == (5, 3)
    total = np.zeros(4)
    for epoch in range(200):
        batches = ids(loader.batches(epoch))
        assert [len(batch) for batch in batches] == [2, 2, 1]
        counts = np.bincount(list(chain(*batches)), minlength=4)
        assert counts.tolist() in ([2, 0, 1, 2], [2, 0, 2, 1])
        total += counts
    assert abs(total[2] - total[3]) < 60
    assert ids(loader.batches(7)) == ids(
        Loader(Numbers(4), batch_size=2, seed=0, times=times).batches(7)
    )
    assert [batch.tolist() for batch in loader.plan(7)] == ids(loader.batches(7))


def test_an_image_shown_again_is_changed_anew():
    loader = Loader(Numbers(3), drawn, batch_size=6, seed=2, times=[3, 1, 1.5])
    for epoch in range(4):
        [samples] = loader.batches(epoch)
        assert len({sample.name for sample in samples}) == len(samples) == 6


def test_whole_numbers_are_as_if_the_data_set_held_each_image_so_often():
    """So runs that were begun when crops were copies of their image go on."""
    scenes, crops = SyntheticScenes(5, size=(48, 48)), np.array([1, 3, 1, 2, 1])
    copies = Subset(scenes, np.repeat(np.arange(5), crops))
    transform = training(AugmentConfig(crop=32))
    for epoch in range(2):
        expected = Loader(copies, transform, batch_size=3, seed=4).batches(epoch)
        found = Loader(scenes, transform, batch_size=3, seed=4, times=crops).batches(epoch)
        assert content(expected) == content(found)


@more_workers_than_cores
def test_what_is_shown_is_the_same_with_workers_and_from_any_batch_on():
    scenes, times = SyntheticScenes(5, size=(48, 48)), [1, 2.5, 0.7, 1.2, 1]
    transform = training(AugmentConfig(crop=32))
    options = {"batch_size": 2, "seed": 3, "times": times}
    alone = Loader(scenes, transform, **options)
    others = Loader(scenes, transform, workers=2, **options)
    for epoch in range(2):
        whole = content(alone.batches(epoch))
        assert content(others.batches(epoch)) == whole
        assert content(alone.batches(epoch, 2)) == content(others.batches(epoch, 2)) == whole[4:]


def test_grouping_by_size_looks_at_what_is_shown():
    numbers = Numbers(4, sizes=((100, 100), (10, 10)))
    options = {"batch_size": 2, "seed": 0, "group_by_size": True}
    plan = Loader(numbers, times=[0, 3, 2, 1], **options).plan(0)
    assert sorted(sorted(batch.tolist()) for batch in plan) == [[1, 1], [1, 3], [2, 2]]


def test_no_samples_are_no_batches():
    loader = Loader(Numbers(0), batch_size=2, seed=0, group_by_size=True)
    assert loader.batches_per_epoch == 0
    assert list(loader.batches(0)) == []


def test_fewer_samples_than_a_batch_are_one_batch():
    assert ids(Loader(Numbers(1), batch_size=8, seed=0).batches(0)) == [[0]]


@pytest.mark.parametrize(("option", "value"), [("batch_size", 0), ("seed", -1), ("workers", -1)])
def test_numbers_that_make_no_sense_are_said(option, value):
    with pytest.raises(ConfigError, match=f"{option} should be at least .* but is {value}"):
        Loader(Numbers(1), **{"batch_size": 1, "seed": 0, option: value})


HOLDS_A_WORKER = """
from delineate.data.loader import Loader
from delineate.data.synthetic import SyntheticScenes

def main():
    batches = Loader(SyntheticScenes(4, size=(32, 32)), batch_size=1, seed=0, workers=1).batches(0)
    next(batches)
    [worker] = batches.gi_frame.f_locals["self"]._processes._iterator._workers
    print(worker.pid, flush=True)
    import time
    time.sleep(300)

if __name__ == "__main__":
    main()
"""


def test_workers_end_when_the_training_is_killed(tmp_path):
    script = tmp_path / "training.py"
    script.write_text(HOLDS_A_WORKER)
    with subprocess.Popen([sys.executable, str(script)], stdout=subprocess.PIPE) as training:
        worker = int(training.stdout.readline())
        os.kill(worker, 0)
        training.kill()
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        try:
            os.kill(worker, 0)
        except ProcessLookupError:
            return
        time.sleep(0.1)
    pytest.fail("the worker outlived the process it works for")


TRAINS_WITHOUT_A_GUARD = """
from tiny_run import scenes, tiny_config
from delineate.train.config import DataConfig
from delineate.train.loop import fit

train = scenes()
train.ballast = bytes(BALLAST)
fit(tiny_config(data=DataConfig(workers=1)), train, scenes(2, seed=2), "run", device="cpu")
"""


@pytest.mark.parametrize("ballast", [0, 1_000_000], ids=["fits a pipe", "does not"])
def test_a_script_that_begins_again_in_a_worker_is_told_the_cure(tmp_path, monkeypatch, ballast):
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parents[1] / "train"))
    monkeypatch.chdir(tmp_path)
    (tmp_path / "training.py").write_text(TRAINS_WITHOUT_A_GUARD.replace("BALLAST", str(ballast)))
    done = subprocess.run([sys.executable, "training.py"], capture_output=True, text=True)
    said = done.stderr
    assert done.returncode == 1
    assert 'put what it does under `if __name__ == "__main__":`.' in said
    assert "ReaderLost: a process that reads images has ended" in said
    assert "(a script needs `if __name__ == " in said
    assert not (tmp_path / "run").exists()


def test_a_worker_that_is_killed_is_a_sentence():
    loader = Loader(Killed(4), batch_size=1, seed=0, workers=1)
    with pytest.raises(ReaderLost, match=r"has ended: .* memory may have run out, and fewer"):
        list(loader.batches(0))


def test_a_worker_that_is_killed_between_epochs_is_a_sentence_and_replaced():
    loader = Loader(Numbers(4), batch_size=1, seed=0, workers=1)
    first = ids(loader.batches(0))
    [worker] = loader._processes._iterator._workers
    worker.kill()
    worker.join()
    with pytest.raises(ReaderLost):
        list(loader.batches(1))
    assert ids(loader.batches(0)) == first
