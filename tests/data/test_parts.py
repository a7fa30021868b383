"""Objects in parts, against bitmaps."""

import numpy as np
import pytest
from PIL import Image

from delineate.core import rle
from delineate.data.collect import Collector, Listed
from delineate.data.parts import Piece, add_pieces, joined, pasted, union
from delineate.data.pictures import Broken
from delineate.errors import DataError

SIZE = (13, 17)
SQUARE = [2, 3, 8, 3, 8, 9, 2, 9]
TRIANGLE = [5, 5, 16, 5, 16, 12]


def _random(rng, share):
    return rng.random(SIZE) < share


def _pieces(*shapes):
    return [
        Piece(where=f"shape {i}", label=label, group=group, part=part, box=part is _no_mask)
        for i, (label, group, part) in enumerate(shapes, start=1)
    ]


def _square(_):
    return SQUARE


def _triangle(_):
    return TRIANGLE


def _no_mask(_):
    raise Broken("it is a box", "draw it")


@pytest.fixture
def added(tmp_path):
    """Add pieces to a picture; return (class, area) of each object, and where the problems are."""

    def add(*shapes):
        Image.fromarray(np.zeros((*SIZE, 3), np.uint8)).save(tmp_path / "a.png")
        collector = Collector(tmp_path, classes=["a", "b", "c"])
        record = collector.pictures([Listed("a.png", [tmp_path / "a.png"])])["a.png"]
        add_pieces(collector, record, _pieces(*shapes))
        dataset = collector.dataset("x", "skip")
        names = [dataset.classes.names[label] for label in dataset.instances(0).labels]
        objects = list(zip(names, dataset.areas(0).tolist(), strict=True))
        return objects, [problem.where for problem in dataset.problems]

    return add


def test_pieces_of_one_label_and_group_are_an_object(added):
    objects, problems = added(
        ("a", 1, _square),
        ("b", None, _square),
        ("a", 2, _square),
        ("a", 1, _triangle),
        ("b", None, _triangle),
        ("b", 1, _square),
    )
    square = 36
    triangle = rle.area(rle.from_polygons([TRIANGLE], SIZE))
    both = rle.area(rle.from_polygons([SQUARE, TRIANGLE], SIZE))
    assert objects == [
        *(("a", both), ("b", square), ("a", square), ("b", triangle), ("b", square)),
    ]
    assert problems == []


def _broken(_):
    raise DataError("it cannot be read: draw it.")


def _two_points(_):
    return [1, 2, 3, 4]


def test_a_broken_piece_leaves_out_its_object(added):
    objects, problems = added(
        *(("a", 1, _square), ("a", 1, _broken)),
        *(("b", 2, _square), ("b", 2, _two_points)),
        *((7, 1, _square), (7, 1, _square)),
        ("b", 1, _square),
    )
    assert objects == [("b", 36)]
    assert problems == [f"image 'a.png', shape {i}" for i in (2, 3, 5, 6)]


def test_a_box_counts_only_where_there_is_no_mask(added):
    objects, problems = added(
        ("a", 1, _no_mask), ("a", 1, _square), ("b", 1, _no_mask), ("c", None, _no_mask)
    )
    assert objects == [("a", 36)]
    assert problems == ["image 'a.png', shape 3", "image 'a.png', shape 4"]


@pytest.mark.parametrize("count", [1, 2, 3, 7])
@pytest.mark.parametrize("share", [0.0, 0.05, 0.4, 0.95, 1.0])
def test_union(count, share):
    rng = np.random.default_rng(count)
    for _ in range(20):
        bitmaps = [_random(rng, share) for _ in range(count)]
        together = union([rle.from_bitmap(b) for b in bitmaps], SIZE)
        np.testing.assert_array_equal(
            together, rle.from_bitmap(np.logical_or.reduce(bitmaps)), strict=True
        )


def test_outlines_stay_outlines():
    assert joined([SQUARE, TRIANGLE], SIZE) == [SQUARE, TRIANGLE]


def test_outlines_and_masks_become_a_mask():
    rng = np.random.default_rng(0)
    first, second = _random(rng, 0.1), _random(rng, 0.2)
    outlines = [rle.to_bitmap(rle.from_polygons([p], SIZE), SIZE) for p in (SQUARE, TRIANGLE)]
    parts = [rle.from_bitmap(first), SQUARE, rle.from_bitmap(second), TRIANGLE]
    together = rle.to_bitmap(joined(parts, SIZE), SIZE)
    np.testing.assert_array_equal(together, first | second | outlines[0] | outlines[1])
    alone = rle.from_bitmap(first)
    np.testing.assert_array_equal(joined([alone], SIZE), alone)


@pytest.mark.parametrize("x", [-9, -4, -3, 0, 5, 15, 17, 30])
@pytest.mark.parametrize("y", [-9, -6, -5, 0, 5, 12, 13, 30])
def test_pasted_where_it_may_lie_outside(x, y):
    crop = np.random.default_rng(abs(x * y)).random((6, 4)) < 0.6
    wide = np.zeros((SIZE[0] + 80, SIZE[1] + 80), bool)
    wide[40 + y : 46 + y, 40 + x : 44 + x] = crop
    expected = wide[40:-40, 40:-40]
    np.testing.assert_array_equal(rle.to_bitmap(pasted(crop, (x, y), SIZE), SIZE), expected)
