"""What is written of made pictures, and that others can read it."""

import json
from collections.abc import Sequence

import numpy as np
import pytest
from pycocotools import mask as oracle
from pycocotools.coco import COCO

from delineate.core.image import write_image
from delineate.data.drawn.scenes import DrawnScenes
from delineate.data.formats import open_dataset
from delineate.data.pasted.cut_paste import CutPaste
from delineate.data.synth import write_synth
from delineate.data.synthetic import SyntheticScenes
from delineate.errors import OutputError

pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")

INFO = {"command": "delineate data synth OUT --seed 3", "seed": 3, "version": "0"}


def drawn(count=6, **options):
    return DrawnScenes(count, **{"size": (96, 128), "seed": 3, "objects": (8, 14), **options})


def pasted(count=6):
    return CutPaste(SyntheticScenes(5, size=(96, 128), objects=(4, 8)), count, seed=3)


@pytest.mark.parametrize("make", [drawn, pasted])
def test_all_that_is_known_is_written_and_reopens_with_equal_masks(tmp_path, make):
    made = make()
    count = write_synth(tmp_path / "train.json", made, info=INFO)
    content = json.loads((tmp_path / "train.json").read_text())
    assert content["info"] == INFO
    assert count == len(content["annotations"]) == sum(len(made.instances(i)) for i in range(6))
    assert max(a["occlusion"] for a in content["annotations"]) > 0
    again = open_dataset(tmp_path)
    for i in range(len(made)):
        sample, extras = made[i], made.extras(i)
        np.testing.assert_array_equal(again[i].image, sample.image)
        theirs = again.instances(i)
        np.testing.assert_array_equal(theirs.masks.to_dense(), sample.instances.masks.to_dense())
        np.testing.assert_array_equal(theirs.labels, sample.instances.labels)
        rows = [a for a in content["annotations"] if a["image_id"] == sample.image_id]
        for k, row in enumerate(rows):
            whole, seen = (oracle.decode(row[key]) > 0 for key in ("amodal", "segmentation"))
            np.testing.assert_array_equal(whole, extras.amodal.bitmap(k))
            assert not (seen & ~whole).any()
            assert row["occlusion"] == pytest.approx(1 - seen.sum() / whole.sum(), abs=1e-4)
            assert row["depth"] == len(rows) - 1 - k
            assert row["provenance"] == extras.provenance[k]


def test_of_two_wholes_that_overlap_the_nearer_is_seen(tmp_path):
    """By the file alone: depth, whole masks and visible masks agree."""
    write_synth(tmp_path / "train.json", pasted(12), info=INFO)
    content = json.loads((tmp_path / "train.json").read_text())
    overlaps = 0
    for image in content["images"]:
        rows = [a for a in content["annotations"] if a["image_id"] == image["id"]]
        for a in rows:
            seen = oracle.decode(a["segmentation"]) > 0
            for b in rows:
                if b["depth"] < a["depth"]:  # b lies nearer
                    whole = oracle.decode(b["amodal"]) > 0
                    assert not (seen & whole).any()
                    overlaps += (whole & (oracle.decode(a["amodal"]) > 0)).any()
    assert overlaps > 3


def test_others_read_the_file(tmp_path):
    write_synth(tmp_path / "train.json", drawn(), info=INFO)
    coco = COCO(str(tmp_path / "train.json"))
    assert len(coco.getImgIds()) == 6
    annotation = coco.loadAnns(coco.getAnnIds())[0]
    assert coco.annToMask(annotation).sum() == annotation["area"]


def test_the_same_seed_gives_the_same_bytes(tmp_path):
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        write_synth(tmp_path / name / "train.json", pasted(3), info=INFO)
    for file in (tmp_path / "a").rglob("*.*"):
        assert file.read_bytes() == (tmp_path / "b" / file.relative_to(tmp_path / "a")).read_bytes()


def test_progress_is_told(tmp_path):
    seen = []

    def count(total):
        for i in range(total):
            seen.append((i, total))
            yield i

    write_synth(tmp_path / "train.json", drawn(3), info=INFO, count=count)
    assert seen == [(0, 3), (1, 3), (2, 3)]


def test_a_failure_leaves_nothing(tmp_path):
    (tmp_path / "images").mkdir()
    write_image(tmp_path / "images" / "synth_3_000002.png", np.zeros((4, 4, 3), np.uint8))
    with pytest.raises(OutputError, match="another picture"):
        write_synth(tmp_path / "train.json", drawn(4), info=INFO)
    assert [p.name for p in tmp_path.rglob("*")] == ["images", "synth_3_000002.png"]


def test_records_are_a_sequence():
    records = drawn(5, first=10).records
    assert isinstance(records, Sequence)
    assert len(records) == 5
    assert records[0].image_id == 11
    assert records[-1] == records[4]
    assert [r.name for r in records[1:3]] == ["synth_3_000011.png", "synth_3_000012.png"]
    with pytest.raises(IndexError):
        records[5]
