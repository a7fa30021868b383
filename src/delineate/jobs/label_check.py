"""What a model says about the labels of a data set."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from delineate.data.derived import Relabelled
from delineate.data.sample import Dataset
from delineate.data.split import split
from delineate.errors import ImageError
from delineate.jobs.label_results import LEAST_SCORE, Found, disagreements
from delineate.jobs.opening import Say, counted, plural
from delineate.predict.predictor import Predictor
from delineate.quality.findings import Finding
from delineate.quality.shots import Predicted
from delineate.train.checkpoint import file_in, fingerprint, load_origin
from delineate.train.config import from_dict
from delineate.weights.load import load


def check_labels(
    splits: Mapping[str, Dataset], model: str, *, device: str | None = None, say: Say
) -> tuple[list[Finding], Predicted]:
    """Find labels that a model disagrees with.

    What it sees of classes that a split does not have is left out: nobody annotated these there.
    Findings in what a run says that it was trained on say so.

    Args:
        splits: Split name -> data set.
        model: Run folder, checkpoint, or ``name:tag``.
        device: Where to run; the best there is without it.
        say: Receives lines for the user.

    Returns:
        The findings, and what the model found in each image, in the classes of its split.

    Raises:
        ClassMismatch: The model lacks a class of the data.
        ModelError: The model cannot be loaded.
    """
    loaded = load(model)
    predictor = Predictor(loaded, device=device, score_threshold=LEAST_SCORE)
    theirs = {name: loaded.classes.match(dataset.classes) for name, dataset in splits.items()}
    found = {
        name: (
            Relabelled(dataset, loaded.classes),
            _predicted(predictor, dataset, theirs[name], name, say),
        )
        for name, dataset in splits.items()
    }
    findings, seen = disagreements(found, loaded.classes, _trained_on(Path(model), splits))
    ours = {name: _inverse(labels, len(loaded.classes)) for name, labels in theirs.items()}
    return findings, {
        (name, image_id): instances.replace(labels=ours[name][instances.labels])
        for (name, image_id), instances in seen.items()
    }


def _inverse(labels: npt.NDArray[np.int64], count: int) -> npt.NDArray[np.int64]:
    """Return (count,) where each label stands among `labels`; -1: nowhere."""
    places = np.full(count, -1, dtype=np.int64)
    places[labels] = np.arange(len(labels))
    return places


def _predicted(
    predictor: Predictor,
    dataset: Dataset,
    annotated: npt.NDArray[np.int64],
    name: str,
    say: Say,
) -> Found:
    """Yield what the model sees of the annotated classes, given by its own labels."""
    left_out = 0
    for index in counted(len(dataset), f"predict {name}"):
        try:
            image = dataset[index].image
        except ImageError:  # another check says so
            left_out += 1
            continue
        seen = predictor(image)
        yield index, seen[np.isin(seen.labels, annotated)]
    if left_out:
        say(f"{name}: {plural(left_out, 'picture')} could not be shown to the model")


def _trained_on(model: Path, splits: Mapping[str, Dataset]) -> Sequence[str]:
    """Return the splits that a run was trained on, by the fingerprint that it keeps of its data."""
    checkpoint = file_in(model if model.is_dir() else model.parent)
    if not checkpoint.is_file():
        return ()
    origin = load_origin(checkpoint)
    if "train" not in origin.data:
        return ()
    config = from_dict(origin.config)
    held_out = config.data.val_fraction
    shares = {"train": 1 - held_out, "val": held_out}
    trained = []
    for name, dataset in splits.items():
        candidates = [dataset]
        if held_out and len(dataset) > 1:  # as a training without a split val divides its data
            candidates.append(split(dataset, shares, seed=config.seed)["train"])
        if origin.data["train"] in map(fingerprint, candidates):
            trained.append(name)
    return trained
