"""A model at work: images in, Instances out, in constant memory however many there are."""

import os
from collections.abc import Generator, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Literal

import torch

from delineate.core.image import ImageArray, ImageSource, read_image
from delineate.core.instances import Instances
from delineate.core.panoptic import Panoptic
from delineate.errors import ConfigError, ImageError
from delineate.models.api import SegModel
from delineate.models.fuse import optimize_for_inference

NamedSource = ImageSource | tuple[str, ImageSource]
"""A path, encoded bytes, an open file, an array, a Pillow image; or one of these with its name."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Prediction:
    """What was found in one image.

    Attributes:
        name: The name given with the source, else its path, else its number from 1 on.
        image: (height, width, 3) RGB.
        instances: What was found, in pixels of `image`, best score first.
    """

    name: str
    image: ImageArray
    instances: Instances


@dataclass(frozen=True, slots=True, kw_only=True)
class SkippedSource:
    """A source that could not be read.

    Attributes:
        name: As in `Prediction`.
        why: What is wrong with it, and what to do.
    """

    name: str
    why: str


class Predictor:
    """Finds objects in images.

    The model is copied and made faster (`delineate.models.fuse`); images are prepared as the
    weights demand. The number of threads is torch's own affair and left alone.

    Args:
        model: With the weights to be used. It is left as it is.
        device: Where to compute: ``cpu``, ``cuda``, ``cuda:1``, ``mps``. By default the best there
            is: CUDA for a model on the CPU, if the machine has it, else where the model is.
        score_threshold: Predictions with lower scores are dropped.
        batch_size: How many images go through the network at once. On a CPU 1 is best.

    Raises:
        ConfigError: There is no such device, or a number makes no sense.
    """

    def __init__(
        self,
        model: SegModel,
        *,
        device: str | torch.device | None = None,
        score_threshold: float = 0.05,
        batch_size: int = 1,
    ) -> None:
        if not isinstance(model, SegModel):
            raise ConfigError(
                f"expected a model, got {type(model).__name__}: load it first, as in "
                "Predictor(load('run'))."
            )
        if not 0 <= score_threshold <= 1:
            raise ConfigError(
                f"score_threshold must be between 0 and 1, got {score_threshold}: choose another."
            )
        if batch_size < 1:
            raise ConfigError(f"batch_size must be at least 1, got {batch_size}: choose another.")
        self.score_threshold = score_threshold
        self.batch_size = batch_size
        self.classes = model.classes
        self.panoptic_classes = model.panoptic_classes
        place = _best_device(model) if device is None else _checked_device(device)
        self._model = optimize_for_inference(model).to(place)

    def __call__(self, image: ImageSource) -> Instances:
        """Return what is found in one image.

        Args:
            image: A path, encoded bytes, an open file, an array (height, width, 3) in RGB order,
                or a Pillow image.

        Raises:
            ImageError: It cannot be read.
        """
        return self._predict([read_image(image)])[0]

    @torch.inference_mode()
    def panoptic(self, image: ImageSource) -> Panoptic:
        """Return to which segment each pixel of an image belongs, a thing or stuff, or to none.

        By the rules that the family was published with; `score_threshold` has no part in it.

        Args:
            image: As for a call.

        Raises:
            ImageError: It cannot be read.
            ModelError: The model answers with boxes alone.
        """
        batch, sizes, where = self._model.prepare([read_image(image)])
        return self._model.to_panoptic(self._model(batch, sizes), where)[0]

    def many(self, images: Sequence[ImageSource]) -> list[Instances]:
        """Return what is found in each image, in order.

        Raises:
            ImageError: One cannot be read.
        """
        return [prediction.instances for prediction in self.stream(images)]

    def stream(
        self, sources: Iterable[NamedSource], *, on_error: Literal["stop", "skip"] = "stop"
    ) -> "PredictionStream":
        """Predict image by image, as they are asked for.

        Sources may be endless: one batch is read ahead, in a thread of its own, while another is
        computed, and nothing is kept.

        Args:
            sources: What `__call__` takes, each alone or as a pair (name, source).
            on_error: What a source that cannot be read does: "stop" raises when its turn has come,
                "skip" leaves it out and lists it in the stream's `skipped`.

        Raises:
            ConfigError: `on_error` is neither.
        """
        if on_error not in ("stop", "skip"):
            raise ConfigError(f"on_error must be 'stop' or 'skip', got {on_error!r}: choose one.")
        return PredictionStream(self, sources, skip=on_error == "skip")

    @torch.inference_mode()
    def _predict(self, images: Sequence[ImageArray]) -> list[Instances]:
        if not images:
            return []
        model = self._model.with_score_threshold(self.score_threshold)
        batch, sizes, where = model.prepare(images)
        found = model.to_instances(model(batch, sizes), where)
        return [self._sure(instances) for instances in found]

    def _sure(self, instances: Instances) -> Instances:
        assert instances.scores is not None, "models give scores"
        return instances[instances.scores >= self.score_threshold]


class PredictionStream(Iterator[Prediction]):
    """The predictions for a row of sources, made by `Predictor.stream`.

    Attributes:
        skipped: The sources left out so far, those of the batch read ahead included.
    """

    def __init__(self, predictor: Predictor, sources: Iterable[NamedSource], *, skip: bool) -> None:
        self.skipped: list[SkippedSource] = []
        self._predictor = predictor
        self._sources = enumerate(sources, start=1)
        self._skip = skip
        self._predictions = self._run()

    def __next__(self) -> Prediction:
        return next(self._predictions)

    def close(self) -> None:
        """Stop reading ahead; happens by itself when the stream ends or is forgotten."""
        self._predictions.close()

    def _run(self) -> Generator[Prediction]:
        with ThreadPoolExecutor(max_workers=1, thread_name_prefix="delineate-read") as reader:
            ahead = reader.submit(self._read_batch)
            while True:
                pictures, error = ahead.result()
                if pictures and error is None:
                    ahead = reader.submit(self._read_batch)
                found = self._predictor._predict([image for _, image in pictures])
                for (name, image), instances in zip(pictures, found, strict=True):
                    yield Prediction(name=name, image=image, instances=instances)
                if error is not None:
                    raise error
                if not pictures:
                    return

    def _read_batch(self) -> tuple[list[tuple[str, ImageArray]], ImageError | None]:
        """Read the next batch, cut short where there are no more sources or a bad one stops it."""
        pictures: list[tuple[str, ImageArray]] = []
        for number, source in self._sources:
            name, content = _named(source, number)
            try:
                pictures.append((name, read_image(content)))
            except ImageError as error:
                if not self._skip:
                    return pictures, error
                self.skipped.append(SkippedSource(name=name, why=str(error)))
            if len(pictures) == self._predictor.batch_size:
                break
        return pictures, None


def _named(source: NamedSource, number: int) -> tuple[str, ImageSource]:
    if isinstance(source, tuple):
        return source
    name = os.fspath(source) if isinstance(source, str | os.PathLike) else str(number)
    return name, source


def _best_device(model: SegModel) -> torch.device:
    place = next(model.parameters()).device
    return torch.device("cuda") if place.type == "cpu" and torch.cuda.is_available() else place


def _checked_device(device: str | torch.device) -> torch.device:
    """Return a device that this machine has and that models run on."""
    try:
        wanted = torch.device(device)
    except RuntimeError:
        wanted = None
    there = {
        "cpu": 1,
        "cuda": torch.cuda.device_count(),
        "mps": int(torch.backends.mps.is_available()),
    }
    if wanted is None or (wanted.index or 0) >= there.get(wanted.type, 0):
        known = ", ".join(
            f"{kind}:{n}" if n else kind for kind in there for n in range(there[kind])
        )
        raise ConfigError(
            f"expected a device that this machine has ({known}), got {str(device)!r}: "
            "choose one of them, or leave the device out."
        )
    return wanted
