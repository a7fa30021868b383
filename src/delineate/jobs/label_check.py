"""What a model says about the labels of a data set."""

from collections.abc import Mapping
from pathlib import Path

from delineate.data.derived import Relabelled
from delineate.data.sample import Dataset
from delineate.errors import ImageError
from delineate.jobs.label_results import LEAST_SCORE, Found, disagreements
from delineate.jobs.opening import Say, counted, plural
from delineate.predict.predictor import Predictor
from delineate.quality.findings import Finding
from delineate.quality.shots import Predicted
from delineate.weights.load import load


def check_labels(
    splits: Mapping[str, Dataset], model: str, *, device: str | None = None, say: Say
) -> tuple[list[Finding], Predicted]:
    """Find labels that a model disagrees with.

    A run folder's model is taken to have been trained on the split "train", whose findings say so.

    Args:
        splits: Split name -> data set.
        model: Run folder, checkpoint, or ``name:tag``.
        device: Where to run; the best there is without it.
        say: Receives lines for the user.

    Returns:
        The findings, and what the model found in each image.

    Raises:
        ClassMismatch: The model lacks a class of the data.
        ModelError: The model cannot be loaded.
    """
    loaded = load(model)
    predictor = Predictor(loaded, device=device, score_threshold=LEAST_SCORE)
    ours = {split: Relabelled(dataset, loaded.classes) for split, dataset in splits.items()}
    found = {
        split: (dataset, _predicted(predictor, dataset, split, say))
        for split, dataset in ours.items()
    }
    return disagreements(found, loaded.classes, ("train",) if Path(model).is_dir() else ())


def _predicted(predictor: Predictor, dataset: Dataset, split: str, say: Say) -> Found:
    left_out = 0
    for index in counted(len(dataset), f"predict {split}"):
        try:
            image = dataset[index].image
        except ImageError:  # another check says so
            left_out += 1
            continue
        yield index, predictor(image)
    if left_out:
        say(f"{split}: {plural(left_out, 'picture')} could not be shown to the model")
