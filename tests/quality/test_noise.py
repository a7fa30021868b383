"""Annotator noise is found where it is planted, and not in good labels."""

import cv2
import numpy as np
import pytest
from photographs import SIZE, circle, photograph, write_set

from delineate.core.geometry import Geometry
from delineate.core.instances import Instances
from delineate.core.masks import Masks
from delineate.data.formats import open_splits
from delineate.quality import alignment
from delineate.quality.alignment import edges_of, misaligned
from delineate.quality.mask_edges import edge_of, rough_edges
from delineate.quality.vertices import FEWEST, few_points

HEIGHT, WIDTH = SIZE
SPOTS = [(60, 60), (160, 70), (260, 60), (60, 170), (160, 180), (260, 170)]


def disc(radius, side=None):
    side = side or 2 * radius + 1
    y, x = np.mgrid[:side, :side] - side // 2
    return x * x + y * y <= radius * radius


def rle(bitmap):
    return Masks.from_bitmaps([bitmap], bitmap.shape).to_coco()[0]


def placed(mask, x=20, y=20, size=SIZE):
    bitmap = np.zeros(size, bool)
    bitmap[y : y + mask.shape[0], x : x + mask.shape[1]] = mask
    return bitmap


# -- points ------------------------------------------------------------------------------------


def outlines(folder, objects, **options):
    """A picture of six objects each."""
    images = [objects[i : i + 6] for i in range(0, len(objects), 6)]
    write_set(folder, "train", [np.zeros((*SIZE, 3), np.uint8)] * len(images), images, **options)
    return list(few_points(open_splits(folder)))


def round_ones(count, points=40):
    return [circle(*SPOTS[k % 6], 20 + k % 17, points) for k in range(count)]


def test_an_outline_of_few_points_is_found(tmp_path):
    objects = round_ones(FEWEST + 4)
    objects[9] = circle(*SPOTS[9 % 6], 30, 5)
    (finding,) = outlines(tmp_path, objects)
    assert (finding.place.image_id, finding.place.objects) == (2, (3,))
    assert "outlined by 5 points" in finding.why
    assert "have about 40" in finding.why


def test_squares_are_few_points_among_squares_only(tmp_path):
    square = [40.0, 40, 90, 45, 85, 95, 35, 90]
    objects = round_ones(FEWEST + 4)
    objects[9] = square
    assert len(outlines(tmp_path / "coins", objects)) == 1
    objects[10:14] = [square] * 4
    assert outlines(tmp_path / "some squares", objects) == []
    assert outlines(tmp_path / "few", [*round_ones(8), square]) == []


def test_what_runs_along_the_border_needs_no_points(tmp_path):
    """Small objects have 8 points, large ones 60; one fills a side of the picture, with 8."""
    objects = [circle(*SPOTS[k % 6], 9 + k % 3, 8) for k in range(40)]
    objects += [circle(160, 120, 76 + k % 5, 60) for k in range(40)]
    objects[70] = [0.0, 0, 320, 0, 320, 238, 310, 240, 300, 20, 290, 12, 20, 6, 0, 9]
    (finding,) = outlines(tmp_path / "inner", objects)
    assert finding.place.objects == (70 % 6,)
    objects[70] = [0.0, 0, 320, 0, 320, 240, 312, 240, 312, 239, 319, 230, 319, 1, 0, 1]
    assert outlines(tmp_path / "border", objects) == []


# -- edges of masks ----------------------------------------------------------------------------


@pytest.mark.parametrize("step", [2, 3, 4, 8])
def test_an_enlarged_mask_moves_in_steps(step):
    small = disc(12)
    assert edge_of(np.kron(small, np.ones((step, step), bool))).step == step
    stretched = cv2.resize(
        small.astype(np.uint8), (70, 92), interpolation=cv2.INTER_NEAREST
    ).astype(bool)
    assert edge_of(stretched).step in (2, 3)


def test_shapes_of_right_angles_have_no_steps():
    block = np.ones((60, 200), bool)
    block[:14, 120:] = False  # a paragraph of lines of text, the last one short
    block[45:, 60:] = False
    assert edge_of(block).step == 1
    assert edge_of(np.ones((40, 40), bool)).step == 1
    verse = np.zeros((110, 260), bool)
    tops = np.cumsum([0, 9, 14, 9, 17, 8, 12, 20, 9, 11])
    for top, end, left in zip(tops, tops[1:], (0, 9, 21, 0, 40, 30, 55, 12, 70), strict=False):
        verse[top:end, left : 255 - (left * 37) % 101] = True
    assert edge_of(verse).step == 1


def test_edges_are_ragged_where_they_jump():
    rng = np.random.default_rng(0)
    smooth = placed(disc(40), size=(120, 120))
    far = cv2.distanceTransform(smooth.astype(np.uint8), cv2.DIST_L2, 5)
    near = cv2.distanceTransform((~smooth).astype(np.uint8), cv2.DIST_L2, 5)
    jitter = cv2.GaussianBlur(rng.normal(0, 1, smooth.shape), (0, 0), 0.8)
    ragged = far - near + 3 * jitter / jitter.std() > 0
    assert edge_of(smooth).ragged < 0.03
    assert edge_of(ragged).ragged > 0.2


def test_crumbs_and_pinholes_are_counted():
    mask = placed(disc(40), size=(120, 120))
    mask[50:52, 50:52] = mask[60, 60] = mask[70, 40] = False
    mask[5, 5] = mask[5, 100] = True
    edge = edge_of(mask)
    assert (edge.crumbs, edge.pinholes) == (2, 3)
    assert edge_of(disc(40)).crumbs == edge_of(disc(40)).pinholes == 0
    ring = disc(40) & ~disc(15, 81)
    assert edge_of(ring).pinholes == 0


def test_polygons_have_no_pinholes_but_where_they_touch_themselves(tmp_path):
    """A square whose outline goes astray five times: what it encloses twice lies outside."""
    astray = [(30, 30)]
    for x in range(40, 140, 20):
        loop = [(x, 30), (x, 60), (x + 3, 60), (x + 3, 63), (x, 63), (x, 60), (x, 30)]
        astray += loop
    astray += [(160, 30), (160, 160), (30, 160)]
    polygon = [float(v) for point in astray for v in point]
    picture = np.zeros((*SIZE, 3), np.uint8)
    write_set(tmp_path, "train", [picture], [[polygon]])
    splits = open_splits(tmp_path)
    mask = splits["train"].instances(0).masks.bitmap(0)
    assert edge_of(mask[30:160, 30:160]).pinholes == 5
    assert list(rough_edges(splits)) == []
    write_set(tmp_path, "train", [picture], [[rle(mask)]])
    (finding,) = rough_edges(open_splits(tmp_path))
    assert (finding.kind, "5 holes" in finding.why) == ("crumbs", True)


def masks_found(folder, masks):
    picture = np.zeros((*SIZE, 3), np.uint8)
    write_set(folder, "train", [picture] * len(masks), [[rle(placed(m))] for m in masks])
    return list(rough_edges(open_splits(folder)))


def test_a_habit_is_one_finding_and_an_accident_one_each(tmp_path):
    coarse = np.kron(disc(10), np.ones((4, 4), bool))
    (accident,) = masks_found(tmp_path / "one", [disc(30)] * 9 + [coarse])
    assert (accident.place.image_id, accident.severity) == (10, "note")
    (habit,) = masks_found(tmp_path / "many", [disc(30)] * 9 + [coarse] * 6)
    assert (habit.place.image_id, habit.severity) == (None, "warning")
    assert "of 6 of 15 masks of class 'disc'" in habit.why
    assert {place.image_id for place in habit.others} == set(range(10, 16))
    assert masks_found(tmp_path / "none", [disc(30)] * 9 + [disc(3)] * 6) == []


# -- beside the edges --------------------------------------------------------------------------


def drawn(seed):
    """Twelve ellipses on a ground, lying away from the border, and their outlines."""
    rng = np.random.default_rng(seed)
    image = (photograph(seed % 4) // 3 + 60).astype(np.uint8)
    rings = []
    for row in range(3):
        for column in range(4):
            x, y = 50 + 72 * column + rng.integers(-6, 7), 50 + 70 * row + rng.integers(-6, 7)
            a, b = rng.integers(14, 26, 2)
            turn = np.linspace(0, 2 * np.pi, 48, endpoint=False)
            ring = np.column_stack([x + a * np.cos(turn), y + b * np.sin(turn)])
            colour = tuple(int(v) for v in rng.choice([20, 235], 3))
            cv2.fillPoly(image, [np.rint(ring * 16 - 8).astype(np.int32)], colour, shift=4)
            rings.append(ring)
    return image, rings


def scenes(folder, move, count=8):
    pictures, objects = [], []
    for i in range(count):
        image, rings = drawn(i)
        pictures.append(image)
        objects.append([move(i, ring).ravel().tolist() for ring in rings])
    write_set(folder, "train", pictures, objects)
    return list(misaligned(open_splits(folder)))


def test_outlines_on_the_edges_are_sound(tmp_path):
    assert scenes(tmp_path, lambda i, ring: ring) == []


@pytest.mark.parametrize(
    ("shift", "words"),
    [((4, 0), "4 pixels right"), ((0, -3), "3 pixels up"), ((-5, 7), "5 pixels left and 7")],
)
def test_a_set_that_is_shifted_is_one_finding(tmp_path, shift, words):
    (finding,) = scenes(tmp_path, lambda i, ring: np.add(ring, shift))
    assert (finding.kind, finding.place.image_id) == ("shifted_outlines", None)
    assert words in finding.why


def test_an_image_that_is_shifted_is_found_alone(tmp_path):
    (finding,) = scenes(tmp_path, lambda i, ring: np.add(ring, (6, 0)) if i == 2 else ring)
    assert (finding.kind, finding.place.image_id) == ("shifted_outlines", 3)
    assert "6 pixels right" in finding.why


def test_outlines_that_run_outside_are_loose(tmp_path):
    def grown(i, ring):
        middle = ring.mean(axis=0)
        lengths = np.hypot(*(ring - middle).T)[:, None]
        return middle + (ring - middle) * (1 + 3 / lengths)

    (finding,) = scenes(tmp_path, grown)
    assert finding.kind == "loose_outlines"
    assert "3 pixels outside" in finding.why


def wider(left, others):
    """Margins around the objects, one on the left, another on the other sides."""

    def move(i, ring):
        middle = (ring.max(axis=0) + ring.min(axis=0)) / 2
        outward = np.sign(ring - middle)
        margins = np.where(outward < 0, [left, others], others)
        return ring + outward * margins

    return move


@pytest.mark.parametrize(("left", "others"), [(6, 0), (8, 3)])
def test_margins_on_some_sides_are_by_design(tmp_path, left, others):
    assert scenes(tmp_path, wider(left, others)) == []
    assert len(scenes(tmp_path / "all", wider(4, 4))) == 1


@pytest.mark.parametrize(("horizontal", "words"), [(True, "mirrored"), (False, "upside down")])
def test_labels_of_a_mirrored_picture(tmp_path, horizontal, words):
    def move(i, ring):
        if i != 5:
            return ring
        return Geometry.flip(SIZE, horizontal=horizontal).points(ring)

    (finding,) = scenes(tmp_path, move)
    assert (finding.kind, finding.severity, finding.place.image_id) == (
        "mirrored_labels",
        "error",
        6,
    )
    assert f"when they are {words}" in finding.why


def test_the_profile_peaks_where_the_edges_are():
    image, rings = drawn(0)
    masks = Masks.from_coco([[ring.ravel().tolist()] for ring in rings], SIZE)
    labels = np.zeros(len(rings), np.int64)
    truth = Instances(image_size=SIZE, boxes=masks.boxes(), labels=labels, masks=masks)
    profile = edges_of(image, truth).profile
    assert (np.abs(profile.argmax(axis=1) - profile.shape[1] // 2) <= 1).all()
    assert edges_of(image, truth[:0]) is None


def test_an_image_whose_own_offset_is_unclear_is_left_alone(tmp_path, monkeypatch):
    """In a set that is shifted: unclear is (0, 0), too."""
    monkeypatch.setattr(
        alignment, "_offset", lambda _, clear: ((5 * (clear == alignment._CLEAR), 0), 0)
    )
    (finding,) = scenes(tmp_path, lambda i, ring: ring)
    assert finding.place.image_id is None
