"""Loader: batches of transformed samples, the same for any number of worker processes.

Sample `i` of epoch `e` depends on `(seed, e, i)` alone, and the order on `(seed, e)`, so a run can
be taken up at any batch of any epoch without replaying what came before.
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
from delineate.errors import ConfigError, DelineateError, ReaderLost

Task = tuple[int, int]
"""Epoch and index of a sample."""
Fetched = list[Sample | DelineateError]
"""A batch, an error standing in for each sample that could not be read."""


class Loader:
    """Batches of a data set, epoch by epoch.

    An epoch holds every sample once, in `batches_per_epoch` batches whose sizes differ by one at
    most: nothing is dropped, and there is no small batch at the end.

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
        self._pool = _Pool(dataset, fresh, fresh_per_epoch)
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
        tasks = [[(epoch, int(index)) for index in batch] for batch in self.plan(epoch)[start:]]
        fetched = self._from_workers(tasks) if self._workers else map(self._samples.fetch, tasks)
        for batch in fetched:
            yield [_sample_of(item) for item in batch]

    def plan(self, epoch: int) -> list[npt.NDArray[np.int64]]:
        """The indices of each batch of `epoch`."""
        count = len(self._pool)
        if not count:
            return []
        # The stream of the sample that does not exist: no sample of this epoch shares it.
        rng = np.random.default_rng([self._seed, epoch, count])
        order = rng.permutation(count) if self._shuffle else np.arange(count)
        if self._group_by_size:
            order = order[np.argsort(self._size_classes(epoch)[order], kind="stable")]
        batches = np.array_split(order, self.batches_per_epoch)
        if self._group_by_size and self._shuffle:
            return [batches[i] for i in rng.permutation(len(batches))]
        return batches

    def _size_classes(self, epoch: int) -> npt.NDArray[np.int64]:
        """(n,) one number for all images whose sides differ by less than about a fifth."""
        sizes = np.array(self._pool.sizes(epoch), np.float64)
        height, width = np.rint(4 * np.log2(sizes)).astype(np.int64).T
        classes: npt.NDArray[np.int64] = 1000 * height + width
        return classes

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


class _Pool:
    """The samples of every epoch: all of one data set, and the next few of another."""

    def __init__(self, dataset: Dataset, fresh: Dataset | None, per_epoch: int) -> None:
        self._dataset = dataset
        self._fresh = fresh
        self._per_epoch = per_epoch

    def __len__(self) -> int:
        return len(self._dataset) + self._per_epoch

    def read(self, task: Task) -> Sample:
        """Return a sample as it is."""
        epoch, index = task
        if self._fresh is None or index < len(self._dataset):
            return self._dataset[index]
        return self._fresh[self._number(epoch, index - len(self._dataset), len(self._fresh))]

    def sizes(self, epoch: int) -> list[Size]:
        """Return (height, width) of all samples of an epoch."""
        sizes = [record.size for record in self._dataset.records]
        if self._fresh is not None:
            records = self._fresh.records
            numbers = (self._number(epoch, i, len(records)) for i in range(self._per_epoch))
            sizes += [records[number].size for number in numbers]
        return sizes

    def _number(self, epoch: int, place: int, count: int) -> int:
        return (epoch * self._per_epoch + place) % count


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
        epoch, index = task
        try:
            sample = self._pool.read(task)
            if self._transform is None:
                return sample
            return self._transform(sample, np.random.default_rng([self._seed, epoch, index]))
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
