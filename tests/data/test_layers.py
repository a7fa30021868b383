import numpy as np
import pytest

from delineate.data.layers import Layer, Piece, Stack, blend, overlap

SIZE = (40, 50)


def random_pieces(rng, count=25):
    pieces = []
    for number in range(count):
        h, w = rng.integers(4, 25, size=2)
        y, x = np.mgrid[:h, :w]
        disc = np.hypot((y + 0.5) / h - 0.5, (x + 0.5) / w - 0.5) < 0.5
        origin = int(rng.integers(-10, SIZE[1])), int(rng.integers(-10, SIZE[0]))
        label = None if number % 4 == 3 else number % 3
        pieces.append(Piece(label=label, mask=disc, origin=origin, provenance={"n": number}))
    return pieces


def on_canvas(piece):
    """The mask in the whole picture, pixel by pixel."""
    whole = np.zeros(SIZE, bool)
    for row, column in np.argwhere(piece.mask).tolist():
        y, x = row + piece.origin[1], column + piece.origin[0]
        if 0 <= y < SIZE[0] and 0 <= x < SIZE[1]:
            whole[y, x] = True
    return whole


def filled(rng, **options):
    stack = Stack(SIZE, **options)
    return stack, [piece for piece in random_pieces(rng) if stack.offer(piece)]


@pytest.mark.parametrize("seed", range(5))
def test_visible_and_whole_masks_are_those_of_a_painter_who_works_pixel_by_pixel(seed):
    stack, pieces = filled(np.random.default_rng(seed))
    assert len(pieces) > 5
    owner = np.full(SIZE, -1)
    for number, piece in enumerate(pieces):
        owner[on_canvas(piece)] = number
    np.testing.assert_array_equal(stack.owner, owner)
    labelled = [n for n, piece in enumerate(pieces) if piece.label is not None]
    assert 0 < len(labelled) < len(pieces)
    instances, extras = stack.instances(), stack.extras()
    assert instances.labels.tolist() == [pieces[n].label for n in labelled]
    np.testing.assert_array_equal(instances.masks.to_dense(), [owner == n for n in labelled])
    np.testing.assert_array_equal(
        extras.amodal.to_dense(), [on_canvas(pieces[n]) for n in labelled]
    )
    for occlusion, n in zip(extras.occlusion, labelled, strict=True):
        whole = on_canvas(pieces[n])
        assert occlusion == pytest.approx(1 - (owner == n).sum() / whole.sum(), abs=1e-12)
    assert [p["n"] for p in extras.provenance] == [pieces[n].provenance["n"] for n in labelled]
    assert extras.depth.tolist() == list(range(len(labelled)))[::-1]  # the last lies nearest


def test_enough_of_every_labelled_thing_stays_in_sight():
    hidden = 0
    for seed in range(20):
        stack, pieces = filled(np.random.default_rng(seed), least_share=0.6, least_area=10)
        for number, piece in enumerate(pieces):
            seen = (stack.owner == number).sum()
            if piece.label is not None:
                assert seen >= max(10, 0.6 * piece.mask.sum())
                hidden += seen < piece.mask.sum()
    assert hidden > 20


def square(x, y, label=0, side=10):
    mask = np.ones((side, side), bool)
    return Piece(label=label, mask=mask, origin=(x, y), provenance={})


def test_what_would_hide_too_much_is_refused_and_changes_nothing():
    stack = Stack(SIZE, least_share=0.5, least_area=1)
    assert stack.offer(square(0, 0))
    before = stack.owner.copy()
    assert not stack.offer(square(4, 0))
    assert not stack.offer(square(46, 0))  # four of ten columns are in the picture
    np.testing.assert_array_equal(stack.owner, before)
    assert len(stack) == 1
    assert stack.offer(square(5, 0))


def test_clutter_may_be_hidden_but_may_not_hide():
    stack = Stack(SIZE, least_share=0.5, least_area=1)
    assert stack.offer(square(0, 0, label=None))
    assert stack.offer(square(1, 0))
    assert not stack.offer(square(2, 0, label=None))
    assert stack.extras().occlusion.tolist() == [0]


def test_touching_counts_the_gap():
    stack = Stack(SIZE)
    assert stack.offer(square(10, 10))
    assert stack.touches(square(20, 10))
    assert not stack.touches(square(21, 10))
    assert stack.touches(square(21, 10), gap=2)
    assert stack.touches(square(20, 20))  # at a corner
    assert not stack.touches(square(-30, 10))


def test_a_layer_covers_what_its_opacity_says():
    canvas = np.full((6, 8, 3), 100, np.float32)
    cover = np.array([[1, 0.5, 0]] * 2, np.float32)
    layer = Layer(tones=np.full((2, 3, 3), 200, np.float32), cover=cover, origin=(6, -1))
    blend(canvas, layer)
    expected = np.full((6, 8, 3), 100, np.float32)
    expected[0, 6], expected[0, 7] = 200, 150
    np.testing.assert_array_equal(canvas, expected)


def test_a_lifted_layer_throws_its_shadow_away_from_the_light():
    light = np.array([-0.6, 0, 0.8], np.float32)  # from the left
    cover = np.zeros((20, 20), np.float32)
    cover[5:15, 5:15] = 1
    layer = Layer(tones=np.zeros((20, 20, 3), np.float32), cover=cover, origin=(20, 20), lift=8)
    canvas = np.full((60, 60, 3), 100, np.float32)
    blend(canvas, layer, light)
    right, left = canvas[30, 38, 0], canvas[30, 21, 0]
    assert right < 75
    assert left > 90
    flat = np.full((60, 60, 3), 100, np.float32)
    blend(flat, layer)
    assert set(np.unique(flat)) == {0, 100}


def test_overlap_of_a_patch_beyond_every_edge():
    for origin in ((-5, -5), (100, 3), (3, 100), (0, 0), (45, 36)):
        (rows, columns), (patch_rows, patch_columns) = overlap(origin, (7, 9), SIZE)
        picture = np.zeros(SIZE)[rows, columns]
        assert picture.shape == np.zeros((7, 9))[patch_rows, patch_columns].shape
        inside = [
            (y, x)
            for y in range(origin[1], origin[1] + 7)
            for x in range(origin[0], origin[0] + 9)
            if 0 <= y < SIZE[0] and 0 <= x < SIZE[1]
        ]
        assert picture.size == len(inside)
