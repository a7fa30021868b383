import json
import pickle

import numpy as np
import pytest

from delineate.data.drawn.camera import Camera
from delineate.data.drawn.scenes import DrawnScenes
from delineate.data.drawn.settings import CLASSES, FAMILIES, SETTINGS
from delineate.data.drawn.solids import TRAITS
from delineate.data.drawn.tools import TOOLS
from delineate.errors import DataError

SIZE = (128, 160)
QUIET = Camera(
    exposure=(1, 1),
    tint=(0, 0),
    gradient=(0, 0),
    vignette=(0, 0),
    defocus=(0.2, 0.2),
    motion_share=0,
    shot=(0, 0),
    read=(0, 0),
    jpeg_share=0,
)


def scenes(count=12, **options):
    return DrawnScenes(count, **{"size": SIZE, "seed": 1, **options})


def same(a, b):
    return (
        np.array_equal(a.image, b.image)
        and np.array_equal(a.instances.labels, b.instances.labels)
        and np.array_equal(a.instances.masks.to_dense(), b.instances.masks.to_dense())
    )


def test_a_scene_depends_on_seed_and_number_alone():
    few, many = scenes(4), scenes(10**9)
    assert same(many[3], few[3])
    assert same(few[3], few[3])
    assert not same(few[3], few[2])
    assert not same(scenes(4, seed=2)[3], few[3])
    assert same(scenes(2, first=2)[1], few[3])
    assert scenes(2, first=2).records[1] == few.records[3]


def test_another_process_draws_the_same():
    here = scenes(4)
    here[1]
    there = pickle.loads(pickle.dumps(here))
    assert there._last is None
    assert same(there[2], here[2])


def test_instances_are_those_of_the_sample_and_records_need_no_scene():
    data = scenes(6)
    for i in range(len(data)):
        sample, instances = data[i], data.instances(i)
        assert sample.image.shape == (*SIZE, 3)
        assert sample.image.dtype == np.uint8
        assert data.records[i].size == instances.image_size == SIZE
        assert (sample.image_id, sample.name) == (data.records[i].image_id, data.records[i].name)
        np.testing.assert_array_equal(sample.instances.boxes, instances.boxes)
        np.testing.assert_array_equal(data.areas(i), instances.masks.areas)
        np.testing.assert_array_equal(data.stated_boxes(i)[:, :2], instances.boxes[:, :2])
    assert [r.image_id for r in data.records[1:3]] == [2, 3]
    with pytest.raises(IndexError):
        data[6]


def test_masks_are_those_of_a_painter_who_works_back_to_front():
    data = scenes(12, objects=(10, 20), clutter=(2, 6))
    hidden = 0
    for i in range(len(data)):
        stack, _ = data._laid(i)
        owner, wholes = np.full(SIZE, -1), []
        for number, piece in enumerate(stack.pieces):
            ys, xs = np.nonzero(piece.mask)
            ys, xs = ys + piece.origin[1], xs + piece.origin[0]
            inside = (ys >= 0) & (ys < SIZE[0]) & (xs >= 0) & (xs < SIZE[1])
            whole = np.zeros(SIZE, bool)
            whole[ys[inside], xs[inside]] = True
            owner[whole] = number
            wholes.append(whole)
        labelled = [n for n, piece in enumerate(stack.pieces) if piece.label is not None]
        extras, masks = data.extras(i), data.instances(i).masks
        assert len(labelled) == len(masks)
        for k, n in enumerate(labelled):
            np.testing.assert_array_equal(masks.bitmap(k), owner == n)
            np.testing.assert_array_equal(extras.amodal.bitmap(k), wholes[n])
            share = 1 - (owner == n).sum() / wholes[n].sum()
            assert extras.occlusion[k] == pytest.approx(share)
            hidden += share > 0
    assert hidden > 10


@pytest.mark.parametrize("name", CLASSES)
def test_every_class_is_drawn_where_its_masks_are(name):
    """Inside and outside of the masks differ in colour or texture; no instance is invisible."""
    data = scenes(6, classes=(name,), camera=QUIET, clutter=(0, 0), objects=(4, 8))
    told = []
    for i in range(len(data)):
        sample = data[i]
        assert set(sample.instances.labels.tolist()) <= {0}
        image = sample.image.astype(float)
        for k in range(len(sample.instances)):
            mask = sample.instances.masks.bitmap(k)
            ground = sample.instances.masks.label_map() == 0
            inside, outside = image[mask], image[ground]
            differs = np.abs(inside.mean(axis=0) - outside.mean(axis=0)).max()
            told.append(max(differs, abs(inside.std() - outside.std())) > 3)
            provenance = data.extras(i).provenance[k]
            assert (provenance["method"], provenance["family"]) == ("drawn", name)
            json.dumps(provenance)
    assert len(told) > 12
    assert np.mean(told) > 0.9


def test_a_bright_thing_stands_exactly_where_its_mask_is():
    """Cells in fluorescence: half of their light is where the mask ends."""
    data = DrawnScenes(30, classes=("cell",), size=SIZE, camera=QUIET, objects=(1, 1), seed=3)
    compared = 0
    for i in range(30):
        sample = data[i]
        if not len(sample.instances):
            continue
        mask = sample.instances.masks.bitmap(0)
        grey = sample.image.max(axis=2).astype(float)
        dark, bright = np.median(grey[~mask]), np.median(grey[mask])
        if data.extras(i).provenance[0]["world"] != "fluorescence" or bright < dark + 60:
            continue
        seen = grey > (dark + 0.75 * bright) / 2
        assert (seen & mask).sum() / (seen | mask).sum() > 0.8
        compared += 1
    assert compared >= 3


def test_the_camera_moves_nothing():
    """A disc stays where it is, whatever befalls the picture."""
    y, x = np.mgrid[:200, :200]
    disc = np.hypot(y - 90.5, x - 120.5) < 30
    scene = np.where(disc, 220, 60)[..., None].repeat(3, axis=2).astype(np.float32)
    camera = Camera(
        motion_share=1, motion=(20, 25), gradient=(0, 0), vignette=(0, 0), jpeg_share=0.5
    )
    for seed in range(20):
        picture = camera.expose(scene, np.random.default_rng(seed)).mean(axis=2)
        seen = picture > (picture.min() + picture.max()) / 2
        assert seen.sum() / disc.sum() == pytest.approx(1, abs=0.15)
        middle = np.argwhere(disc).mean(axis=0)
        assert np.argwhere(seen).mean(axis=0) == pytest.approx(middle, abs=0.7)


def test_faults_of_the_camera_are_as_large_as_told():
    flat = np.full((64, 64, 3), 100, np.float32)
    quiet = {**{f: getattr(QUIET, f) for f in Camera.__dataclass_fields__}}
    read = Camera(**{**quiet, "read": (3, 3)}).expose(flat, np.random.default_rng(0))
    assert read.std() == pytest.approx(3, rel=0.05)
    shot = Camera(**{**quiet, "shot": (0.5, 0.5)}).expose(flat, np.random.default_rng(0))
    assert shot.std() == pytest.approx(np.sqrt(50), rel=0.05)
    dark = Camera(**{**quiet, "vignette": (0.5, 0.5)}).expose(flat, np.random.default_rng(0))
    assert dark[32, 32, 0] == pytest.approx(100, abs=2)
    assert dark[0, 0, 0] == pytest.approx(50, abs=2)
    bright = Camera(**{**quiet, "exposure": (1.5, 1.5)}).expose(flat, np.random.default_rng(0))
    assert np.unique(bright).tolist() == [150]
    assert np.unique(QUIET.expose(flat, np.random.default_rng(0))).tolist() == [100]


def test_what_is_labelled_anywhere_is_never_clutter():
    data = scenes(1, classes=("polygon", "blob", "pallet", "tool", "text"))
    for shapes in data._strangers.values():
        assert not {s.name for s in shapes} & {"polygon", "blob", "pallet", *TOOLS}
    assert "box" in {s.name for s in data._strangers["yard"]}  # drawn, and no class here


def test_clutter_lies_there_without_a_label():
    data = scenes(10, classes=("nut",), objects=(3, 3), clutter=(4, 4))
    labels = [[p.label for p in data._laid(i)[0].pieces] for i in range(10)]
    assert sum(row.count(None) for row in labels) > 20
    assert {len(data.instances(i)) for i in range(10)} == {3}


def test_each_world_shows_only_what_belongs_there():
    data = scenes(60)
    seen = {}
    for i in range(len(data)):
        for p in data.extras(i).provenance:
            seen.setdefault(p["world"], set()).add(p["family"])
    assert set(seen) == set(SETTINGS)
    assert seen["page"] == {"text"}
    assert seen["yard"] == {"pallet", "box"}
    assert set.union(*seen.values()) == set(FAMILIES)


@pytest.mark.parametrize(
    ("name", "shape"),
    [
        (name, shape)
        for world in SETTINGS.values()
        for name, shapes in world.shapes.items()
        for shape in shapes[:1]
        if name != "tool"
    ],
)
def test_shapes_stay_within_the_unit_circle_and_differ_by_traits(name, shape):
    angle = np.linspace(0, 2 * np.pi, 720, dtype=np.float32)
    u, v = np.meshgrid(*[np.linspace(-1, 1, 200, dtype=np.float32)] * 2)
    areas = set()
    for traits in np.random.default_rng(0).random((40, TRAITS)).tolist():
        outside = shape.outline(1.02 * np.cos(angle), 1.02 * np.sin(angle), tuple(traits))
        assert outside.min() > 0
        inside = shape.outline(u, v, tuple(traits)) < 0
        assert inside.any()
        areas.add(int(inside.sum()))
    assert len(areas) > 12


def test_scenes_vary():
    samples = [scenes(30)[i] for i in range(30)]
    assert len({len(s.instances) for s in samples}) >= 6
    assert np.std([s.image.mean() for s in samples]) > 20
    assert {int(label) for s in samples for label in s.instances.labels} == set(
        range(len(FAMILIES))
    )


def test_as_many_objects_as_told():
    data = scenes(20, classes=("nut",), objects=(2, 4), clutter=(0, 0))
    counts = [len(data.instances(i)) for i in range(20)]
    assert set(counts) == {2, 3, 4}
    assert not any(len(scenes(5, objects=(0, 0)).instances(i)) for i in range(5))


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"classes": ("hamer",)}, "called 'hamer': did you mean 'hammer'"),
        ({"classes": ()}, "at least one class"),
        ({"classes": ("nut", "nut")}, "comes twice"),
        ({"classes": ("tool", "nut")}, "got 'tool' and 'nut'"),
        ({"size": (63, 200)}, "got 200 x 63"),
        ({"objects": (5, 4)}, "got 5 and 4"),
        ({"clutter": (-1, 4)}, "got -1 and 4"),
        ({"seed": -1}, "from 0 on"),
        ({"count": -1}, "from 0 on"),
    ],
)
def test_what_makes_no_sense_is_said(options, sentence):
    with pytest.raises(DataError, match=sentence):
        DrawnScenes(**{"count": 1, **options})
