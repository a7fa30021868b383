import numpy as np
import pytest

from delineate.core.boxes import xyxy_to_xywh
from delineate.data import painting
from delineate.data.painting import paint
from delineate.data.shapes import SHAPES, Thing
from delineate.data.synthetic import SyntheticScenes, lay_out
from delineate.errors import DataError

PLAIN = (0.0, 0.0, 0.0, 0.0)


def thing(name, *, radius, centre=(100.0, 100.0), base=0, turn=0.0, traits=PLAIN):
    return Thing.place(
        SHAPES[name],
        label=0,
        base=base,
        traits=traits,
        centre=centre,
        radius=radius,
        turn=turn,
    )


def silhouette(of, size):
    """Which pixels of a picture the thing covers when nothing lies on it."""
    whole = np.zeros(size, bool)
    in_picture, in_patch = of.windows(size)
    whole[in_picture] = of.outline[in_patch] < 0
    return whole


def same(a, b):
    return (
        np.array_equal(a.image, b.image)
        and np.array_equal(a.instances.labels, b.instances.labels)
        and np.array_equal(a.instances.masks.to_dense(), b.instances.masks.to_dense())
    )


def test_a_scene_depends_on_seed_and_index_alone():
    few, many = SyntheticScenes(4, seed=5), SyntheticScenes(500, seed=5)
    assert same(many[3], few[3])
    assert same(few[3], few[3])
    assert not same(few[3], few[2])
    assert not same(SyntheticScenes(4, seed=6)[3], few[3])


def test_instances_without_pixels_are_those_of_the_sample():
    scenes = SyntheticScenes(3, size=(120, 160))
    for i in range(3):
        sample, instances = scenes[i], scenes.instances(i)
        assert sample.image.shape == (120, 160, 3)
        assert sample.image.dtype == np.uint8
        assert sample.image_id == scenes.records[i].image_id == i + 1
        assert sample.name == scenes.records[i].name
        assert scenes.records[i].size == instances.image_size == (120, 160)
        np.testing.assert_array_equal(sample.instances.boxes, instances.boxes)
        np.testing.assert_array_equal(sample.instances.masks.to_dense(), instances.masks.to_dense())
        np.testing.assert_array_equal(scenes.areas(i), instances.masks.areas)
        tight = xyxy_to_xywh(instances.boxes)
        np.testing.assert_array_equal(scenes.stated_boxes(i), tight)


def test_visible_masks_are_disjoint_and_their_boxes_tight():
    scenes = SyntheticScenes(20, seed=1)
    for i in range(20):
        instances = scenes.instances(i)
        dense = instances.masks.to_dense()
        assert dense.sum(axis=0).max(initial=0) <= 1
        assert instances.masks.areas.min(initial=20) >= 20
        for mask, (x1, y1, x2, y2) in zip(dense, instances.boxes, strict=True):
            rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
            assert (x1, x2) == (columns[0], columns[-1] + 1)
            assert (y1, y2) == (rows[0], rows[-1] + 1)


def test_the_later_thing_is_in_front_and_at_least_a_quarter_of_each_shows():
    size, hidden_somewhere = (150, 150), False
    for seed in range(20):
        rng = np.random.default_rng(seed)
        things, stack = lay_out(tuple(SHAPES.values()), size, (12, 12), rng)
        expected = np.full(size, -1)
        for number, one in enumerate(things):
            expected[silhouette(one, size)] = number
        np.testing.assert_array_equal(stack.owner, expected)
        for number, one in enumerate(things):
            whole = np.count_nonzero(one.outline < 0)
            shown = np.count_nonzero(stack.owner == number)
            assert shown >= max(20, 0.25 * whole)
            hidden_somewhere |= shown < 0.5 * whole
    assert hidden_somewhere


def test_things_of_one_class_touch_one_another():
    touching = 0
    for i in range(20):
        instances = SyntheticScenes(20, seed=2).instances(i)
        front = instances.masks.label_map()
        for a, b in ((front[:, :-1], front[:, 1:]), (front[:-1], front[1:])):
            border = (a != b) & (a > 0) & (b > 0)
            pairs = {tuple(sorted(pair)) for pair in zip(a[border], b[border], strict=True)}
            touching += sum(instances.labels[i - 1] == instances.labels[j - 1] for i, j in pairs)
    assert touching >= 20


def test_a_brick_covers_the_pixels_whose_centres_it_covers():
    # Half of it is 0.86 x 0.4 radii: 43 x 20 pixels around (60, 50); its corners are round.
    mask = silhouette(thing("brick", radius=50, centre=(60.0, 50.0)), (100, 120))
    rows, columns = np.flatnonzero(mask[:, 60]), np.flatnonzero(mask[50])
    assert (rows[0], rows[-1]) == (30, 69)
    assert (columns[0], columns[-1]) == (17, 102)
    assert not mask[30, 17]


def test_half_a_pixel_decides_whose_pixel_it_is():
    # The edge lies at 60 + 43 + shift: 102.6 is beyond the centre of pixel 102, 102.4 is not.
    for shift, last in ((-0.4, 102), (-0.6, 101)):
        mask = silhouette(thing("brick", radius=50, centre=(60.0 + shift, 50.0)), (100, 120))
        assert np.flatnonzero(mask[50])[-1] == last


def test_a_quarter_turn_stands_the_brick_on_end():
    lying = silhouette(thing("brick", radius=50), (200, 200))
    standing = silhouette(thing("brick", radius=50, turn=np.pi / 2), (200, 200))
    assert np.mean(np.rot90(lying) != standing) < 1e-3
    assert np.count_nonzero(lying) != np.count_nonzero(lying & standing)


def test_a_ring_has_a_hole():
    # Its tube reaches from 0.57 to 0.97 radii.
    mask = silhouette(thing("ring", radius=80), (200, 200))[100]
    np.testing.assert_array_equal(mask[100 + np.array([0, 40, 44, 47, 76, 79])], [0, 0, 0, 1, 1, 0])


@pytest.mark.parametrize("name", SHAPES)
def test_shapes_stay_within_the_unit_circle_and_differ_by_traits(name):
    angle = np.linspace(0, 2 * np.pi, 720, dtype=np.float32)
    u, v = np.meshgrid(*[np.linspace(-1, 1, 200, dtype=np.float32)] * 2)
    areas = set()
    for traits in np.random.default_rng(0).random((50, 4)).tolist():
        rim = SHAPES[name].outline(1.02 * np.cos(angle), 1.02 * np.sin(angle), tuple(traits))
        assert rim.min() > 0
        inside = SHAPES[name].outline(u, v, tuple(traits)) < 0
        assert 0.1 < inside.mean() < np.pi / 4
        areas.add(int(inside.sum()))
    assert len(areas) > 25


def test_the_picture_shows_what_the_mask_says(monkeypatch):
    size, oak = (100, 160), painting.GROUNDS[1]
    monkeypatch.setattr(painting, "GROUNDS", (oak,))
    blue = thing("brick", radius=60, centre=(80.0, 50.0), base=1, turn=0.4)
    image = paint([blue], size, np.random.default_rng(0)).astype(int)
    seen, mask = image[..., 2] > image[..., 0] + 5, silhouette(blue, size)
    assert np.count_nonzero(seen & mask) / np.count_nonzero(seen | mask) > 0.97


def test_the_last_thing_painted_is_in_front():
    red, blue = (thing("brick", radius=60, base=base) for base in (0, 1))
    for things, front in (([red, blue], 2), ([blue, red], 0)):
        image = paint(things, (200, 200), np.random.default_rng(0))
        centre = image[90:110, 80:120].mean(axis=(0, 1))
        assert np.argmax(centre) == front


def test_a_thing_casts_a_shadow_on_the_ground(monkeypatch):
    monkeypatch.setattr(painting, "GROUNDS", (((200, 200, 200), (201, 201, 201)),))
    stone = thing("pebble", radius=40)
    mask = silhouette(stone, (200, 200))
    image = paint([stone], (200, 200), np.random.default_rng(0)).mean(axis=2)
    assert not mask[137:141, 90:110].any()
    assert not mask[60:64, 90:110].any()
    below, above = image[137:141, 90:110].mean(), image[60:64, 90:110].mean()
    assert below < 0.9 * above  # the light comes from above


def test_scenes_vary():
    scenes = SyntheticScenes(30, seed=3)
    samples = [scenes[i] for i in range(30)]
    assert {int(label) for s in samples for label in s.instances.labels} == set(range(len(SHAPES)))
    assert len({len(s.instances) for s in samples}) >= 4
    assert np.std([s.image.mean() for s in samples]) > 20
    assert min(s.image.std() for s in samples) > 5


def test_classes_are_labelled_in_the_order_asked_for():
    scenes = SyntheticScenes(5, classes=("ring", "leaf"))
    assert scenes.classes.names == ("ring", "leaf")
    assert max(scenes.instances(i).labels.max() for i in range(5)) == 1
    solid = SyntheticScenes(5, classes=("brick",), objects=(1, 1), seed=4)
    for i in range(5):
        (x1, y1, x2, y2), area = solid.instances(i).boxes[0], solid.areas(i)[0]
        assert area > 0.4 * (x2 - x1) * (y2 - y1)  # a brick fills its box as no ring does


def test_scenes_without_things_are_empty():
    scenes = SyntheticScenes(2, objects=(0, 0), size=(32, 40))
    sample = scenes[0]
    assert len(sample.instances) == 0
    assert sample.instances.masks is not None
    assert sample.image.std() > 0
    assert scenes.areas(0).shape == (0,)


def test_a_crowded_scene_makes_do_with_fewer():
    instances = SyntheticScenes(1, objects=(500, 500), size=(64, 64)).instances(0)
    assert 5 < len(instances) < 500


def test_positions_beyond_the_end_are_index_errors():
    scenes = SyntheticScenes(2)
    assert len(list(iter(scenes))) == 2
    with pytest.raises(IndexError):
        scenes[2]
    with pytest.raises(IndexError):
        scenes.instances(2)
    assert len(SyntheticScenes(0)) == 0


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"classes": ("leef",)}, "called 'leef': did you mean 'leaf'"),
        ({"classes": ("leaf", "leaf")}, "leaf"),
        ({"classes": ()}, "at least one class"),
        ({"size": (31, 200)}, "size=\\(31, 200\\)"),
        ({"objects": (5, 4)}, "objects=\\(5, 4\\)"),
        ({"objects": (-1, 4)}, "objects=\\(-1, 4\\)"),
        ({"seed": -1}, "seed=-1"),
        ({"count": -1}, "count=-1"),
    ],
)
def test_what_makes_no_sense_is_said(options, sentence):
    with pytest.raises(DataError, match=sentence):
        SyntheticScenes(**{"count": 1, **options})


def test_things_are_as_large_as_told():
    small = SyntheticScenes(4, size=(256, 256), radii=(0.02, 0.04), objects=(8, 12))
    sides = np.concatenate([small.stated_boxes(i)[:, 2:].max(axis=1) for i in range(4)])
    assert len(sides) > 20
    assert sides.max() < 0.04 * 256 * 1.25 * 2 * 2
    with pytest.raises(DataError, match="smallest <= largest radius < 1"):
        SyntheticScenes(1, radii=(0.5, 0.2))
