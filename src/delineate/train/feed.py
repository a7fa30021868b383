"""What a run learns from: its splits, in the classes of the model, and the loader of batches."""

from delineate.core.panoptic_classes import PanopticClasses
from delineate.data.derived import Relabelled
from delineate.data.loader import Loader
from delineate.data.panoptic_parts import PanopticRelabelled, as_panoptic
from delineate.data.pasted.cut_paste import CutPaste
from delineate.data.pasted.grounds import LONGEST
from delineate.data.sample import Dataset
from delineate.data.sampling import epoch_length
from delineate.data.split import split
from delineate.errors import ConfigError, DataError
from delineate.train.balance import times_shown
from delineate.train.config import TrainConfig
from delineate.transforms.augment import training

_ENDLESS = 10**9  # made pictures


def held_out(
    config: TrainConfig, train: Dataset, val: Dataset | None
) -> tuple[Dataset, Dataset | None]:
    """Return the two splits: those given, or one of which a part is held out.

    Raises:
        DataError: There are too few images, or none to measure by.
    """
    if val is not None:
        if not len(val):
            raise DataError(
                f"the validation split {val.name!r} should have images, but has none: add some, or "
                "leave the split out, and a part of the training images is held out."
            )
        return train, val
    share = config.data.val_fraction
    if not share or not len(train):
        return train, None
    if len(train) < 2:
        raise DataError(
            f"the training set {train.name!r} should have at least 2 images, of which one is held "
            "out to measure by, but has 1: add images or a val.json, or set data.val_fraction=0."
        )
    parts = split(train, {"train": 1 - share, "val": share}, seed=config.seed)
    return parts["train"], parts["val"]


def labelled(
    config: TrainConfig, train: Dataset, val: Dataset | None
) -> tuple[Dataset, Dataset | None]:
    """Return the two splits with the classes of the model: the things are those of `train`."""
    if not len(config.model.stuff):  # and none travels along
        train = Relabelled(train, train.classes)
        return train, None if val is None else Relabelled(val, train.classes)
    classes = PanopticClasses(train.classes, config.model.stuff)
    train = PanopticRelabelled(as_panoptic(train), classes)
    return train, None if val is None else PanopticRelabelled(as_panoptic(val), classes)


def feed(config: TrainConfig, train: Dataset) -> Loader:
    """Return the batches of a run: of the images, as often as each is shown, and of made ones."""
    assert config.data.workers != "auto"
    times, share = times_shown(config, train), config.data.synthetic
    return Loader(
        train,
        training(config.augment, preprocess=config.preprocess, others=train),
        batch_size=config.batch_size,
        seed=config.seed,
        workers=config.data.workers,
        group_by_size=config.data.group_by_size,
        times=times,
        fresh=made(config, train) if share else None,
        fresh_per_epoch=max(round(epoch_length(times) * share / (1 - share)), 1) if share else 0,
    )


def made(config: TrainConfig, train: Dataset) -> Dataset:
    """Return more pictures than are ever wanted, made of the training images alone.

    Raises:
        ConfigError: The model learns stuff, of which made pictures have none.
    """
    if len(config.model.stuff):
        raise ConfigError(
            "data.synthetic should be 0 where stuff is learnt, since made pictures have objects "
            f"only, but is {config.data.synthetic:g}: set it to 0, or use a recipe for objects."
        )
    keeps_size = config.preprocess.resize == "factor"  # then pixels count, not shares of a picture
    return CutPaste(train, _ENDLESS, longest=None if keeps_size else LONGEST, seed=config.seed)


def epoch_of(config: TrainConfig, loader: Loader) -> str:
    """Say how long an epoch is, where it is not each image once."""
    data, by_area = config.data, config.augment.crops_by_area
    how = {"none": "", "repeat_factor": ", rare classes repeated", "class_aware": ", by class"}
    made = f", {data.synthetic:.0%} of them made" if data.synthetic else ""
    if not (by_area or made or how[data.balance]):
        return ""
    what = "crops" if by_area else "samples"
    return f" in {loader.samples_per_epoch} {what} an epoch{how[data.balance]}{made}"
