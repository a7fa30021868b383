"""GeoJSON on pictures: places on the ground, pixels, holes, and which picture a file is about."""

import json

import numpy as np
import pytest
from pycocotools import mask as coco_mask

from delineate.core.image import write_image
from delineate.data.formats import open_dataset, open_splits
from delineate.errors import DataError
from geotiff import SCALE, TIEPOINT, TRANSFORMATION, write_tiff
from mutations import generators, mutated, survives

SQUARE = [[20, 10], [60, 10], [60, 30], [20, 30], [20, 10]]
HOLE = [[30, 15], [30, 25], [50, 25], [50, 15], [30, 15]]
PLACE = {SCALE: [0.5, 0.25, 0.0], TIEPOINT: [0.0, 0.0, 0.0, 700_000.0, 3_000_000.0, 0.0]}


def feature(*rings, kind="Polygon", **properties):
    coordinates = list(rings or [SQUARE])
    geometry = {"type": kind, "coordinates": coordinates}
    return {"type": "Feature", "properties": properties, "geometry": geometry}


def collection(path, *features):
    path.parent.mkdir(parents=True, exist_ok=True)
    content = {"type": "FeatureCollection", "name": "x", "features": list(features)}
    path.write_text(json.dumps(content))
    return path


def picture(path, **options):
    """A picture of 40 x 80 pixels."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.suffix == ".tif":
        write_tiff(path, np.full((40, 80), 900, np.uint16), planes=True, **options)
    else:
        write_image(path, np.full((40, 80, 3), 90, np.uint8))


def square(hole=False):
    bitmap = np.zeros((40, 80), bool)
    bitmap[10:30, 20:60] = True
    if hole:
        bitmap[15:25, 30:50] = False
    return bitmap


def on_ground(ring, matrix=((0.5, 0, 7e5), (0, -0.25, 3e6))):
    return (np.array([[*point, 1] for point in ring]) @ np.array(matrix).T).tolist()


def described(dataset):
    found = [dataset.instances(i).labels for i in range(len(dataset))]
    names = [[dataset.classes.names[label] for label in labels] for labels in found]
    return dict(zip([r.name for r in dataset.records], names, strict=True))


def mask(path):
    return open_dataset(path).instances(0).masks.bitmap(0)


def problem(path):
    (found,) = open_dataset(path, on_error="skip").problems
    with pytest.raises(DataError, match="1 broken record"):
        open_dataset(path)
    return found


# -- coordinates -------------------------------------------------------------------------------


def test_places_on_the_ground(tmp_path):
    picture(tmp_path / "a.tif", doubles=PLACE)
    path = collection(tmp_path / "a.geojson", feature(on_ground(SQUARE)))
    np.testing.assert_array_equal(mask(path), square())


@pytest.mark.parametrize("name", ["a.tif", "a.png"])
def test_pixels(tmp_path, name):
    picture(tmp_path / name, **({"doubles": PLACE} if name == "a.tif" else {}))
    path = collection(tmp_path / "a.geojson", feature())
    np.testing.assert_array_equal(mask(path), square())


def test_a_tie_point_anywhere_in_the_picture(tmp_path):
    tie = [16.0, 8.0, 0.0, 7e5 + 8, 3e6 - 2, 0.0]
    picture(tmp_path / "a.tif", doubles=PLACE | {TIEPOINT: tie})
    path = collection(tmp_path / "a.geojson", feature(on_ground(SQUARE)))
    np.testing.assert_array_equal(mask(path), square())


def test_a_turned_picture(tmp_path):
    rows = [0.3, -0.4, 0.0, 5e5, -0.4, -0.3, 0.0, 4e6, *[0.0] * 7, 1.0]
    picture(tmp_path / "a.tif", doubles={TRANSFORMATION: rows})
    ring = on_ground(SQUARE, ((0.3, -0.4, 5e5), (-0.4, -0.3, 4e6)))
    np.testing.assert_array_equal(mask(collection(tmp_path / "a.geojson", feature(ring))), square())


@pytest.mark.parametrize(("kind", "shift"), [(1, 0.0), (2, 0.5)])
def test_a_grid_of_pixel_centres(tmp_path, kind, shift):
    picture(tmp_path / "a.tif", doubles=PLACE, shorts={34735: [1, 1, 0, 1, 1025, 0, 1, kind]})
    moved = [[x + 0.6 - shift, y + 0.6 - shift] for x, y in SQUARE]  # beyond the centres of pixels
    path = collection(tmp_path / "a.geojson", feature(on_ground(moved)))
    np.testing.assert_array_equal(mask(path), np.roll(square(), (1, 1), (0, 1)))


def test_degrees_are_not_pixels(tmp_path):
    picture(tmp_path / "a.tif", doubles=PLACE)
    paris = (np.array(SQUARE) * 1e-5 + (2.35, 38.85)).tolist()  # within 80 x 40 pixels
    path = collection(tmp_path / "a.geojson", feature(paris))
    with pytest.raises(DataError, match=r"lie around 2\.3504, 38\.8502, neither among"):
        open_dataset(path)
    small = [[2, 1], [2.5, 1], [2.5, 1.5], [2, 1.5], [2, 1]]
    path = collection(tmp_path / "a.geojson", feature(small), feature())
    assert open_dataset(path, on_error="skip").instances(0).masks.areas[-1] == 800


def test_overlapping_polygons_of_one_feature(tmp_path):
    picture(tmp_path / "a.png")
    right = [[x + 20, y] for x, y in SQUARE]
    path = collection(tmp_path / "a.geojson", feature([SQUARE, HOLE], [right], kind="MultiPolygon"))
    expected = square(hole=True)
    expected[10:30, 40:80] = True
    np.testing.assert_array_equal(mask(path), expected)


@pytest.mark.parametrize("doubles", [None, PLACE])
def test_another_reference_system(tmp_path, doubles):
    picture(tmp_path / "a.tif", doubles=doubles)
    path = collection(
        tmp_path / "a.geojson", feature([[-84.4, 33.7], [-84.3, 33.7], [-84.3, 33.8]])
    )
    with pytest.raises(DataError, match=r"lie around -84\.3333, 33\.7333, neither among the 80 x"):
        open_dataset(path)


def test_holes_and_several_polygons(tmp_path):
    picture(tmp_path / "a.tif", doubles=PLACE)
    other = [[0, 0], [5, 0], [5, 5], [0, 5], [0, 0]]
    polygons = [[on_ground(SQUARE), on_ground(HOLE)], [on_ground(other)]]
    path = collection(
        tmp_path / "a.geojson",
        feature(on_ground(SQUARE), on_ground(HOLE)),
        feature(*polygons, kind="MultiPolygon"),
    )
    masks = open_dataset(path).instances(0).masks
    expected = square(hole=True)
    np.testing.assert_array_equal(masks.bitmap(0), expected)
    expected[:5, :5] = True
    np.testing.assert_array_equal(masks.bitmap(1), expected)


def test_heights_and_open_rings(tmp_path):
    picture(tmp_path / "a.png")
    high = [[x, y, 311.5] for x, y in SQUARE[:-1]]
    np.testing.assert_array_equal(mask(collection(tmp_path / "a.geojson", feature(high))), square())


# -- pictures ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("file", "name"),
    [
        ("a.geojson", "a.tif"),
        ("a.geojson", "images/a.tif"),
        ("labels/a.geojson", "pictures/a.tif"),
        ("geojson/buildings/buildings_AOI_2_Vegas_img1.geojson", "RGB/RGB_AOI_2_Vegas_img1.tif"),
        ("vectordata/geojson/Geo_AOI_1_RIO_img7.geojson", "3band/3band_AOI_1_RIO_img7.tif"),
        (
            "geojson/SN6_Train_AOI_11_Rotterdam_Buildings_2019_tile_7.geojson",
            "PS-RGB/SN6_Train_AOI_11_Rotterdam_PS-RGB_2019_tile_7.tif",
        ),
        (
            "labels/global_monthly_2018_01_mosaic_L15-0331E_13_Buildings.geojson",
            "images/global_monthly_2018_01_mosaic_L15-0331E_13.tif",
        ),
        ("geotiff_labels.geojson", "sample_geotiff.tif"),
    ],
)
def test_which_picture(tmp_path, file, name):
    picture(tmp_path / name)
    for other in ("7b", "x"):  # which the names do not fit
        if "_" in name and "/" in name:
            picture((tmp_path / name).with_stem(f"other_{other}"))
    collection(tmp_path / file, feature())
    expected = name if file.count("/") == 0 else name.rpartition("/")[2]
    assert list(described(open_dataset(tmp_path / file))) == [expected]
    assert list(described(open_dataset(tmp_path))) == [name]


def test_several_pictures_of_a_place(tmp_path):
    for product in ("RGB", "PAN"):
        picture(tmp_path / product / f"{product}_AOI_2_img1.tif")
    path = collection(tmp_path / "geojson" / "buildings_AOI_2_img1.geojson", feature())
    with pytest.raises(DataError, match=r"may be about PAN/PAN_AOI_2_img1\.tif or RGB/RGB_AOI_2"):
        open_dataset(path)
    dataset = open_dataset(path, images=tmp_path / "RGB")
    assert list(described(dataset)) == ["RGB_AOI_2_img1.tif"]


def test_a_picture_that_the_features_name(tmp_path):
    picture(tmp_path / "a.tif")
    picture(tmp_path / "b.tif")
    path = collection(tmp_path / "a.geojson", feature(image_fname="b.tif"))
    assert list(described(open_dataset(path))) == ["b.tif"]
    collection(path, feature(image_fname="b.tif"), feature(image_fname="a.tif"))
    with pytest.raises(DataError, match="expected features of one picture, got 2"):
        open_dataset(path)
    collection(path, feature(image_fname="c.tif"))
    with pytest.raises(DataError, match=r"expected its picture, c\.tif, beside it"):
        open_dataset(path)


def test_a_folder_and_its_splits(tmp_path):
    for split in ("train", "val"):
        for name in ("a", "b", "c"):
            picture(tmp_path / split / f"{name}.tif")
            collection(tmp_path / split / f"{name}.geojson", *[feature()] * (name != "c"))
    (tmp_path / "train" / "b.geojson").write_text("{")
    splits = open_splits(tmp_path, on_error="skip")
    assert described(splits["train"]) == {"a.tif": ["object"], "c.tif": []}
    assert described(splits["val"]) == {"a.tif": ["object"], "b.tif": ["object"], "c.tif": []}
    (broken,) = splits["train"].problems
    assert broken.where == "file 'b.geojson'"


# -- classes -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("features", "names"),
    [
        ([feature(), feature(name="x")], ["object", "object"]),
        ([feature(building="yes"), feature()], ["building", "building"]),
        ([feature(Class="ship"), feature(Class=3)], ["ship", "3"]),
        ([feature(category="ship", building="")], ["ship"]),
    ],
)
def test_classes(tmp_path, features, names):
    picture(tmp_path / "a.tif")
    path = collection(tmp_path / "a.geojson", *features)
    assert described(open_dataset(path)) == {"a.tif": names}


def test_a_file_of_buildings(tmp_path):
    picture(tmp_path / "a_1.tif")
    path = collection(tmp_path / "buildings_1.geojson", feature())
    assert described(open_dataset(path)) == {"a_1.tif": ["building"]}


def test_a_feature_without_the_class_that_others_have(tmp_path):
    picture(tmp_path / "a.tif")
    path = collection(tmp_path / "a.geojson", feature(label="ship"), feature(label=""))
    assert problem(path).why == "it has no class"


# -- real data ---------------------------------------------------------------------------------


def test_spacenets_sample_gives_the_masks_of_its_coco_file(shared_data):
    folder = shared_data / "raw" / "spacenet_geojson"
    ours = open_dataset(folder / "geotiff_labels.geojson")
    theirs = open_dataset(folder / "coco_sample_2.json")
    assert ours.records[0].path == theirs.records[0].path
    assert theirs.classes.names == ("1.0", "0.0")
    assert described(ours) == {"sample_geotiff.tif": ["building"] * 43}
    content = json.loads((folder / "coco_sample_2.json").read_text())
    outlines = [[a["segmentation"]] for a in content["annotations"]]
    expected = [
        coco_mask.merge(coco_mask.frPyObjects(outline, 900, 900))["counts"].decode()
        for outline in outlines
    ]
    for dataset in (ours, theirs):
        found = [m["counts"] for m in dataset.instances(0).masks.to_coco()]
        assert sorted(found) == sorted(expected)


def test_spacenets_pixels_are_its_ground(shared_data):
    folder = shared_data / "raw" / "spacenet_geojson"
    ground = open_dataset(folder / "geotiff_labels.geojson").instances(0).masks
    pixels = open_dataset(folder / "gj_to_px_result.geojson").instances(0).masks
    assert ground.iou(pixels).max(axis=1).min() > 0.93  # rounded to whole pixels


# -- faults ------------------------------------------------------------------------------------

GEOMETRIES = {
    "none": (None, "expected its 'geometry', got nothing"),
    "point": ({"type": "Point", "coordinates": [1, 2]}, "it is a Point, which has no area"),
    "line": ({"type": "LineString", "coordinates": []}, "it is a LineString, which has no area"),
    "collection": ({"type": "GeometryCollection"}, "expected a Polygon or MultiPolygon, got the"),
    "empty": ({"type": "Polygon", "coordinates": []}, "it has no outline"),
    "number": ({"type": "Polygon", "coordinates": 7}, "lists of rings as its coordinates"),
    "flat": ({"type": "Polygon", "coordinates": [1, 2]}, "a list of points as its outline, got"),
    "texts": ({"type": "Polygon", "coordinates": [[["1", "2"]] * 3]}, "a list of points"),
    "two": ({"type": "Polygon", "coordinates": [[[1, 2], [3, 4], [1, 2]]]}, "fewer than 3 points"),
    "huge": ({"type": "Polygon", "coordinates": [[[1, 2], [3, 1e300], [5, 6]]]}, "not finite"),
    "nan": ({"type": "Polygon", "coordinates": [[[1, 2], [3, float("nan")], [5, 6]]]}, "not fin"),
    "far": ({"type": "Polygon", "coordinates": [[[1, 200], [3, 400], [5, 300]]]}, "no pixel in"),
}


@pytest.mark.parametrize("case", GEOMETRIES)
def test_a_broken_feature_is_left_out_alone(tmp_path, case):
    geometry, why = GEOMETRIES[case]
    picture(tmp_path / "a.tif")
    broken = {"type": "Feature", "properties": {}, "geometry": geometry}
    path = collection(tmp_path / "a.geojson", feature(), broken, feature())
    found = problem(path)
    assert why in found.why
    assert found.where == "image 'a.tif', feature 2"
    assert described(open_dataset(path, on_error="skip")) == {"a.tif": ["object", "object"]}


def test_files_that_are_none(tmp_path):
    (tmp_path / "a.geojson").write_text('{"type": "FeatureCollection", "features": 7}')
    with pytest.raises(DataError, match="an object with the list features"):
        open_dataset(tmp_path / "a.geojson")
    collection(tmp_path / "a.geojson", feature())
    with pytest.raises(DataError, match=r"its picture, such as a\.tif, beside it or in a folder"):
        open_dataset(tmp_path / "a.geojson")
    (tmp_path / "a.tif").write_bytes(b"II*\0")
    with pytest.raises(DataError, match=r"a\.tif"):
        open_dataset(tmp_path / "a.geojson")


def test_spoilt_files(tmp_path):
    picture(tmp_path / "a.tif", doubles=PLACE)
    features = [feature(on_ground(SQUARE), on_ground(HOLE), label="a"), feature(label="b")]
    features.append(feature([on_ground(SQUARE)], kind="MultiPolygon", image_fname="a.tif"))
    path = collection(tmp_path / "a.geojson", *features)
    content = json.loads(path.read_text())
    for rng in generators(300):
        path.write_text(json.dumps(mutated(content, rng)))
        survives(lambda: open_dataset(path, format="geojson", on_error="skip"))


def test_spoilt_tags(tmp_path):
    picture(tmp_path / "a.tif", doubles=PLACE)
    path = collection(tmp_path / "a.geojson", feature(on_ground(SQUARE)))
    data = (tmp_path / "a.tif").read_bytes()
    start = data.index(b"\x00\x01\x03\x00")  # the first entry of the directory
    for rng in generators(200):
        spoilt = bytearray(data)
        for at in rng.integers(start, len(data), 3):
            spoilt[at] = rng.integers(256)
        (tmp_path / "a.tif").write_bytes(spoilt)
        survives(lambda: open_dataset(path, format="geojson", on_error="skip"))
