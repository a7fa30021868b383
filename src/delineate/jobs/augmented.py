"""What training would see: pictures of a data set and what augmentation makes of each."""

from collections.abc import Iterator

import numpy as np

from delineate.core.classes import ClassMap
from delineate.core.draw import overlay, sheet
from delineate.core.image import ImageArray
from delineate.core.preprocess import Preprocess
from delineate.data.sample import Dataset, Sample
from delineate.errors import ConfigError, DataError
from delineate.jobs.opening import plural
from delineate.transforms.augment import AugmentConfig, samples_per_image, training
from delineate.transforms.presets import with_preset


def augmented_sheet(
    dataset: Dataset,
    options: AugmentConfig | str,
    *,
    family: str = "mask_rcnn",
    preprocess: Preprocess | None = None,
    seed: int = 0,
    images: int = 4,
    versions: int = 4,
    cell: int = 400,
) -> ImageArray:
    """Draw pictures of a data set, a row each: as they are, then as training would see them.

    Version k of a picture is, pixel for pixel, the first sample that epoch k of a training on this
    data set makes of it, with these options, this preprocessing and this seed, if every image comes
    as often as every other (`data.balance` none, and no `data.synthetic`). Of a recipe::

        config = resolve(recipe_by_name("mask_rcnn_nano"), dataset, accelerator="cpu")
        augmented_sheet(dataset, config.augment, preprocess=config.preprocess, seed=config.seed)

    Args:
        dataset: The pictures, of which `images` are taken at equal distances.
        options: Resolved options; or the name of a preset, which is shown on whole pictures.
        family: Whose preset, a key of `delineate.transforms.presets.PRESETS`.
        preprocess: The model's own contrast and resize; None keeps the pictures' size.
        seed: That of the training.
        images: Rows, at most.
        versions: Changed pictures in a row.
        cell: Width, and greatest height, of a picture on the sheet, in pixels.

    Returns:
        ``(H, W, 3)`` uint8 RGB.

    Raises:
        ConfigError: There is no such preset, or a number makes no sense.
        DataError: The data set has no picture, or one that is to be shown cannot be read.
    """
    for name, value, least in (("images", images, 1), ("versions", versions, 0), ("seed", seed, 0)):
        if value < least:
            raise ConfigError(f"{name} should be at least {least}, but is {value}: change it.")
    if not len(dataset):
        raise DataError(f"{dataset.name}: expected pictures to show, got none: name other data.")
    if isinstance(options, str):
        options = with_preset(AugmentConfig(crop=None), options, family=family)
    transform = training(options, preprocess=preprocess, others=dataset)
    sizes = [record.size for record in dataset.records]
    counts = samples_per_image(options, sizes, preprocess=preprocess)
    chosen = np.unique(np.linspace(0, len(dataset) - 1, images).round().astype(int))

    def pictures() -> Iterator[tuple[ImageArray, str]]:
        for index in chosen.tolist():
            sample = dataset[index]
            picture, counted = _drawn(sample, dataset.classes)
            yield picture, f"{counted}: {sample.name}"
            number = int(counts[:index].sum())  # of its first sample in every epoch
            for epoch in range(versions):
                changed = transform(sample, np.random.default_rng([seed, epoch, number]))
                picture, counted = _drawn(changed, dataset.classes)
                yield picture, f"epoch {epoch}: {counted}"

    drawn, captions = zip(*pictures(), strict=True)
    return sheet(drawn, captions, columns=versions + 1, cell=cell)


def _drawn(sample: Sample, classes: ClassMap) -> tuple[ImageArray, str]:
    """Return a sample with its objects drawn, and how many and how large it is."""
    height, width = sample.instances.image_size
    picture = overlay(sample.image, sample.instances, classes)
    return picture, f"{plural(len(sample.instances), 'object')}, {width} x {height}"
