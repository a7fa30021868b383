"""Copies are found whatever was done to them, similar pictures are not, and labels are compared."""

import io

import cv2
import numpy as np
import pytest
from photographs import SIZE, circle, photograph, with_disc, write_set
from PIL import Image

from delineate.data.derived import Subset
from delineate.data.formats import open_dataset, open_splits
from delineate.data.split import split
from delineate.quality.copies import onto
from delineate.quality.duplicates import clusters, near_duplicates
from delineate.quality.likeness import POSES, alike, posed
from delineate.quality.signatures import SIDE, Signatures, signatures

HEIGHT, WIDTH = SIZE
DISC = circle(60, 60, 20)


def encoded(image, format_name="JPEG", **options):
    file = io.BytesIO()
    Image.fromarray(np.ascontiguousarray(image)).save(file, format_name, **options)
    return file.getvalue()


def turned(image, degrees):
    matrix = cv2.getRotationMatrix2D((WIDTH / 2, HEIGHT / 2), degrees, 1.03)
    return cv2.warpAffine(image, matrix, (WIDTH, HEIGHT), borderMode=cv2.BORDER_REFLECT)


CHANGES = {
    "compressed badly": lambda a: np.array(Image.open(io.BytesIO(encoded(a, quality=25)))),
    "half the size": lambda a: cv2.resize(a, (WIDTH // 2, HEIGHT // 2)),
    "darker": lambda a: (a * 0.55).astype(np.uint8),
    "brighter": lambda a: np.clip(a * 1.2 + 20, 0, 255).astype(np.uint8),
    "another gamma": lambda a: (255 * (a / 255.0) ** 0.7).astype(np.uint8),
    "grey": lambda a: np.repeat(cv2.cvtColor(a, cv2.COLOR_RGB2GRAY)[..., None], 3, 2),
    "mirrored": lambda a: a[:, ::-1],
    "upside down": lambda a: a[::-1],
    "a quarter turn": lambda a: np.rot90(a),
    "three quarters": lambda a: np.rot90(a, 3),
    "transposed": lambda a: a.transpose(1, 0, 2),
    "cut": lambda a: a[8:-4, 6:-12],
    "mirrored and cut": lambda a: a[6:-2, 4:-8][:, ::-1],
    "turned by a degree": lambda a: turned(a, 1.0),
    "noisy": lambda a: np.clip(a + np.random.default_rng(0).normal(0, 10, a.shape), 0, 255).astype(
        np.uint8
    ),
}


def pairs_of(folder, pictures):
    write_set(folder, "train", pictures, [[] for _ in pictures])
    pairs = alike(signatures(open_dataset(folder / "train.json")))
    return pairs, set(zip(pairs.first.tolist(), pairs.second.tolist(), strict=True))


@pytest.mark.parametrize("change", CHANGES)
def test_a_changed_copy_is_found(tmp_path, change):
    pictures = [photograph(seed) for seed in range(6)]
    pictures += [np.ascontiguousarray(CHANGES[change](pictures[k])) for k in (1, 4)]
    _, found = pairs_of(tmp_path, pictures)
    assert found == {(1, 6), (4, 7)}


def test_similar_pictures_are_not_copies(tmp_path):
    """One ground with other things on it, neighbouring fields of one slide, pages of one book."""
    ground = photograph(0)
    rng = np.random.default_rng(1)
    grounds = []
    for _ in range(4):
        picture = ground
        for _ in range(3):
            x, y = rng.integers(30, WIDTH - 30), rng.integers(30, HEIGHT - 30)
            picture = with_disc(picture, int(x), int(y), 22)
        grounds.append(picture)
    slide = photograph(2, (HEIGHT, 3 * WIDTH))
    fields = [slide[:, start : start + WIDTH] for start in range(0, 2 * WIDTH, WIDTH // 3)]
    pages = []
    for _ in range(6):
        page = np.full((*SIZE, 3), 240, np.uint8)
        for y in range(24, HEIGHT - 24, 10):
            ink = rng.random(WIDTH - 60) < np.repeat(rng.random(26) < 0.8, 10) * 0.6
            page[y : y + 5, 30 : WIDTH - 30][:, ink] = 40
        pages.append(page)
    _, found = pairs_of(tmp_path, [*grounds, *fields, *pages])
    assert found == set()


def test_a_picture_that_shines_through_another_is_not_a_copy(tmp_path):
    """All cells agree for the most part, and none enough."""
    first, second = photograph(5).astype(float), photograph(6).astype(float)
    mixed = np.clip(first * 0.8 + (second - 128) * 0.4 + 20, 0, 255).astype(np.uint8)
    faint = np.clip(first * 0.9 + (second - 128) * 0.1 + 10, 0, 255).astype(np.uint8)
    _, found = pairs_of(tmp_path, [photograph(5), mixed])
    assert found == set()
    _, found = pairs_of(tmp_path, [photograph(5), faint])
    assert found == {(0, 1)}


def test_flat_and_broken_pictures_resemble_nothing(tmp_path):
    flat = [np.full((*SIZE, 3), grey, np.uint8) for grey in (0, 1, 255)]
    whole = encoded(photograph(0), "PNG")
    broken = whole[: len(whole) // 2]
    write_set(tmp_path, "train", [*flat, photograph(0)], [[]] * 4)
    dataset = open_dataset(tmp_path / "train.json")
    for name in ("train_000.png", "train_003.png"):
        (tmp_path / "images" / name).write_bytes(broken)
    known = signatures(dataset)
    assert known.digests[0] == known.digests[3] == b""
    assert len(alike(known)) == 0


def test_poses_of_pictures_and_of_labels_are_the_same():
    """What the pixels do in a pose, the geometry for the labels does, too."""
    image = photograph(3, (SIDE, SIDE))
    for pose in range(POSES):
        pixels = posed(image.transpose(2, 0, 1), pose).transpose(1, 2, 0)
        assert np.array_equal(onto((SIDE, SIDE), (SIDE, SIDE), pose).image(image), pixels)


def test_many_copies_of_one_picture_are_one_cluster(tmp_path):
    """More than the partners of a picture that are looked at; and a set without any."""
    rng = np.random.default_rng(0)
    base = photograph(1, (SIDE, SIDE))[..., 0]
    copies = [np.clip(base + rng.normal(0, 2, base.shape), 0, 255) for _ in range(200)]
    thumbnails = np.array(copies, np.uint8)
    names = tuple(str(i).encode() for i in range(200))
    pairs = alike(Signatures(names, thumbnails, np.zeros((200, 1), np.float32)))
    assert 199 <= len(pairs) <= 200 * 16
    group = list(range(200))
    for i, j in zip(pairs.first.tolist(), pairs.second.tolist(), strict=True):
        group = [group[i] if g == group[j] else g for g in group]
    assert len(set(group)) == 1
    none = Signatures((), thumbnails[:0], np.zeros((0, 1), np.float32))
    assert len(alike(none)) == 0


def test_clusters_keep_copies_together_in_a_split(tmp_path):
    pictures = [photograph(seed) for seed in range(8)]
    pictures += [pictures[2][:, ::-1].copy(), pictures[2][::-1].copy(), pictures[5]]
    write_set(tmp_path, "train", pictures, [[circle(100, 100, 30)]] * len(pictures))
    dataset = open_dataset(tmp_path / "train.json")
    numbers = clusters(dataset)
    assert numbers.tolist() == [0, 1, 2, 3, 4, 5, 6, 7, 2, 2, 5]
    assert np.array_equal(clusters([dataset, dataset])[:11], numbers)
    parts = split(dataset, {"train": 0.5, "val": 0.5}, groups=numbers.tolist())
    of = {r.image_id: name for name, part in parts.items() for r in part.records}
    assert of[3] == of[9] == of[10]
    assert of[6] == of[11]


@pytest.fixture
def leaky(tmp_path):
    """Of four images of val one is in train, mirrored, and one whole file; one is twice in val."""
    train = [photograph(seed) for seed in range(5)]
    val = [train[1][:, ::-1].copy(), encoded(train[3], "PNG"), photograph(9), photograph(9)]
    val[3] = (val[3] * 0.8).astype(np.uint8)
    (tmp_path / "images").mkdir()
    write_set(tmp_path, "train", train, [[circle(60, 60, 20)]] * 5)
    (tmp_path / "images" / "train_003.png").write_bytes(encoded(train[3], "PNG"))
    outlines = [
        [circle(WIDTH - 60, 60, 20)],
        [circle(60, 60, 20), circle(200, 100, 30)],
        [circle(80, 80, 20)],
        [circle(80, 80, 20)],
    ]
    write_set(tmp_path, "val", val, outlines)
    return open_splits(tmp_path)


def test_leaks_are_found_and_how_many_they_are(leaky):
    found = list(near_duplicates(leaky))
    kinds = [(f.kind, f.severity, f.place.split, f.place.image_id) for f in found]
    assert ("leaked_image", "error", "val", 1) in kinds
    assert ("leaked_image", "error", "val", 2) in kinds
    assert ("near_duplicate", "warning", "val", 3) in kinds
    assert sum(f.kind in ("leaked_image", "near_duplicate") for f in found) == 3
    mirrored, same = (f for f in found if f.kind == "leaked_image")
    assert "the same picture as 'train_001.png' in train (mirrored)" in mirrored.why
    assert "the same file as 'train_003.png' in train" in same.why
    (whole,) = (f for f in found if f.kind == "leakage")
    assert "2 of its 4 images, with 3 of its 5 objects, have a copy in train" in whole.why
    assert "0.50" not in whole.why  # what that does to a score is not known


def test_labels_of_copies_are_compared_where_they_are(leaky):
    """The mirrored copy has mirrored labels and nothing to say; the same file has one more."""
    (finding,) = (f for f in near_duplicates(leaky) if f.kind == "labels_disagree")
    assert finding.severity == "error"
    (other,) = finding.others
    assert (finding.place.image_id, finding.place.objects) == (4, ())
    assert (other.split, other.image_id, other.objects) == ("val", 2, (1,))


@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
def test_an_object_that_is_in_one_of_two_frames_only_is_no_disagreement(tmp_path, order):
    """A disc of a thousandth of the picture comes into sight, and is labelled there."""
    ground = photograph(4)
    there = with_disc(ground, 250, 60, 5)
    frames = [(ground, []), (there, [circle(250, 60, 5)])]
    write_set(tmp_path, "train", *zip(*(frames[i] for i in order), strict=True))
    found = [f.kind for f in near_duplicates(open_splits(tmp_path))]
    assert found == ["near_duplicate"]
    write_set(
        tmp_path, "train", [there, (there * 0.9).astype(np.uint8)], [[], [circle(250, 60, 5)]]
    )
    found = [f.kind for f in near_duplicates(open_splits(tmp_path))]
    assert found == ["near_duplicate", "labels_disagree"]


def test_a_file_that_is_listed_twice_is_left_to_other_checks(tmp_path):
    write_set(tmp_path, "train", [photograph(0), photograph(1)], [[], []])
    train = open_dataset(tmp_path / "train.json")
    assert list(near_duplicates({"train": train, "val": train})) == []


def test_two_slices_of_one_embryo_are_near_duplicates(shared_data):
    train = open_dataset(shared_data / "nuclei_dsb2018" / "train.json")
    names = [record.name[:7] for record in train.records]
    chosen = [names.index(name) for name in ("20b20ab", "cb4df20")]
    some = Subset(train, [*range(20), *chosen])
    (finding,) = near_duplicates({"train": some})
    assert finding.kind == "near_duplicate"
    assert finding.place.name.startswith("20b20ab")


def test_masks_without_pixels_are_no_disagreement(tmp_path):
    (tmp_path / "images").mkdir()
    nothing = [10.1, 10.1, 10.3, 10.1, 10.2, 10.3]
    write_set(tmp_path, "train", [encoded(photograph(1), "PNG")] * 2, [[nothing, DISC]] * 2)
    assert [f.kind for f in near_duplicates(open_splits(tmp_path))] == ["exact_copy"]
    objects = [[nothing, DISC], [nothing, DISC, circle(200, 100, 20)]]
    write_set(tmp_path, "train", [encoded(photograph(1), "PNG")] * 2, objects)
    *_, finding = near_duplicates(open_splits(tmp_path))
    assert finding.kind == "labels_disagree"
    assert finding.others[0].objects == (2,)  # among all objects


def test_pictures_are_only_read_again_where_labels_differ(tmp_path, monkeypatch):
    """Eight frames of a camera at rest, of which the last has one object less."""
    frames = [(photograph(2) * (1 - k / 100)).astype(np.uint8) for k in range(8)]
    objects = [[DISC, circle(200, 120, 30)]] * 7 + [[DISC]]
    write_set(tmp_path, "train", frames, objects)
    train, read = open_dataset(tmp_path / "train.json"), []
    get = type(train).__getitem__

    def counted(dataset, index):
        read.append(index)
        return get(dataset, index)

    monkeypatch.setattr(type(train), "__getitem__", counted)
    (finding,) = (f for f in near_duplicates({"train": train}) if f.kind == "labels_disagree")
    assert (finding.place.image_id, finding.others[0].image_id) == (1, 8)
    assert read == [0, 7]


def test_a_split_without_pictures(tmp_path):
    write_set(tmp_path, "train", [photograph(0)], [[]])
    train = open_dataset(tmp_path / "train.json")
    none = signatures(Subset(train, []))
    assert len(none) == 0
    assert len(Signatures.cat([none, signatures(train)])) == 1
