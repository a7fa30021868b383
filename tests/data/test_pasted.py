import json
import pickle
from dataclasses import dataclass, field

import cv2
import numpy as np
import pytest

from delineate.core.classes import ClassMap
from delineate.core.geometry import Geometry
from delineate.core.image import write_image
from delineate.core.instances import Instances
from delineate.core.masks import Masks
from delineate.data.formats import open_dataset
from delineate.data.pasted import cut_paste
from delineate.data.pasted.clearing import cleared, spread
from delineate.data.pasted.cut_paste import CutPaste
from delineate.data.pasted.grounds import DrawnGrounds, FolderGrounds, OwnGrounds
from delineate.data.pasted.layout import _turned
from delineate.data.pasted.learnt import learn
from delineate.data.pasted.looks import look_at, suitable, to_lab
from delineate.data.pasted.pasting import BLENDS, Paste, Wear, cut, lay
from delineate.data.pasted.shelf import Shelf
from delineate.data.sample import ImageRecord, Sample
from delineate.errors import DataError

SIZE = (96, 128)
RED, GREEN = (220, 40, 40), (40, 200, 60)


@dataclass
class Planted:
    """Pictures of flat, noisy ground with discs and bars of known sizes and colours.

    Each object is (label, x, y, half width, half height); a ground is a grey level or a colour.
    """

    pictures: list
    grounds: list
    size: tuple = SIZE
    colours: tuple = (RED, GREEN)
    names: tuple = ("disc", "bar")
    crowd: list = field(default_factory=list)
    name = "planted"
    problems = ()

    @property
    def classes(self):
        return ClassMap(self.names, tuple(7 * i + 3 for i in range(len(self.names))))

    @property
    def records(self):
        return [
            ImageRecord(image_id=i + 1, name=f"p{i}.png", path=None, size=self.size)
            for i in range(len(self))
        ]

    def __len__(self):
        return len(self.pictures)

    def bitmaps(self, index):
        y, x = np.mgrid[: self.size[0], : self.size[1]] + 0.5
        for label, cx, cy, a, b in self.pictures[index]:
            if label == 0:
                yield ((x - cx) / a) ** 2 + ((y - cy) / b) ** 2 <= 1
            else:
                yield (np.abs(x - cx) <= a) & (np.abs(y - cy) <= b)

    def instances(self, index):
        masks = Masks.from_bitmaps(list(self.bitmaps(index)), self.size)
        labels = np.array([o[0] for o in self.pictures[index]], np.int64)
        crowd = np.isin(np.arange(len(labels)), self.crowd) if self.crowd else None
        return Instances(
            image_size=self.size,
            boxes=masks.boxes(),
            labels=labels,
            masks=masks,
            ids=100 * index + np.arange(len(labels)),
            crowd=crowd,
        )

    def areas(self, index):
        return self.instances(index).masks.areas.astype(float)

    def stated_boxes(self, index):
        return np.zeros((len(self.pictures[index]), 4))

    def __getitem__(self, index):
        rng = np.random.default_rng(index)
        image = np.empty((*self.size, 3), np.uint8)
        image[:] = self.grounds[index]
        image = image + rng.integers(-3, 4, image.shape)
        for bitmap, thing in zip(self.bitmaps(index), self.pictures[index], strict=True):
            image[bitmap] = np.array(self.colours[thing[0]]) + rng.integers(-5, 6, 3)
        return Sample(
            image=np.clip(image, 0, 255).astype(np.uint8),
            instances=self.instances(index),
            image_id=index + 1,
            name=f"p{index}.png",
        )


def planted(**options):
    pictures = [
        [(0, 25, 25, 10, 10), (0, 70, 30, 8, 8), (1, 90, 70, 14, 5)],
        [(0, 30, 60, 9, 9), (1, 80, 30, 5, 14), (1, 80, 70, 12, 6)],
        [(0, 60, 50, 11, 11), (0, 100, 60, 8, 8)],
        [(1, 40, 40, 13, 5), (1, 90, 60, 6, 12), (0, 30, 75, 9, 9), (0, 110, 20, 10, 10)],
    ]
    return Planted(pictures, [(90, 90, 90)] * 4, **options)


def same(a, b):
    return (
        np.array_equal(a.image, b.image)
        and np.array_equal(a.instances.labels, b.instances.labels)
        and np.array_equal(a.instances.masks.to_dense(), b.instances.masks.to_dense())
    )


# -- what is learnt ------------------------------------------------------------------------------


def test_what_is_counted():
    learnt = learn(planted())
    assert learnt.image.tolist() == [0, 0, 0, 1, 1, 1, 2, 2, 3, 3, 3, 3]
    assert learnt.label.tolist() == [0, 0, 1, 0, 1, 1, 0, 0, 1, 1, 0, 0]
    assert learnt.id[:4].tolist() == [0, 1, 2, 100]
    areas = [bitmap.sum() for i in range(4) for bitmap in planted().bitmaps(i)]
    np.testing.assert_allclose(learnt.side, np.sqrt(areas))
    np.testing.assert_allclose(learnt.size, np.sqrt(areas) / 96)
    np.testing.assert_allclose(learnt.centre[0], [25 / 128, 25 / 96])
    assert learnt.usable.all()
    assert not learnt.touches.any()
    assert learnt.alone.all()


def test_what_is_cut_off_hidden_or_tiny_is_not_cut_out():
    pictures = [
        [
            (0, 3, 50, 8, 8),  # beyond the border
            (0, 40, 40, 10, 10),  # whole
            (1, 80, 40, 10, 10),  # half of its rim touches the next
            (1, 100, 40, 10, 10),
            (0, 20, 80, 1.5, 1.5),  # tiny
            (0, 60, 80, 8, 8),  # near, but not at, the next
            (1, 75, 80, 6, 6),
        ]
    ]
    learnt = learn(Planted(pictures, [90]))
    assert learnt.usable.tolist() == [False, True, False, False, False, True, True]
    assert learnt.edge.tolist() == [True, *[False] * 6]
    assert learnt.touches.tolist() == [False, False, True, True, False, False, False]
    assert learnt.alone.tolist() == [True, True, False, False, True, False, False]


def test_where_all_touch_those_that_do_are_cut_out():
    touching = [[(0, 40, 40, 10, 10), (1, 60, 40, 10, 10)]]
    assert learn(Planted(touching, [90])).usable.tolist() == [True, True]


def test_what_holds_others_is_not_cut_out():
    """A disc in a bar would come along without its label; alone, it can be cut out."""
    pictures = [[(1, 64, 48, 30, 14), (0, 64, 48, 8, 8)], [(1, 60, 40, 30, 14)]]
    data = Planted(pictures, [90, 90])
    assert learn(data).usable.tolist() == [False, True, True]
    made = CutPaste(data, 20, seed=3)
    bars = [p for i in range(20) for p in made.extras(i).provenance if p["annotation"] != 1]
    assert {p["annotation"] for p in bars} == {100}
    with pytest.raises(DataError, match="with others in them"):
        CutPaste(Planted(pictures[:1], [90]), 1, classes=("bar",))


def test_a_sliver_of_another_does_no_harm():
    pictures = [[(1, 40, 48, 20, 20), (0, 66, 48, 7, 7)]]
    assert learn(Planted(pictures, [90])).usable.tolist() == [True, True]


def test_crowds_do_not_count_and_labels_are_chosen():
    learnt = learn(planted(crowd=[0]))
    assert 0 not in learnt.row[learnt.image == 0]
    bars = learn(planted(), labels=[1])
    assert set(bars.label.tolist()) == {0}
    assert len(bars.label) == 5


@pytest.mark.parametrize(
    ("angles", "turn"),
    [
        (np.linspace(0, 180, 24, endpoint=False), 180),
        (np.full(24, 90), 15),
        (np.tile([0, 90], 12), 15),  # upright and lying: they have an up
        (np.linspace(0, 180, 8, endpoint=False), 15),  # too few to tell
    ],
)
def test_whether_things_have_an_up(angles, turn):
    class Turned(Planted):
        def bitmaps(self, index):
            for angle in self.pictures[index]:
                canvas = np.zeros(self.size, np.uint8)
                cv2.ellipse(canvas, (64, 48), (30, 8), float(angle), 0, 360, 1, -1)
                yield canvas > 0

        def instances(self, index):
            masks = Masks.from_bitmaps(list(self.bitmaps(index)), self.size)
            labels = np.zeros(len(masks), np.int64)
            return Instances(image_size=self.size, boxes=masks.boxes(), labels=labels, masks=masks)

    assert learn(Turned([[angle] for angle in angles], [90] * len(angles))).turn == turn


def test_places_are_those_of_the_class():
    pictures = [[(0, 20, 48, 6, 6), (1, 100, 20 + 5 * k, 8, 4)] for k in range(12)]
    learnt = learn(Planted(pictures, [90] * 12))
    rng = np.random.default_rng(0)
    discs = np.array([learnt.place_like(0, (200, 400), rng) for _ in range(300)])
    bars = np.array([learnt.place_like(1, (200, 400), rng) for _ in range(300)])
    np.testing.assert_allclose(discs.mean(axis=0), [400 * 20 / 128, 100], atol=2)
    np.testing.assert_allclose(discs.std(axis=0), [400 * 0.03, 200 * 0.03], rtol=0.15)
    assert bars[:, 0].std() == pytest.approx(400 * 0.03, rel=0.15)
    assert bars[:, 1].mean() == pytest.approx(200 * 47.5 / 96, abs=10)
    assert bars[:, 1].std() > 200 * learnt.centre[1::2, 1].std() * 0.8


# -- colours -------------------------------------------------------------------------------------


def test_colours_are_measured():
    data = planted()
    looks = look_at(data, learn(data))
    lab = to_lab(np.array([[(90, 90, 90), RED]], np.uint8))[0]
    np.testing.assert_allclose(looks.ground, [lab[0]] * 4, atol=0.5)
    np.testing.assert_allclose(looks.mean[0], lab[1], atol=6)
    assert looks.shade == 0


def test_objects_stay_with_grounds_like_their_own_where_it_matters():
    pictures = [[(0, 40, 40, 10, 10), (0, 90, 60, 9, 9)]] * 8
    grounds = [10, 12, 11, 13, 220, 222, 221, 223]

    class Stained(Planted):
        def __getitem__(self, index):
            self.colours = ((200, 200, 200),) if index < 4 else ((90, 40, 120),)
            return super().__getitem__(index)

    stained = Stained(pictures, grounds, names=("nucleus",))
    looks = look_at(stained, learn(stained))
    assert looks.coupled
    assert suitable(looks, looks.ground[0], 0).tolist() == [True] * 4 + [False] * 4
    assert suitable(looks, looks.ground[7], None).tolist() == [False] * 4 + [True] * 4
    made = CutPaste(stained, 30, seed=1)
    for i in range(30):
        for known in made.extras(i).provenance:
            there, here = (int(known[k][1]) for k in ("background", "source"))
            assert (there < 4) == (here < 4)


def test_where_looks_do_not_depend_on_the_ground_all_mix():
    data = Planted([[(0, 40, 40, 10, 10)]] * 8, [10, 12, 11, 13, 220, 222, 221, 223])
    looks = look_at(data, learn(data))
    assert not looks.coupled
    assert suitable(looks, looks.ground[0], 0).all()


def test_an_object_takes_on_the_colours_it_is_told():
    part = np.full((20, 20, 3), 60, np.uint8)
    part[5:15, 5:15] = np.arange(100, 200, dtype=np.uint8).reshape(10, 10)[..., None]
    mask = np.zeros((20, 20), bool)
    mask[5:15, 5:15] = True
    paste = Paste(0, (0, 0, 20, 20), Geometry.identity((20, 20)), mask, 10.0, "hard", (5, 5))
    canvas = np.full((40, 40, 3), 90, np.float32)
    goal = to_lab(np.array([[(70, 120, 160)]], np.uint8))[0, 0]
    layer = lay(paste, part, canvas, Wear(goal, contrast=5.0, share=1.0, grounds=None))
    lab = to_lab(np.clip(layer.tones, 0, 255).astype(np.uint8))[mask]
    np.testing.assert_allclose(lab.mean(axis=0), goal, atol=1.5)
    assert lab[:, 0].std() == pytest.approx(5, abs=1)
    as_it_is = lay(paste, part, canvas, None)
    np.testing.assert_array_equal(as_it_is.tones, part)


def test_standing_out_from_the_ground_is_what_counts_where_grounds_matter():
    part = np.full((20, 20, 3), 20, np.uint8)
    part[5:15, 5:15] = 120
    mask = np.zeros((20, 20), bool)
    mask[5:15, 5:15] = True
    paste = Paste(0, (0, 0, 20, 20), Geometry.identity((20, 20)), mask, 10.0, "soft", (5, 5))
    own, new = (float(to_lab(np.full((1, 1, 3), g, np.uint8))[0, 0, 0]) for g in (20, 40))
    goal = to_lab(np.full((1, 1, 3), 180, np.uint8))[0, 0]
    canvas = np.full((40, 40, 3), 40, np.float32)
    layer = lay(paste, part, canvas, Wear(goal, contrast=0.0, share=1.0, grounds=(own, new)))
    assert layer.tones[10, 10, 0] == pytest.approx(180, abs=2)
    np.testing.assert_allclose(layer.tones[1, 1], 40, atol=1.5)  # what came along is as the place


@pytest.mark.parametrize("blend", BLENDS)
def test_every_blend_shows_the_object_inside_and_the_ground_far_outside(blend):
    part = np.full((40, 40, 3), 50, np.uint8)
    mask = np.zeros((40, 40), bool)
    mask[10:30, 10:30] = True
    part[mask] = 200
    paste = Paste(0, (0, 0, 40, 40), Geometry.identity((40, 40)), mask, 20.0, blend, (10, 10))
    canvas = np.full((60, 60, 3), 50, np.float32)
    layer = lay(paste, part, canvas, None)
    np.testing.assert_allclose(layer.cover[13:27, 13:27], 1, atol=0.01)
    np.testing.assert_allclose(layer.tones[13:27, 13:27], 200, atol=1)
    assert layer.cover[:6].max() < 0.01


def test_poisson_carries_the_difference_along_the_rim_into_the_object():
    part = np.full((40, 40, 3), 50, np.uint8)
    mask = np.zeros((40, 40), bool)
    mask[10:30, 10:30] = True
    part[mask] = 150
    paste = Paste(0, (0, 0, 40, 40), Geometry.identity((40, 40)), mask, 20.0, "poisson", (0, 0))
    layer = lay(paste, part, np.full((40, 40, 3), 80, np.float32), None)
    np.testing.assert_allclose(layer.tones[mask], 180, atol=1)


# -- clearing ------------------------------------------------------------------------------------


def test_known_values_are_kept_and_spread_smoothly():
    rng = np.random.default_rng(0)
    plane = np.linspace(0, 100, 64, dtype=np.float32)[None, :, None].repeat(48, 0).repeat(3, 2)
    known = np.ones((48, 64), np.float32)
    known[18:30, 20:40] = 0
    filled = spread(np.where(known[..., None] > 0, plane, 999).astype(np.float32), known)
    np.testing.assert_array_equal(filled[known > 0], plane[known > 0])
    assert np.abs(filled - plane)[known == 0].max() < 15
    constant = spread(np.full((5, 7, 3), 9, np.float32), (rng.random((5, 7)) < 0.3) * 1.0)
    np.testing.assert_allclose(constant, 9, atol=1e-4)


def test_a_cleared_picture_shows_no_object_and_keeps_its_ground():
    data = planted()
    for i in range(4):
        sample = data[i]
        empty = cleared(sample.image, sample.instances.masks)
        assert np.abs(empty.astype(int) - 90).max() <= 12
        assert empty.std() > 1  # its grain, too
        far = sample.instances.masks.label_map() == 0
        far = cv2.erode(far.astype(np.uint8), np.ones((31, 31))) > 0
        np.testing.assert_array_equal(empty[far], sample.image[far])


def test_a_texture_goes_on_where_an_object_was():
    stripes = np.where(np.arange(160) % 16 < 8, 60, 160)[None, :, None]
    image = np.broadcast_to(stripes, (120, 160, 3)).astype(np.uint8).copy()
    mask = np.zeros((120, 160), bool)
    mask[50:70, 70:95] = True
    holed = image.copy()
    holed[mask] = (250, 0, 0)
    empty = cleared(holed, Masks.from_bitmaps([mask], (120, 160)))
    assert np.abs(empty[mask].astype(int) - image[mask]).mean() < 12


@pytest.mark.parametrize("side", [1, 7, 96])
def test_even_a_picture_full_of_objects_is_cleared(side):
    masks = Masks.from_bitmaps([np.ones((side, side), bool)], (side, side))
    assert cleared(np.full((side, side, 3), 77, np.uint8), masks).shape == (side, side, 3)
    nothing = np.full((side, side, 3), 77, np.uint8)
    np.testing.assert_array_equal(cleared(nothing, Masks.empty((side, side))), nothing)


# -- pasting -------------------------------------------------------------------------------------


def test_a_picture_depends_on_seed_and_number_alone():
    few, many = CutPaste(planted(), 4, seed=5), CutPaste(planted(), 10**9, seed=5)
    assert same(many[3], few[3])
    assert same(few[3], few[3])
    assert not same(few[3], few[2])
    assert not same(CutPaste(planted(), 4, seed=6)[3], few[3])
    assert same(CutPaste(planted(), 2, seed=5, first=2)[1], few[3])
    there = pickle.loads(pickle.dumps(few))
    assert not there._sources._kept
    assert same(there[3], few[3])


def test_made_pictures_share_no_random_numbers_with_the_loader():
    """Which draws from (seed, epoch, sample), and from that with a 1 behind."""
    made, few = CutPaste(planted(), 1, seed=1), range(8)
    ours = {int(made._chance(i, use).integers(2**62)) for i in few for use in range(3)}
    theirs = {
        int(np.random.default_rng([1, epoch, i, *last]).integers(2**62))
        for epoch in few
        for i in few
        for last in ([], [1])
    }
    assert (len(ours), len(theirs)) == (24, 128)
    assert not ours & theirs


def test_instances_need_no_pixels_and_are_those_of_the_sample():
    made = CutPaste(planted(), 8, seed=2)
    made._sources = made._cleared = None  # would make the pixels
    alone = [made.instances(i) for i in range(8)]
    for i, instances in enumerate(alone):
        sample = CutPaste(planted(), 8, seed=2)[i]
        np.testing.assert_array_equal(sample.instances.masks.to_dense(), instances.masks.to_dense())
        assert sample.instances.image_size == made.records[i].size


def test_masks_are_those_of_the_source_moved_once():
    """Each pixel of a whole mask comes from the source's mask by the map the provenance tells."""
    data, ious = planted(), []
    made = CutPaste(data, 12, seed=3)
    for i in range(12):
        for piece in made._laid(i)[0].pieces:
            known = piece.provenance
            source, row = divmod(known["annotation"], 100)
            assert known["source"] == f"p{source}.png"
            bitmap = list(data.bitmaps(source))[row]
            ys, xs = np.nonzero(bitmap)
            middle = (xs.min() + xs.max() + 1) / 2, (ys.min() + ys.max() + 1) / 2
            h, w = piece.mask.shape
            y, x = np.mgrid[:h, :w] + 0.5 - np.array([h, w])[:, None, None] / 2
            a = np.deg2rad(known["turn"])
            u = (np.cos(a) * x + np.sin(a) * y) / known["scale"]
            v = (np.cos(a) * y - np.sin(a) * x) / known["scale"]
            u = -u if known["mirrored"] else u
            columns, rows = np.floor(u + middle[0]).astype(int), np.floor(v + middle[1]).astype(int)
            inside = (rows >= 0) & (rows < SIZE[0]) & (columns >= 0) & (columns < SIZE[1])
            expected = inside & bitmap[rows.clip(0, SIZE[0] - 1), columns.clip(0, SIZE[1] - 1)]
            ious.append((expected & piece.mask).sum() / (expected | piece.mask).sum())
    assert len(ious) > 20
    assert min(ious) > 0.85
    assert np.mean(ious) > 0.93


def test_hidden_shares_are_exact():
    crowded = Planted(
        [[(0, 30 + 20 * (k % 4), 30 + 22 * (k // 4), 10, 10) for k in range(12)]] * 3, [90] * 3
    )
    made, hidden = CutPaste(crowded, 6, seed=0, objects=(25, 30)), 0
    for i in range(6):
        stack, extras, masks = made._laid(i)[0], made.extras(i), made.instances(i).masks
        owner = np.full(SIZE, -1)
        for number, piece in enumerate(stack.pieces):
            whole = np.zeros(SIZE, bool)
            for row, column in np.argwhere(piece.mask).tolist():
                y, x = row + piece.origin[1], column + piece.origin[0]
                if 0 <= y < SIZE[0] and 0 <= x < SIZE[1]:
                    whole[y, x] = True
            owner[whole] = number
            np.testing.assert_array_equal(extras.amodal.bitmap(number), whole)
        for number in range(len(masks)):
            np.testing.assert_array_equal(masks.bitmap(number), owner == number)
            share = 1 - (owner == number).sum() / extras.amodal.areas[number]
            assert extras.occlusion[number] == pytest.approx(share)
            assert share <= 0.5
            hidden += share > 0
    assert hidden > 5


def test_the_picture_shows_the_objects_where_their_masks_are():
    made = CutPaste(planted(colours=((250, 250, 250),) * 2), 10, seed=4)
    for i in range(10):
        sample = made[i]
        seen = sample.image.min(axis=2) > 150
        said = sample.instances.masks.label_map() > 0
        differ = seen != said
        rim = cv2.dilate(said.astype(np.uint8), np.ones((5, 5))) - cv2.erode(
            said.astype(np.uint8), np.ones((5, 5))
        )
        assert not (differ & (rim == 0)).any()


def test_made_pictures_repeat_the_sizes_numbers_and_classes_of_real_ones():
    """Large discs and small bars, two to four of them, one bar to three discs."""
    pictures = [
        [*((0, 20 + 30 * k, 25 + 3 * i, 11, 11) for k in range(3)), (1, 100, 75, 7, 3)]
        for i in range(6)
    ]
    data = Planted(pictures, [90] * 6)
    made = CutPaste(data, 150, seed=0)
    labels, sides, counts = [], [], []
    for i in range(150):
        labels += made.instances(i).labels.tolist()
        sides += np.sqrt([p.mask.sum() for p in made._laid(i)[0].pieces]).tolist()
        counts.append(len(made.instances(i)))
    labels, sides = np.array(labels), np.array(sides)
    for label, true in ((0, np.sqrt(np.pi) * 11), (1, np.sqrt(14 * 6))):
        assert np.median(sides[labels == label]) == pytest.approx(true, rel=0.05)
        assert np.log(sides[labels == label]).std() == pytest.approx(0.1, abs=0.04)
    assert (labels == 0).mean() == pytest.approx(0.75, abs=0.06)
    assert np.mean(counts) == pytest.approx(4, abs=0.5)
    assert min(counts) >= 2


def test_sizes_go_with_the_picture():
    data = planted()
    large = CutPaste(data, 20, seed=0, size=(192, 256))
    small = CutPaste(data, 20, seed=0, size=(96, 128))
    sides = [
        np.median([np.sqrt(p.mask.sum()) for i in range(20) for p in made._laid(i)[0].pieces])
        for made in (small, large)
    ]
    assert sides[1] / sides[0] == pytest.approx(1.5, abs=0.1)  # at most enlarged to that
    assert large[0].image.shape == (192, 256, 3)
    square = CutPaste(data, 4, size=(64, 64))
    assert square[0].image.shape == (64, 64, 3)
    assert square.records[0].size == (64, 64)


def test_crowding_is_learnt():
    apart = Planted([[(0, 25 + 35 * k, 48, 8, 8) for k in range(3)]] * 6, [90] * 6)
    together = Planted([[(0, 40 + 17 * k, 48, 9, 9) for k in range(3)]] * 6, [90] * 6)
    shares = []
    for data in (apart, together):
        made = CutPaste(data, 40, seed=0)
        touching = [learn_of(made, i).touches.mean() for i in range(40)]
        shares.append(np.mean(touching))
    assert shares[0] == 0
    assert shares[1] > 0.4


def learn_of(made, index):
    """What the objects of a made picture tell."""

    class One(Planted):
        def instances(self, _):
            return made.instances(index)

    return learn(One([[]], [90]))


def test_as_many_objects_as_told_and_of_the_classes_told():
    made = CutPaste(planted(), 20, objects=(1, 2), classes=("bar",))
    assert made.classes.names == ("bar",)
    assert made.classes.source_ids == (10,)
    counts = [len(made.instances(i)) for i in range(20)]
    assert set(counts) == {1, 2}
    assert {label for i in range(20) for label in made.instances(i).labels.tolist()} == {0}
    for i in range(20):
        ids = [p["annotation"] for p in made.extras(i).provenance]
        assert all(planted().pictures[a // 100][a % 100][0] == 1 for a in ids)
    red = made[0].image
    assert not ((red[..., 0] > 180) & (red[..., 1] < 80)).any()  # the discs are gone


def test_provenance_is_json_and_names_what_there_is():
    made = CutPaste(planted(), 6, seed=9)
    for i in range(6):
        for known in json.loads(json.dumps(made.extras(i).provenance)):
            assert known["method"] == "cut_paste"
            assert known["blend"] in BLENDS
            assert known["background"] in {f"p{k}.png" for k in range(4)}
            assert known["seed"] == 9


# -- grounds -------------------------------------------------------------------------------------


def test_pasted_on_pictures_of_a_folder(tmp_path):
    for name, level in (("b.png", 30), ("a.png", 200)):
        write_image(tmp_path / name, np.full((80, 120, 3), level, np.uint8))
    (tmp_path / "notes.txt").write_text("none")
    grounds = FolderGrounds(tmp_path)
    assert [grounds.name(i) for i in range(len(grounds))] == ["a.png", "b.png"]
    made = CutPaste(planted(), 10, grounds=grounds)
    for i in range(10):
        assert made[i].image.shape == (80, 120, 3)
        name = made.extras(i).provenance[0]["background"]
        free = made.instances(i).masks.label_map() == 0
        assert np.median(made[i].image[free]) == {"a.png": 200, "b.png": 30}[name]


def test_large_grounds_are_shrunk(tmp_path):
    write_image(tmp_path / "a.png", np.full((100, 400, 3), 30, np.uint8))
    assert FolderGrounds(tmp_path, longest=200).picture(0).shape == (50, 200, 3)
    data = planted()
    learnt = learn(data)
    own = OwnGrounds(data, learnt, look_at(data, learnt), longest=64)
    assert own.size(0) == own.picture(0).shape[:2] == (48, 64)
    assert CutPaste(data, 1, longest=64)[0].image.shape == (48, 64, 3)
    huge = planted(size=(96, 1700))
    assert CutPaste(huge, 1)[0].image.shape == (90, 1600, 3)
    assert CutPaste(huge, 1, longest=None)[0].image.shape == (96, 1700, 3)


def test_dense_pictures_are_no_grounds():
    full = [(1, 16 + 32 * k, 48, 15, 46) for k in range(4)]
    sparse = [(0, 40, 40, 10, 10)]
    data = Planted([full, sparse, full, sparse], [90] * 4)
    learnt = learn(data)
    grounds = OwnGrounds(data, learnt, look_at(data, learnt))
    assert [grounds.name(i) for i in range(len(grounds))] == ["p1.png", "p3.png"]
    assert [grounds.image(i) for i in range(len(grounds))] == [1, 3]
    dense = Planted([full] * 4, [90] * 4)
    learnt = learn(dense)
    assert len(OwnGrounds(dense, learnt, look_at(dense, learnt))) > 0


def test_pasted_on_drawn_grounds():
    grounds = DrawnGrounds((70, 90), seed=1)
    made = CutPaste(planted(), 3, grounds=grounds)
    assert made[0].image.shape == (70, 90, 3)
    assert not np.array_equal(grounds.picture(0), grounds.picture(1))


def test_what_is_no_folder_of_pictures_is_said(tmp_path):
    with pytest.raises(DataError, match="expected a folder with pictures"):
        FolderGrounds(tmp_path / "missing")
    with pytest.raises(DataError, match="found none directly in it"):
        FolderGrounds(tmp_path)


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"classes": ("disk",)}, "called 'disk': did you mean 'disc'"),
        ({"size": (20, 64)}, "got 64 x 20"),
        ({"objects": (3, 1)}, "got 3 and 1"),
        ({"seed": -1}, "from 0 on"),
    ],
)
def test_what_makes_no_sense_is_said(options, sentence):
    with pytest.raises(DataError, match=sentence):
        CutPaste(planted(), **{"count": 1, **options})


def test_nothing_to_cut_out_is_said():
    empty = Planted([[], []], [90, 90])
    with pytest.raises(DataError, match="can be cut out, got none among the 0 of 2 images"):
        CutPaste(empty, 1)
    with pytest.raises(DataError, match="got none among the 2 of 1 images"):
        CutPaste(Planted([[(0, 0, 0, 9, 9), (0, 40, 40, 1, 1)]], [90]), 1)
    with pytest.raises(DataError, match="can be cut out"):
        CutPaste(Planted([], []), 1)


# -- small things --------------------------------------------------------------------------------


def test_a_window_beyond_the_picture_is_continued():
    image = np.arange(12, dtype=np.uint8).reshape(3, 4)[..., None].repeat(3, 2)
    part = cut(image, (-1, 1, 3, 5))
    np.testing.assert_array_equal(
        part[..., 0], [[4, 4, 5, 6], [8, 8, 9, 10], [8, 8, 9, 10], [8, 8, 9, 10]]
    )


def test_a_turn_keeps_the_middle_and_holds_the_whole_window():
    for degrees, mirrored in ((0, False), (30, True), (90, False), (-135, True)):
        geometry = _turned((20, 30), 1.5, degrees, mirrored=mirrored)
        h, w = geometry.target
        np.testing.assert_allclose(geometry.points([[15, 10]]), [[w / 2, h / 2]])
        x0, y0, x1, y1 = geometry.boxes([[0, 0, 30, 20]])[0]
        assert min(x0, y0) > -1
        assert max(x1 - w, y1 - h) < 1
        assert geometry.scale == pytest.approx(1.5)
        assert (np.linalg.det(geometry.matrix[:, :2]) < 0) == mirrored


def test_the_shelf_keeps_the_latest():
    made = []

    def make(number):
        made.append(number)
        return np.zeros((10, 10, 3), np.uint8)

    shelf = Shelf(make, lambda picture: picture.nbytes, room=700)
    for number in (1, 2, 1, 3, 1, 2):
        shelf(number)
    assert made == [1, 2, 3, 2]


def test_the_masks_of_an_image_are_not_read_for_each_of_its_objects():
    class Counted(Planted):
        reads = 0

        def instances(self, index):
            Counted.reads += 1
            return super().instances(index)

    data = Counted([[(0, 20 + 22 * k, 48, 9, 9) for k in range(5)]] * 2, [90] * 2)
    made = CutPaste(data, 10, objects=(5, 5))
    Counted.reads = 0
    for i in range(10):
        made.instances(i)
    assert Counted.reads == 2


def test_large_data_are_looked_at_in_part(monkeypatch):
    monkeypatch.setattr("delineate.data.pasted.learnt.LOOKED_AT", 3)
    data = Planted([[(0, 40, 40, 10, 10)]] * 10, [90] * 10)
    assert learn(data).images.tolist() == [0, 4, 9]
    made = CutPaste(data, 6)
    assert {p["source"] for i in range(6) for p in made.extras(i).provenance} <= {
        "p0.png",
        "p4.png",
        "p9.png",
    }
    assert cut_paste.LEAST_SIDE == 32


# -- real pictures -------------------------------------------------------------------------------


def test_nuclei_keep_to_their_modality_and_fruits_mix(shared_data):
    for folder, file, coupled, turn in (
        ("nuclei_dsb2018", "mini_train", True, 180),
        ("fruits_nuts", "train", False, 180),
        ("potholes", "train", True, 15),
    ):
        real = open_dataset(shared_data / folder / f"{file}.json")
        made = CutPaste(real, 4, seed=1)
        assert made.looks.coupled == coupled, folder
        assert made.learnt.turn == turn, folder
        assert (made.looks.shade > 0.05) == (folder == "fruits_nuts")  # they lie on a table
        sample = made[0]
        assert sample.image.shape[:2] == made.records[0].size
        levels = [real[i].image.mean() for i in range(len(real))]
        assert min(levels) - 10 <= sample.image.mean() <= max(levels) + 10
