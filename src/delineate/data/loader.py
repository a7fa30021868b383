"""Loader: batches of transformed samples, the same for any number of worker processes.

Sample `i` of epoch `e` depends on `(seed, e, i)` alone, and the order on `(seed, e)`, so a run can
be taken up at any batch of any epoch without replaying what came before. So does what image it is
of, where an epoch shows some images more often than others: each time with changes of its own.
"""

import multiprocessing
import os
import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
import torch
from torch.utils import data as torch_data

from delineate.core.boxes import Size
from delineate.data.sample import Dataset, Sample
from delineate.data.sampling import draw, epoch_length
from delineate.errors import ConfigError, DelineateError, ReaderLost

Task = tuple[int, int, int]
"""Epoch, number of the sample in it, and index of its image in the data set that it is from."""
Fetched = list[Sample | DelineateError]
"""A batch, an error standing in for each sample that could not be read."""


class Loader:
    """Batches of a data set, epoch by epoch.

    An epoch holds every image once, or as often as `times` says, in `batches_per_epoch` batches
    whose sizes differ by one at most: nothing is dropped, and there is no small batch at the end.

    Args:
        dataset: With workers, it and `transform` are sent to each of them (pickled).
        transform: (sample, generator) to sample; None leaves samples as they are.
        batch_size: Most samples in a batch.
        seed: From 0 on.
        workers: Processes that read and transform ahead, kept from epoch to epoch; with 0 it
            happens in between, in this process. Workers import the script that starts them, so it
            needs its ``if __name__ == "__main__":``.
        shuffle: Draw a new order for each epoch; else the data set's own.
        group_by_size: Put images of similar height and width into one batch, which saves padding.
        times: (n,) how often an epoch shows each image, on average over the epochs: see
            `delineate.data.sampling.draw`. Without them each is shown once.
        fresh: A data set, often a very large one, of which every epoch takes the next few samples
            beside all of `dataset`: made pictures, which need not come twice.
        fresh_per_epoch: How many; with them from the start again after the last.

    Raises:
        ConfigError: A number makes no sense.
    """

    def __init__(
        self,
        dataset: Dataset,
        transform: Callable[[Sample, np.random.Generator], Sample] | None = None,
        *,
        batch_size: int,
        seed: int,
        workers: int = 0,
        shuffle: bool = True,
        group_by_size: bool = False,
        times: npt.ArrayLike | None = None,
        fresh: Dataset | None = None,
        fresh_per_epoch: int = 0,
    ) -> None:
        for name, value, least in (
            ("batch_size", batch_size, 1),
            ("seed", seed, 0),
            ("workers", workers, 0),
            ("fresh_per_epoch", fresh_per_epoch, 0),
        ):
            if value < least:
                raise ConfigError(f"{name} should be at least {least}, but is {value}: change it.")
        if fresh_per_epoch and not fresh:
            raise ConfigError("fresh samples should come from a data set that has some: give one.")
        times = np.ones(len(dataset)) if times is None else np.asarray(times, np.float64)
        self._pool = _Pool(dataset, times, fresh, fresh_per_epoch)
        self._samples = _Samples(self._pool, transform, seed)
        self._batch_size = batch_size
        self._seed = seed
        self._workers = workers
        self._shuffle = shuffle
        self._group_by_size = group_by_size
        self._agenda = _Agenda()
        self._processes: torch_data.DataLoader[Any] | None = None

    @property
    def samples_per_epoch(self) -> int:
        """Number of samples of any epoch."""
        return len(self._pool)

    @property
    def batches_per_epoch(self) -> int:
        """Number of batches of any epoch."""
        return -(-len(self._pool) // self._batch_size)

    def batches(self, epoch: int, start: int = 0) -> Iterator[list[Sample]]:
        """Yield the batches of `epoch` from batch `start` on; those before it are not read.

        Of a loader with workers, only the epoch asked for last goes on.

        Raises:
            DelineateError: A sample could not be read, whichever process read it.
            ReaderLost: A process that reads has ended.
        """
        shown, plan = self._plan(epoch)
        tasks = [[(epoch, int(i), int(shown[i])) for i in batch] for batch in plan[start:]]
        fetched = self._from_workers(tasks) if self._workers else map(self._samples.fetch, tasks)
        for batch in fetched:
            yield [_sample_of(item) for item in batch]

    def plan(self, epoch: int) -> list[npt.NDArray[np.int64]]:
        """The images of each batch of `epoch`, as indices into the data sets that they are from."""
        shown, plan = self._plan(epoch)
        return [shown[batch] for batch in plan]

    def _plan(self, epoch: int) -> tuple[npt.NDArray[np.int64], list[npt.NDArray[np.int64]]]:
        """Return which image each sample of `epoch` is of, and which samples each batch holds."""
        count = len(self._pool)
        # Streams of the sample that does not exist: no sample of this epoch shares them.
        shown = self._pool.shown(epoch, np.random.default_rng([self._seed, epoch, count, 1]))
        rng = np.random.default_rng([self._seed, epoch, count])
        if not count:
            return shown, []
        order = rng.permutation(count) if self._shuffle else np.arange(count)
        if self._group_by_size:
            order = order[np.argsort(_size_classes(self._pool.sizes(shown))[order], kind="stable")]
        batches = np.array_split(order, self.batches_per_epoch)
        if self._group_by_size and self._shuffle:
            batches = [batches[i] for i in rng.permutation(len(batches))]
        return shown, batches

    def _from_workers(self, tasks: list[list[Task]]) -> Iterator[Fetched]:
        if self._processes is None:
            self._processes = torch_data.DataLoader(
                self._samples,
                batch_sampler=self._agenda,
                num_workers=self._workers,
                persistent_workers=True,
                collate_fn=_as_is,
                worker_init_fn=_settle,
                multiprocessing_context=_context(),
                generator=torch.Generator(),  # else each epoch would draw from torch's own
            )
        self._agenda.tasks = tasks
        try:
            fetched = iter(self._processes)
            for _ in tasks:
                if self._agenda.tasks is not tasks:
                    raise RuntimeError("another epoch of this loader was begun: use one for each.")
                yield next(fetched)
        except (RuntimeError, BrokenPipeError) as error:
            # What torch says of a worker that is gone; the pipe breaks where one never came up.
            if isinstance(error, RuntimeError) and "exited unexpectedly" not in str(error):
                raise
            self._processes = None
            raise ReaderLost(
                "a process that reads images has ended: look at what it printed above (a script "
                'needs `if __name__ == "__main__":` before what it does); if that is nothing, '
                "memory may have run out, and fewer data.workers need less."
            ) from None


def check_may_start_workers() -> None:
    """Make sure that this is no new process, importing the script that has started it.

    Raises:
        ConfigError: It is, and the script would begin again in each of its processes.
    """
    # Set while a new process imports the main script: multiprocessing asks it for the same purpose.
    if getattr(multiprocessing.current_process(), "_inheriting", False):
        raise ConfigError(
            "a process that this script has started imports the script, which begins again in it: "
            'put what it does under `if __name__ == "__main__":`.'
        )


def _size_classes(sizes: Sequence[Size]) -> npt.NDArray[np.int64]:
    """(n,) one number for all images whose sides differ by less than about a fifth."""
    height, width = np.rint(4 * np.log2(np.array(sizes, np.float64))).astype(np.int64).T
    classes: npt.NDArray[np.int64] = 1000 * height + width
    return classes


class _Pool:
    """The samples of every epoch: those of one data set, and the next few of another."""

    def __init__(
        self,
        dataset: Dataset,
        times: npt.NDArray[np.float64],
        fresh: Dataset | None,
        per_epoch: int,
    ) -> None:
        self._dataset = dataset
        self._times = times
        self._own = epoch_length(times)
        self._fresh = fresh
        self._per_epoch = per_epoch

    def __len__(self) -> int:
        return self._own + self._per_epoch

    def shown(self, epoch: int, rng: np.random.Generator) -> npt.NDArray[np.int64]:
        """Return the index of each sample's image in the data set that the sample is from."""
        own = draw(self._times, rng)
        if self._fresh is None:
            return own
        following = epoch * self._per_epoch + np.arange(self._per_epoch)
        return np.concatenate([own, following % len(self._fresh)])

    def read(self, number: int, index: int) -> Sample:
        """Return a sample as it is."""
        if self._fresh is None or number < self._own:
            return self._dataset[index]
        return self._fresh[index]

    def sizes(self, shown: npt.NDArray[np.int64]) -> list[Size]:
        """Return (height, width) of the samples of an epoch."""
        sizes = [self._dataset.records[index].size for index in shown[: self._own]]
        if self._fresh is not None:
            sizes += [self._fresh.records[index].size for index in shown[self._own :]]
        return sizes


class _Samples(torch_data.Dataset[Sample | DelineateError]):
    """Reads and transforms samples, in this process or another."""

    def __init__(
        self,
        pool: _Pool,
        transform: Callable[[Sample, np.random.Generator], Sample] | None,
        seed: int,
    ) -> None:
        self._pool = pool
        self._transform = transform
        self._seed = seed

    def __getitem__(self, task: Task) -> Sample | DelineateError:
        epoch, number, index = task
        try:
            sample = self._pool.read(number, index)
            if self._transform is None:
                return sample
            return self._transform(sample, np.random.default_rng([self._seed, epoch, number]))
        except DelineateError as error:  # raised where the batch arrives, without torch's wrapping
            return error

    def fetch(self, tasks: Sequence[Task]) -> Fetched:
        """Read a whole batch."""
        return [self[task] for task in tasks]


class _Agenda(torch_data.Sampler[list[Task]]):
    """Hands torch's loader the batches of whichever epoch is due."""

    def __init__(self) -> None:
        self.tasks: list[list[Task]] = []

    def __iter__(self) -> Iterator[list[Task]]:
        return iter(self.tasks)


def _sample_of(item: Sample | DelineateError) -> Sample:
    if isinstance(item, DelineateError):
        raise item
    return item


def _as_is(batch: Fetched) -> Fetched:
    return batch


def _settle(worker: int) -> None:
    """Make a new worker use one core, and leave Ctrl-C to the process that started it.

    Its parent is the server that forked it, so torch's own watch does not notice when the process
    that it works for is killed.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_the_training, daemon=True).start()
    cv2.setNumThreads(0)
    torch.set_num_threads(1)


def _end_with_the_training() -> None:
    training = multiprocessing.parent_process()
    if training is not None:
        training.join()
        os._exit(1)


def _context() -> multiprocessing.context.BaseContext:
    """How workers start: never by forking this process, whose threads a fork would leave behind."""
    if "forkserver" not in multiprocessing.get_all_start_methods():
        return multiprocessing.get_context("spawn")
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([__name__])  # torch is imported once for all workers
    return context
