"""Planted label errors come first, scores are chances, and hotcoco agrees where it has a say."""

import hotcoco
import numpy as np
import pytest
from planted_labels import Planting, objects, square

from delineate.core.boxes import iou
from delineate.core.classes import ClassMap
from delineate.data.formats import open_splits
from delineate.data.sample import ImageRecord
from delineate.quality.calibration import Chances, isotonic
from delineate.quality.label_errors import AGREES, LEAST, STRANGE, SURE, judged, label_errors
from delineate.quality.opinions import opinion

CLASSES = ClassMap.from_names(["cat", "dog", "owl"])
SIZE = (100, 100)


# -- one image ---------------------------------------------------------------------------------


def test_what_predictions_say_of_the_labels_of_an_image():
    truth = objects(
        [square(0, 0, 20), square(40, 0, 20), square(0, 40, 20), square(40, 40, 60)],
        [0, 1, 2, 0],
        crowd=np.array([False, False, False, True]),
    )
    predicted = objects(
        [
            square(1, 0, 20),  # the cat
            square(2, 0, 20),  # and again
            square(41, 0, 20),  # the dog, called owl
            square(6, 46, 20),  # the owl, poorly
            square(80, 0, 10),  # nothing there
            square(50, 50, 10),  # in the crowd
        ],
        [0, 0, 2, 2, 1, 1],
        [0.9, 0.8, 0.7, 0.6, 0.5, 0.4],
    )
    said, labelled = opinion(truth, predicted)
    assert said.right.tolist() == [True, False, False, False, False, False]
    assert said.misnamed.tolist() == [False, False, True, False, False, False]
    assert said.alone.tolist() == [False, False, False, False, True, False]
    assert labelled.positions.tolist() == [0, 1, 2]
    assert labelled.noticed.tolist() == [True, True, True]
    assert np.allclose(labelled.own, [0.9, 0, 0])
    assert np.allclose(labelled.other, [0, 0.7, 0])
    assert labelled.other_label[1] == 2
    assert np.allclose(labelled.drawn, [0.9, 0, 0.6])
    assert np.allclose(labelled.overlap[[0, 2]], [19 / 21, 14 * 14 / (800 - 14 * 14)])


@pytest.mark.parametrize("masks", [True, False])
def test_images_without_labels_or_without_predictions(masks):
    some = objects([square(5, 5, 20)], [1])
    found = objects([square(5, 5, 20)], [1], [0.5])
    if not masks:
        some, found = some.replace(masks=None), found.replace(masks=None)
    said, labelled = opinion(some[:0], found)
    assert said.alone.tolist() == [True]
    assert len(labelled.labels) == 0
    said, labelled = opinion(some, found[:0])
    assert len(said.scores) == 0
    assert labelled.noticed.tolist() == [False]
    assert labelled.own.tolist() == labelled.overlap.tolist() == [0]
    assert opinion(some, found)[0].right.tolist() == [True]


def test_a_part_and_a_group_are_not_nothing():
    """A prediction inside a label of its class, and one around several, miss no label."""
    truth = objects([square(0, 0, 60), square(70, 70, 8), square(80, 70, 8)], [0, 1, 1])
    predicted = objects([square(10, 10, 12), square(66, 64, 30)], [0, 1], [0.9, 0.9])
    assert not opinion(truth, predicted)[0].alone.any()
    inside_another = objects([square(10, 10, 12)], [2], [0.9])
    assert opinion(truth, inside_another)[0].alone.all()


def test_what_is_right_about_one_object_misnames_no_other():
    """A drawing that fills most of its page: both are found, each overlaps the other."""
    truth = objects([square(0, 0, 50), square(2, 2, 40)], [0, 1])
    predicted = objects([square(0, 1, 50), square(3, 2, 40)], [0, 1], [0.9, 0.8])
    said, labelled = opinion(truth, predicted)
    assert said.right.all()
    assert not said.misnamed.any()
    assert labelled.other.tolist() == [0, 0]


def test_hotcoco_sees_the_same_where_it_has_a_say():
    """Its two kinds, on boxes without crowds: wrong_label and missing_annotation."""
    rng = np.random.default_rng(0)
    wrong = missing = 0
    for _ in range(60):
        places = [(x, y) for x in range(0, 100, 25) for y in range(0, 100, 25)]
        chosen = [places[i] for i in rng.permutation(16)[:8]]
        labels = rng.integers(0, 3, 8)
        truth = objects([square(x, y, 16) for x, y in chosen[:6]], labels[:6])
        shown = [*range(5), 6, 7]  # one is not found, two are not annotated
        said_labels = np.where(rng.random(8) < 0.3, (labels + 1) % 3, labels)
        found = objects(
            [square(chosen[i][0] + 1, chosen[i][1], 16) for i in shown],
            said_labels[shown],
            0.6 + 0.3 * rng.random(7),
        )
        said, labelled = opinion(truth, found)
        errors = by_hotcoco(truth, found)
        assert {e["dt_id"] for e in errors if e["type"] == "missing_annotation"} == set(
            (np.flatnonzero(said.alone) + 1).tolist()
        )
        ours = {int(i) + 1 for i in np.flatnonzero((labelled.own == 0) & (labelled.other > 0))}
        assert {e["gt_id"] for e in errors if e["type"] == "wrong_label"} == ours
        wrong, missing = wrong + len(ours), missing + int(said.alone.sum())
    assert wrong > 50
    assert missing == 120


def by_hotcoco(truth, found):
    records = {"images": [{"id": 1, "height": 100, "width": 100}], "annotations": []}
    records["categories"] = [{"id": k, "name": str(k)} for k in range(3)]
    results = []
    for target, instances in ((records["annotations"], truth), (results, found)):
        for i, (x0, y0, x1, y1) in enumerate(instances.boxes.tolist()):
            record = {"image_id": 1, "category_id": int(instances.labels[i])}
            record["bbox"] = [x0, y0, x1 - x0, y1 - y0]
            if instances is truth:
                record |= {"id": i + 1, "iscrowd": 0, "area": 256.0}
            else:
                record["score"] = float(instances.scores[i])
            target.append(record)
    coco = hotcoco.COCO(records)
    evaluation = hotcoco.COCOeval(coco, coco.load_res(results), "bbox")
    evaluation.evaluate()
    return evaluation.image_diagnostics()["label_errors"]


# -- chances -----------------------------------------------------------------------------------


def test_the_isotonic_curve_is_the_best_that_never_falls():
    """Against the min-max formula, written down: the mean of the worst stretch around a point."""
    rng = np.random.default_rng(1)
    scores = np.sort(rng.random(300))
    happened = rng.random(300) < scores**2
    steps, heights = isotonic(scores, happened)
    assert (np.diff(heights) >= 0).all()
    sums = np.append(0, np.cumsum(happened))
    best = [
        max(min((sums[b] - sums[a]) / (b - a) for b in range(i + 1, 301)) for a in range(i + 1))
        for i in range(0, 300, 7)
    ]
    ours = heights[np.searchsorted(steps, scores[::7], side="right") - 1]
    assert np.abs(ours - best).max() < 0.35  # one more of either outcome moves short stretches
    assert np.abs(ours - best).mean() < 0.05


def test_chances_are_those_of_the_class_and_come_from_other_images():
    rng = np.random.default_rng(2)
    scores, classes = rng.random(20_000), rng.integers(0, 2, 20_000)
    images = rng.integers(0, 400, 20_000)
    happened = rng.random(20_000) < scores * np.where(classes == 0, 0.9, 0.45)
    chances = Chances.of(scores, classes, happened, images, 3)
    told = chances.at(np.array([0.8, 0.8, 0.3]), np.array([0, 1, 0]), np.array([1, 2, 3]))
    assert np.allclose(told, [0.72, 0.36, 0.27], atol=0.05)
    own = Chances.of(np.ones(40), np.zeros(40, int), np.arange(40) < 8, np.arange(40) // 8, 1)
    first, second = own.at(np.ones(2), np.zeros(2, int), np.array([0, 1]))
    assert first < 0.1 < 0.2 < second  # the 8 that happened are those of image 0
    nothing = Chances.of(*(np.zeros(0), np.zeros(0, int), np.zeros(0, bool), np.zeros(0, int)), 1)
    assert nothing.at(np.ones(1), np.zeros(1, int), np.zeros(1, int)).tolist() == [0]


# -- planted errors ----------------------------------------------------------------------------


class Simulation(Planting):
    """A decent model and a labelling with errors, both made from the same sound labels."""

    def __init__(self, seed, share):
        super().__init__(np.random.default_rng(seed), share)
        self.images = []

    def fill(self, count):
        """Take drawn images of 11 squares in cells."""
        rng = np.random.default_rng(5)
        cells = [(x, y) for x in range(0, 240, 60) for y in range(0, 240, 60)]
        for image_id in range(1, count + 1):
            truth = [
                (square(x + 4, y + 4, int(rng.integers(24, 50)), (240, 240)), int(rng.integers(3)))
                for x, y in (cells[i] for i in rng.permutation(16)[:11])
            ]
            self.add(image_id, truth, (240, 240))
        return self

    def add(self, image_id, truth, size, classes=3):
        """Take an image; `truth` is a list of (bitmap, label)."""
        shown = []
        for bitmap, label in truth:
            self._predict(shown, bitmap, label, classes)
        for _ in range(self.rng.poisson(0.6)):  # false alarms, mostly unsure
            place = self.anywhere(size, int(self.rng.integers(8, 40)))
            shown.append((place, self.rng.integers(classes), self.rng.beta(1.5, 6)))
        labelled = self.spoilt(image_id, truth, classes)
        record = ImageRecord(image_id=image_id, name=f"{image_id}.png", path=None, size=size)
        labels = objects([b for b, _ in labelled], [k for _, k in labelled], size=size)
        found = objects(
            [b for b, _, _ in shown],
            [k for _, k, _ in shown],
            [min(max(s, 0), 1) for *_, s in shown],
            size=size,
        )
        self.images.append(judged("val" if image_id % 4 == 0 else "train", record, labels, found))

    def _predict(self, shown, bitmap, label, classes):
        moved = np.roll(bitmap, self.rng.integers(-1, 2, 2), (0, 1))
        luck = self.rng.random()
        if luck < 0.03:  # missed, but for a doubt
            shown.append((moved, label, self.rng.uniform(0.05, 0.3)))
        elif luck < 0.08:  # surely right, and surely something else as well
            shown.append((moved, label, self.rng.beta(9, 1.3)))
            shown.append((bitmap, (label + 1) % classes, self.rng.beta(9, 2)))
        elif luck < 0.1:
            shown.append((moved, (label + 1) % classes, self.rng.beta(2, 5)))
        else:
            shown.append((moved, label, self.rng.beta(9, 1.3)))


@pytest.fixture(scope="module")
def simulated():
    return Simulation(0, 0.05).fill(120)


def test_planted_errors_come_first(simulated):
    findings = list(label_errors(simulated.images, CLASSES))
    assert {f.kind for f in findings} == {kind for kind, *_ in simulated.planted}
    assert len(simulated.planted) > 50
    assert simulated.precision_at_k(findings) >= 0.9
    sure = [f for f in findings if f.severity == "warning"]
    assert np.mean([simulated.is_planted(f) for f in sure]) >= 0.9
    assert all(LEAST <= f.score <= 1 for f in findings)
    missing = [f for f in findings if f.kind == "missing_label"]
    for image_id in {f.place.image_id for f in missing}:
        boxes = [f.place.box for f in missing if f.place.image_id == image_id]
        assert (iou(boxes, boxes) - np.eye(len(boxes)) < 0.5).all()  # said once
    assert all((f.score >= SURE) == (f.severity == "warning") for f in findings)


def test_planted_errors_come_first_in_real_labels(shared_data):
    simulation = Simulation(1, 0.05)
    for dataset in open_splits(shared_data / "mushrooms").values():
        for i in range(0, len(dataset), 3):
            sound = dataset.instances(i)[:70]
            keep = [k for k in range(len(sound)) if sound.masks.areas[k] >= 300]
            overlap = sound.masks[keep].iou(sound.masks[keep]) - np.eye(len(keep))
            lone = [k for k, row in zip(keep, overlap, strict=True) if row.max(initial=0) < 0.1]
            truth = [(sound.masks.bitmap(k), 0) for k in lone]
            simulation.add(len(simulation.images) + 1, truth, sound.image_size, classes=1)
    findings = list(label_errors(simulation.images, ClassMap.from_names(["mushroom"])))
    assert len(simulation.planted) > 15
    assert simulation.precision_at_k(findings) >= 0.85


def test_what_the_model_was_trained_on_is_doubted(simulated):
    told = list(label_errors(simulated.images, CLASSES, trained_on=["train"]))
    for finding in told:
        on_train = finding.place.split == "train"
        assert ("the model was trained on train" in finding.why) == on_train
        assert not (on_train and finding.severity == "warning")
    assert {f.place.split for f in told} == {"train", "val"}


class Guessing(Simulation):
    """A model that knows a share of the objects, and guesses the others in one of several ways."""

    def __init__(self, way, knows):
        super().__init__(0, 0.05)
        self.way, self.knows = way, knows

    def _predict(self, shown, bitmap, label, classes):
        if self.rng.random() < self.knows:
            super()._predict(shown, bitmap, label, classes)
        elif self.way == "noise":
            for _ in range(3):
                place = self.anywhere(bitmap.shape, int(self.rng.integers(10, 60)))
                shown.append((place, self.rng.integers(classes), self.rng.beta(5, 2)))
        elif self.way == "parts":  # a small part of the object
            y, x = (int(v.min()) for v in np.nonzero(bitmap))
            side = int(np.sqrt(bitmap.sum()) * self.rng.uniform(0.4, 0.7))
            shown.append((square(x, y, side, bitmap.shape), label, self.rng.beta(9, 1.3)))
        elif self.way == "one" and not shown:  # all of the picture
            shown.append((np.ones(bitmap.shape, bool), 0, 0.99))
        elif self.way == "other class":
            shown.append((bitmap, (label + 1) % classes, self.rng.beta(9, 1.3)))


@pytest.mark.parametrize("knows", [0, 0.05, 0.1])
@pytest.mark.parametrize("way", ["noise", "parts", "one", "other class", "nothing"])
def test_a_model_that_does_not_know_the_objects_judges_no_label(way, knows):
    (told,) = label_errors(Guessing(way, knows).fill(40).images, CLASSES)
    assert (told.kind, told.severity, told.place.split) == (STRANGE, "warning", "train, val")
    assert "this model does not know these objects" in told.why
    assert "no label is judged" in told.why


@pytest.mark.parametrize("way", ["noise", "parts", "one", "other class", "nothing"])
def test_a_model_that_knows_most_objects_is_asked(way):
    simulation = Guessing(way, 0.6).fill(40)
    found = list(label_errors(simulation.images, CLASSES))
    assert STRANGE not in {finding.kind for finding in found}
    assert sum(map(simulation.is_planted, found)) >= 5


def test_a_model_of_one_class_in_many_is_asked():
    """It is right each time: that the others are not its business is no ignorance."""
    record = ImageRecord(image_id=1, name="a", path=None, size=SIZE)
    places = [square(10 * x, 10 * y, 8) for x in range(10) for y in range(10)]
    truth = objects(places, [0] * 10 + [1] * 90)
    found = truth[:10].replace(scores=np.full(10, 0.9))
    kinds = {f.kind for f in label_errors([judged("train", record, truth, found)], CLASSES)}
    assert STRANGE not in kinds
    none = found.replace(labels=np.full(10, 2))
    (told,) = label_errors([judged("train", record, truth, none)], CLASSES)
    assert "0 agree with one of the 100 labels" in told.why


@pytest.mark.parametrize("right", [13, 15])
def test_the_agreement_is_measured(right):
    """Of 100 labels `right` are seen, and nothing else: F1 is 2 right / (100 + right)."""
    record = ImageRecord(image_id=1, name="a", path=None, size=SIZE)
    places = [square(10 * x, 10 * y, 8) for x in range(10) for y in range(10)]
    truth = objects(places, [0] * 100)
    found = truth[:right].replace(scores=np.full(right, 0.9))
    kinds = {f.kind for f in label_errors([judged("train", record, truth, found)], CLASSES)}
    assert (STRANGE in kinds) == (2 * right / (100 + right) < AGREES)
    assert (STRANGE in kinds) == (right == 13)
    noise = objects(places, [1] * 100, np.linspace(0.06, 0.5, 100))  # less sure: not counted
    both = objects(
        [*places[:right], *places],
        [*[0] * right, *[1] * 100],
        [*[0.9] * right, *noise.scores.tolist()],
    )
    told = list(label_errors([judged("train", record, truth, both)], CLASSES))
    assert (STRANGE in {f.kind for f in told}) == (right == 13)
    if right == 13:
        assert "of its surest 13 predictions 13 agree with one of the 100 labels" in told[0].why


def test_few_labels_or_a_blind_model_say_nothing():
    record = ImageRecord(image_id=1, name="a", path=None, size=SIZE)
    truth = objects([square(10 * k, 10 * (k % 3), 8) for k in range(9)], [0] * 9)
    nothing = objects([], [], [])
    few = [judged("train", record, truth, truth.replace(scores=np.full(9, 0.9)))]
    assert list(label_errors(few, CLASSES)) == []
    (told,) = label_errors([judged("train", record, truth, nothing)] * 9, CLASSES)
    assert told.kind == STRANGE
    most = truth[:7].replace(scores=np.full(7, 0.9))  # what it does not notice may well be there
    assert list(label_errors([judged("train", record, truth, most)] * 9, CLASSES)) == []
    many = judged("train", record, truth, truth.replace(scores=np.full(9, 0.9)))
    one = judged("train", record, truth, truth[:8].replace(scores=np.full(8, 0.9)))
    (told,) = label_errors([many] * 40 + [one], CLASSES)
    assert told.kind == "spurious_label"


def test_a_picture_of_a_kind_that_the_model_never_saw_is_not_full_of_wrong_labels():
    record = ImageRecord(image_id=1, name="a", path=None, size=SIZE)
    truth = objects([square(10 * k, 10 * (k % 3), 8) for k in range(9)], [0] * 9)
    scores = np.full(9, 0.9)
    usual = [judged("train", record, truth, truth.replace(scores=scores))] * 40
    strange = judged("train", record, truth, truth[:3].replace(scores=scores[:3]))
    assert list(label_errors([*usual, strange], CLASSES)) == []
    one_wrong = judged("train", record, truth, truth[:8].replace(scores=scores[:8]))
    (told,) = label_errors([*usual, strange, one_wrong], CLASSES)
    assert told.place.objects == (8,)
