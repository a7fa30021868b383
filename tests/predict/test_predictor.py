"""The predictor: any image, any number of them, in constant memory."""

import io
import itertools
import threading
import weakref

import numpy as np
import pytest
import torch
from fakes import CLASSES, BrightnessModel, grey
from PIL import Image

from delineate.errors import ConfigError, ImageError
from delineate.models.zoo import MODELS, build
from delineate.predict.predictor import Predictor


@pytest.fixture
def model():
    return BrightnessModel()


def scores(instances):
    return [round(score * 255) for score in instances.scores.tolist()]


# -- what goes in ----------------------------------------------------------------------------


def test_every_kind_of_source(model, tmp_path):
    image, encoded = Image.fromarray(grey(100)), io.BytesIO()
    image.save(encoded, "PNG")
    (tmp_path / "a.png").write_bytes(encoded.getvalue())
    predictor = Predictor(model)
    opened = io.BytesIO(encoded.getvalue())
    kinds = (tmp_path / "a.png", str(tmp_path / "a.png"), encoded.getvalue(), opened, image)
    for source in (*kinds, grey(100), grey(100)[..., 0]):
        found = predictor(source)
        assert found.image_size == (20, 30)
        assert scores(found) == [100, 50]
        assert found.labels.tolist() == [0, 1]
        assert found.masks.areas.min() > 500  # all but the corners


def test_many_of_several_sizes_in_batches(model):
    images = [grey(10 * i + 20, (10 + i, 30 - i)) for i in range(7)]
    found = Predictor(model, batch_size=3).many(images)
    assert [f.image_size for f in found] == [(10 + i, 30 - i) for i in range(7)]
    assert [scores(f)[0] for f in found] == [10 * i + 20 for i in range(7)]
    assert model.batches == [3, 3, 1]


def test_none_at_all(model):
    assert Predictor(model).many([]) == []
    assert list(Predictor(model).stream(iter(()))) == []
    assert model.batches == []


def test_threshold(model):
    assert scores(Predictor(model, score_threshold=0.3)(grey(100))) == [100]
    assert len(Predictor(model, score_threshold=0.5)(grey(100))) == 0
    assert len(Predictor(model, score_threshold=0.0)(grey(0))) == 2


def test_masks_below_the_threshold_are_not_made(monkeypatch):
    torch.manual_seed(0)
    small = {"backbone": "slim", "queries": 9, "channels": 128, "encoder_layers": 0}
    detr = build("detr_resnet50", classes=3, decoder_layers=1, feedforward=32, **small)
    find, made = Predictor(detr, score_threshold=0.0, device="cpu"), []
    refine = find._model.mask_head.forward

    def counted(features, maps, *rest):
        made.append(len(maps))
        return refine(features, maps, *rest)

    monkeypatch.setattr(find._model.mask_head, "forward", counted)
    everything = find(grey(100)).scores
    find.score_threshold = float(np.median(everything))
    sure = find(grey(100)).scores
    assert made == [9, len(sure)]
    assert 0 < len(sure) < 9
    assert sure.tolist() == everything[everything >= find.score_threshold].tolist()


def test_names_come_with_the_source_or_are_its_path_or_number(model, tmp_path):
    Image.fromarray(grey(1)).save(tmp_path / "a.png")
    sources = [grey(1), tmp_path / "a.png", ("mine", grey(1)), ("yours", tmp_path / "a.png")]
    stream = Predictor(model, batch_size=2).stream(sources)
    predictions = list(stream)
    assert [p.name for p in predictions] == ["1", str(tmp_path / "a.png"), "mine", "yours"]
    assert all(p.image.shape == (20, 30, 3) for p in predictions)


# -- streams ---------------------------------------------------------------------------------


def counted(counter):
    for number in itertools.count(1):
        counter.append(number)
        yield grey(number % 200)


@pytest.mark.parametrize("batch", [1, 4])
def test_an_endless_stream_reads_one_batch_ahead_and_no_more(model, batch):
    taken = []
    stream = Predictor(model, batch_size=batch).stream(counted(taken))
    for used in range(1, 10):
        next(stream)
        stream._predictions.gi_frame.f_locals["ahead"].result()  # let the reader finish
        current_batches = -(-used // batch)
        assert len(taken) == (current_batches + 1) * batch
    stream.close()


def test_nothing_is_kept(model):
    alive = []

    def pictures():
        for number in range(30):
            image = grey(number)
            alive.append(weakref.ref(image))
            yield image

    most = 0
    for _ in Predictor(model, batch_size=2).stream(pictures()):
        most = max(most, sum(ref() is not None for ref in alive))
    assert len(alive) == 30
    assert most <= 5  # two batches, and the one in the hand of the generator


def test_a_stream_that_is_dropped_leaves_no_thread(model):
    before = threading.active_count()
    stream = Predictor(model).stream(counted([]))
    next(stream)
    stream.close()
    assert threading.active_count() == before
    assert list(stream) == []


def test_a_bad_image_stops_the_stream_at_its_turn(model, tmp_path):
    bad = tmp_path / "bad.png"
    bad.write_bytes(b"\x89PNG\r\n\x1a\n")
    stream = Predictor(model, batch_size=4).stream([grey(1), grey(2), bad, grey(3)])
    assert [next(stream).name, next(stream).name] == ["1", "2"]
    with pytest.raises(ImageError, match=r"bad\.png"):
        next(stream)
    with pytest.raises(StopIteration):
        next(stream)


@pytest.mark.parametrize("batch", [1, 2, 5])
def test_bad_images_are_skipped_and_listed(model, tmp_path, batch):
    empty = tmp_path / "empty.png"
    empty.touch()
    sources = [empty, grey(1), b"no image", ("named", empty), grey(2), grey(3), tmp_path / "gone"]
    stream = Predictor(model, batch_size=batch).stream(sources, on_error="skip")
    assert [p.name for p in stream] == ["2", "5", "6"]
    names = [str(empty), "3", "named", str(tmp_path / "gone")]
    assert [skipped.name for skipped in stream.skipped] == names
    assert "0 bytes" in stream.skipped[0].why


def test_only_bad_images(model):
    stream = Predictor(model).stream([b"", b"x"], on_error="skip")
    assert list(stream) == []
    assert len(stream.skipped) == 2


def test_an_error_of_the_source_itself_comes_through(model):
    def broken():
        yield grey(1)
        raise RuntimeError("the camera is gone")

    stream = Predictor(model).stream(broken())
    with pytest.raises(RuntimeError, match="camera"):
        list(stream)


# -- the model -------------------------------------------------------------------------------


def test_options_are_checked(model):
    for options in ({"batch_size": 0}, {"score_threshold": 1.5}):
        with pytest.raises(ConfigError):
            Predictor(model, **options)
    with pytest.raises(ConfigError, match="'skip'"):
        Predictor(model).stream([], on_error="ignore")


@pytest.mark.parametrize(
    "device",
    ["gpu", "", "hpu", "privateuseone", "meta", "xla", "cpu:1", "cuda:2", "cuda:x", "mps"],
)
def test_devices_that_are_not_there(model, monkeypatch, device):
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)
    with pytest.raises(ConfigError, match=rf"has \(cpu, cuda, cuda:1\), got '{device}': choose"):
        Predictor(model, device=device)


def moves(model, monkeypatch, **options):
    """Return where a predictor puts its model."""
    seen = []

    def to(self, *places, **_):
        seen.extend(map(str, places))
        return self

    monkeypatch.setattr(BrightnessModel, "to", to)
    Predictor(model, **options)
    return seen


@pytest.mark.parametrize("device", ["cpu", "cuda", "cuda:1", "mps", torch.device("cuda", 0)])
def test_devices_that_are_there(model, monkeypatch, device):
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: True)
    assert moves(model, monkeypatch, device=device) == [str(device)]


@pytest.mark.parametrize(("there", "best"), [(True, "cuda"), (False, "cpu")])
def test_the_best_device_is_the_default(model, monkeypatch, there, best):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: there)
    assert moves(model, monkeypatch) == [best]


def test_a_model_on_an_accelerator_stays_there(model, monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    model.anchor = torch.nn.Parameter(torch.zeros(1, device="meta"))
    assert moves(model, monkeypatch) == ["meta"]


def test_classes_are_the_models(model):
    assert Predictor(model).classes == CLASSES


def test_a_real_model_gives_its_own_answers_and_is_left_alone():
    torch.manual_seed(0)
    model = build("maskrcnn_nano", classes=3).train()
    rng = np.random.default_rng(0)
    images = [rng.integers(0, 256, (h, w, 3), dtype=np.uint8) for h, w in ((70, 90), (64, 64))]
    state = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    found = Predictor(model, score_threshold=0.0, batch_size=2).many(images)
    assert model.training
    for name, tensor in model.state_dict().items():
        torch.testing.assert_close(tensor, state[name], rtol=0, atol=0)
    with torch.inference_mode():
        batch, sizes, where = model.eval().prepare(images)
        expected = model.to_instances(model(batch, sizes), where)
    for ours, theirs in zip(found, expected, strict=True):
        assert len(ours) == len(theirs) > 0
        np.testing.assert_allclose(ours.scores, theirs.scores, atol=1e-4)


def test_panoptic_answers_are_the_models_own(tmp_path):
    torch.manual_seed(0)
    config = MODELS["maskrcnn_nano"].config.replace(
        stuff_names=("sky", "road"), stuff_ids=(8, 9), stuff_channels=32, stuff_area=1
    )
    model = build(config, classes=["cat"]).eval()
    picture = np.random.default_rng(0).integers(0, 255, (40, 56, 3), dtype=np.uint8)
    Image.fromarray(picture).save(tmp_path / "a.png")
    images, sizes, where = model.prepare([picture])
    with torch.inference_mode():
        (expected,) = model.to_panoptic(model(images, sizes), where)
    find = Predictor(model, score_threshold=1.0)  # has no part in it
    found = find.panoptic(tmp_path / "a.png")
    assert find.panoptic_classes == found.classes == model.panoptic_classes
    assert [s.label for s in found.segments] == [s.label for s in expected.segments]
    assert len(found.segments) > 0
    assert (found.ids == expected.ids).mean() > 0.99  # folded norms round otherwise
