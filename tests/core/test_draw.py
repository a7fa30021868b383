"""Overlays and sheets: which pixels change, and which must not."""

import numpy as np
import pytest

from delineate.core.classes import ClassMap
from delineate.core.draw import overlay, sheet
from delineate.core.instances import Instances
from delineate.core.masks import Masks
from delineate.errors import DataError

ONE = ClassMap.from_names(["nucleus"])
TWO = ClassMap.from_names(["cat", "dog"])
GREY = np.full((120, 160, 3), 100, np.uint8)


def objects(*windows, size=(120, 160), labels=None, scores=None, masks=True):
    """Instances that fill windows ``(x0, y0, x1, y1)``."""
    bitmaps = np.zeros((len(windows), *size), bool)
    for bitmap, (x0, y0, x1, y1) in zip(bitmaps, windows, strict=True):
        bitmap[y0:y1, x0:x1] = True
    return Instances(
        image_size=size,
        boxes=np.array(windows, np.float32).reshape(-1, 4),
        labels=np.array(labels or [0] * len(windows), np.int64),
        masks=Masks.from_bitmaps(bitmaps, size) if masks else None,
        scores=None if scores is None else np.array(scores, np.float32),
    )


def changed(drawn, image=GREY):
    return (drawn != image).any(axis=2)


def test_the_image_given_stays_as_it_is():
    image = GREY.copy()
    drawn = overlay(image, objects((10, 10, 60, 60)), ONE)
    assert (drawn.shape, drawn.dtype) == (image.shape, np.uint8)
    np.testing.assert_array_equal(image, GREY)
    assert not np.shares_memory(drawn, image)


def test_nothing_found_changes_nothing():
    none = Instances.empty((120, 160), scored=True)
    np.testing.assert_array_equal(overlay(GREY, none, TWO), GREY)


@pytest.mark.parametrize(("alpha", "share"), [(0, 0.0), (0.45, 0.45), (1, 1.0)])
def test_the_fill_is_the_colour_over_the_image(alpha, share):
    drawn = overlay(GREY, objects((10, 10, 60, 60)), ONE, alpha=alpha)
    expected = (1 - share) * 100 + share * np.array(ONE.colour(0))
    assert np.abs(drawn[35, 35] - expected).max() <= 0.5 + 1e-6


def test_nothing_far_from_a_mask_changes():
    drawn = overlay(GREY, objects((10, 20, 60, 70)), ONE)
    near = np.zeros((120, 160), bool)
    near[17:73, 7:63] = True
    assert changed(drawn)[20:70, 10:60].all()
    assert not changed(drawn)[~near].any()


def test_holes_stay_open():
    ring = np.zeros((120, 160), bool)
    ring[10:90, 10:90] = True
    ring[30:70, 30:70] = False
    masks = Masks.from_bitmaps([ring], (120, 160))
    found = objects((10, 10, 90, 90)).replace(masks=masks)
    drawn = changed(overlay(GREY, found, ONE))
    assert drawn[20, 20]
    assert not drawn[35:65, 35:65].any()


def test_one_class_colours_objects_and_several_colour_classes():
    found = objects((10, 10, 60, 60), (90, 10, 140, 60), (10, 70, 60, 118))
    one = overlay(GREY, found, ONE, alpha=1)
    assert len({tuple(one[y, x].tolist()) for x, y in ((35, 35), (115, 35), (35, 95))}) == 3
    two = overlay(GREY, found.replace(labels=np.array([1, 0, 1])), TWO, alpha=1)
    assert two[35, 35].tolist() == two[95, 35].tolist() == list(TWO.colour(1))
    assert two[35, 115].tolist() == list(TWO.colour(0))


@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
def test_small_objects_lie_on_large_ones(order):
    windows = [(5, 5, 150, 110), (60, 50, 90, 80)]
    labels = [0, 1]
    found = objects(*(windows[i] for i in order), labels=[labels[i] for i in order])
    drawn = overlay(GREY, found, TWO, alpha=1)
    assert drawn[65, 75].tolist() == list(TWO.colour(1))
    assert drawn[100, 30].tolist() == list(TWO.colour(0))


def test_names_are_written_beside_objects_that_are_large_enough():
    scored = changed(overlay(GREY, objects((30, 40, 130, 110), scores=[0.9]), TWO))
    assert scored[:36].any()  # above the object
    small = changed(overlay(GREY, objects((30, 40, 38, 48), scores=[0.9]), TWO))
    assert not small[:36].any()


def test_the_truth_of_one_class_needs_no_names():
    window = (30, 40, 130, 110)
    assert not changed(overlay(GREY, objects(window), ONE))[:36].any()
    assert changed(overlay(GREY, objects(window), TWO))[:36].any()
    assert changed(overlay(GREY, objects(window, scores=[0.9]), ONE))[:36].any()


def test_many_objects_are_drawn_without_names():
    size = (400, 900)
    image = np.full((*size, 3), 100, np.uint8)
    windows = [(x, y, x + 70, y + 50) for y in range(30, 340, 80) for x in range(10, 810, 90)]
    assert len(windows) == 36
    with_names = changed(
        overlay(image, objects(*windows, size=size, scores=[0.5] * 36), TWO), image
    )
    windows += [(x, 345, x + 70, 395) for x in range(10, 500, 90)]
    without = changed(overlay(image, objects(*windows, size=size, scores=[0.5] * 42), TWO), image)
    assert with_names[12:26, 10:80].any()
    assert not without[:26].any()


def test_names_stay_inside_the_picture_and_off_one_another():
    """Two objects that fill the picture: the second name finds another place than the first."""
    both = objects((0, 0, 160, 120), (0, 0, 160, 120), labels=[0, 1], scores=[0.9, 0.8])
    first = objects((0, 0, 160, 120), labels=[0], scores=[0.9])
    alone = overlay(GREY, first, TWO, alpha=0)
    together = overlay(GREY, both, TWO, alpha=0)
    inner = slice(4, -4)  # without the outlines
    chip = changed(alone)[inner, inner]
    assert chip.any()
    np.testing.assert_array_equal(together[inner, inner][chip], alone[inner, inner][chip])
    assert changed(together)[inner, inner].sum() > 1.5 * chip.sum()


def test_boxes_are_drawn_where_there_are_no_masks():
    drawn = changed(overlay(GREY, objects((20, 30, 100, 90), masks=False), ONE))
    assert drawn[60, 19:21].any()
    assert drawn[29:31, 60].any()
    assert not drawn[35:85, 25:95].any()


@pytest.mark.parametrize("size", [(1, 1), (1, 50), (50, 1), (9, 7)])
@pytest.mark.parametrize("masks", [True, False])
def test_pictures_of_a_few_pixels(size, masks):
    image = np.zeros((*size, 3), np.uint8)
    height, width = size
    found = objects((0, 0, width, height), (0, 0, 1, 1), size=size, scores=[1, 0.5], masks=masks)
    assert overlay(image, found, TWO).shape == image.shape


def test_empty_masks_are_no_obstacle():
    found = objects((10, 10, 60, 60), (70, 70, 70, 70), scores=[0.5, 0.4])
    assert changed(overlay(GREY, found, TWO)).any()


def test_another_image_than_theirs_is_refused():
    found = objects((10, 10, 60, 60))
    for image in (GREY[:-1], GREY[..., 0], np.zeros((120, 160, 4), np.uint8)):
        with pytest.raises(DataError, match="pass the image they were found in"):
            overlay(image, found, ONE)


# -- sheets --------------------------------------------------------------------------------------


def test_a_sheet_holds_every_picture_and_caption():
    red = np.zeros((100, 200, 3), np.uint8) + np.array([255, 0, 0], np.uint8)
    blue = np.zeros((300, 100, 3), np.uint8) + np.array([0, 0, 255], np.uint8)
    page = sheet([red, blue, red], ["one", "two", ""], 2, cell=100)
    assert page.shape[1] == 2 * 100 + 3 * 5
    reds, blues = (page == [255, 0, 0]).all(axis=2), (page == [0, 0, 255]).all(axis=2)
    assert reds.sum() == 2 * 50 * 100
    assert blues.sum() == 100 * 33
    assert np.flatnonzero(reds.any(axis=1))[0] == 5 + 50  # pictures of a row stand on one line
    dark = (page < 120).all(axis=2)
    below = slice(5 + 100, 5 + 100 + 12)
    assert dark[below, :105].any()
    assert dark[below, 105:].any()
    assert not dark[below.stop + 5 + 50 :].any()  # the third has no caption


def test_long_captions_are_cut_and_lines_joined():
    image = np.full((60, 60, 3), 200, np.uint8)
    short, long = (sheet([image], [text], cell=60) for text in ("abc", "abc\n" * 500))
    assert short.shape == long.shape
    assert (long[:, -3:] > 200).all()  # the margin stays free


def test_one_picture_takes_one_column():
    assert sheet([GREY], ["a"], 4, cell=100).shape[1] == 110


@pytest.mark.parametrize(
    ("images", "captions", "columns"),
    [([], [], 4), ([GREY], [], 4), ([GREY], ["a", "b"], 4), ([GREY], ["a"], 0)],
)
def test_what_is_no_sheet_is_refused(images, captions, columns):
    with pytest.raises(DataError, match="one caption for each picture"):
        sheet(images, captions, columns)
