"""Things and stuff, learnt together."""

import json
from dataclasses import replace

import pytest
import torch
from tiny_run import SIZE, scenes, tiny_config

from delineate.core.classes import ClassMap
from delineate.core.panoptic_classes import PanopticClasses
from delineate.data.panoptic_parts import PanopticRelabelled
from delineate.data.synthetic_panoptic import PanopticScenes
from delineate.errors import ClassMismatch, ConfigError, DataError
from delineate.models.zoo import MODELS
from delineate.train.config import BudgetConfig, DataConfig
from delineate.train.folder import offer, saved_config
from delineate.train.loop import fit
from delineate.train.step import Learner
from delineate.weights.load import load


def panoptic_config(**changes):
    config = tiny_config(stuff="auto", **changes)
    return replace(config, model=config.model.replace(stuff_channels=32, stuff_area=16))


def yolact_config(**changes):
    entry = MODELS["yolact_nano"]
    small = {"slim_widths": (16,) * 5, "slim_depths": (1,) * 4, "fpn_channels": 32}
    heads = {"head_channels": 32, "proto_channels": 32, "prototypes": 8}
    model = entry.config.replace(**small, **heads, stuff_channels=32, stuff_area=16)
    return tiny_config(stuff="auto", model=model, preprocess=entry.preprocess, **changes)


def panoptic_scenes(count=6, seed=1):
    return PanopticScenes(count, size=SIZE, seed=seed, objects=(2, 4))


def weights(run):
    return torch.cat([p.flatten() for p in load(run).state_dict().values()])


@pytest.mark.parametrize("of_family", [panoptic_config, yolact_config])
def test_a_run_learns_the_stuff_of_its_data(tmp_path, of_family):
    config = of_family(budget=BudgetConfig(steps=50), log_every=1)
    train = panoptic_scenes()
    result = fit(config, train, panoptic_scenes(2, seed=2), tmp_path / "run", device="cpu")
    lines = map(json.loads, (tmp_path / "run/metrics.jsonl").read_text().splitlines())
    stuff = [line["losses"]["stuff"] for line in lines if line["kind"] == "train"]
    assert sum(stuff[-5:]) < 0.8 * sum(stuff[:5])
    assert set(result.metrics["panoptic"]) == {"PQ", "SQ", "RQ", "PQ_things", "PQ_stuff"}
    model = load(tmp_path / "run")
    assert model.panoptic_classes == train.panoptic_classes
    raw_classes = saved_config(tmp_path / "run").model.stuff_names
    assert raw_classes == train.panoptic_classes.stuff.names


def test_a_run_goes_on_where_it_was(tmp_path):
    train, val = panoptic_scenes(), panoptic_scenes(2, seed=2)
    short = panoptic_config(budget=BudgetConfig(steps=2))
    whole = panoptic_config(budget=BudgetConfig(steps=4), checkpoint_steps=2)

    class Killed(Exception):
        pass

    class Killer:
        def step(self, event):
            if event.step == 3:
                raise Killed

        def validation(self, event): ...
        def note(self, text): ...
        def close(self): ...

    fit(whole, train, val, tmp_path / "a", device="cpu")
    with pytest.raises(Killed):
        fit(whole, train, val, tmp_path / "b", device="cpu", sinks=[Killer()])
    fit(whole, train, val, tmp_path / "b", device="cpu", resume=True)
    assert torch.equal(weights(tmp_path / "a"), weights(tmp_path / "b"))
    kept = saved_config(tmp_path / "b")
    assert kept.stuff == "model"
    with pytest.raises(ConfigError, match="budget"):
        fit(short, train, val, tmp_path / "b", device="cpu", resume=True)


def test_a_held_out_part_is_measured_as_a_whole(tmp_path):
    config = panoptic_config(budget=BudgetConfig(steps=1), data=DataConfig(val_fraction=0.3))
    result = fit(config, panoptic_scenes(10), None, tmp_path / "run", device="cpu")
    assert result.metrics["panoptic"]["PQ"] >= 0


def test_the_best_is_that_of_the_best_quality_of_the_whole(tmp_path):
    fit(panoptic_config(), panoptic_scenes(), None, tmp_path / "run", device="cpu")
    model = load(tmp_path / "run")
    for pq, ap, better in ((0.3, 0.1, True), (0.2, 0.9, False), (0.4, 0.0, True)):
        measures = {"segm": {"AP": ap}, "panoptic": {"PQ": pq}}
        assert offer(tmp_path, model, measures, {}) is better


def test_objects_alone_are_refused_in_one_sentence(tmp_path):
    with pytest.raises(DataError, match="objects only"):
        fit(panoptic_config(), scenes(), None, tmp_path / "run", device="cpu")
    assert not (tmp_path / "run").exists()


def test_a_family_without_a_head_for_stuff_says_so(tmp_path):
    entry = MODELS["detr_nano"]
    config = tiny_config(stuff="auto", model=entry.config, preprocess=entry.preprocess)
    with pytest.raises(ConfigError, match="no head for stuff"):
        fit(config, panoptic_scenes(), None, tmp_path / "run", device="cpu")


def test_stuff_that_the_training_lacks_is_refused(tmp_path):
    old = panoptic_scenes().panoptic_classes
    extra = ClassMap((*old.stuff.names, "lava"), (*old.stuff.source_ids, 900))
    val = PanopticRelabelled(panoptic_scenes(2), PanopticClasses(old.things, extra))
    with pytest.raises(ClassMismatch, match="lava"):
        fit(panoptic_config(), panoptic_scenes(), val, tmp_path / "run", device="cpu")


def test_things_alone_leave_no_stuff_to_learn(tmp_path):
    things = PanopticClasses(panoptic_scenes().classes, ClassMap((), ()))

    class Bare(PanopticScenes):
        panoptic_classes = property(lambda _: things, lambda *_: None)

    with pytest.raises(DataError, match="things only"):
        fit(panoptic_config(), Bare(4, size=SIZE), None, tmp_path / "run", device="cpu")


def test_a_run_does_not_go_on_with_other_stuff(tmp_path):
    fit(panoptic_config(), panoptic_scenes(), None, tmp_path / "run", device="cpu")

    class Swapped(PanopticScenes):
        def _stuff(self, index):
            stuff, chance = super()._stuff(index)
            return stuff[:, ::-1], chance

    swapped = Swapped(6, size=SIZE, seed=1, objects=(2, 4))
    with pytest.raises(DataError):
        fit(panoptic_config(), swapped, None, tmp_path / "run", device="cpu", resume=True)


@pytest.mark.parametrize("learns_stuff", [True, False])
def test_stuff_travels_only_where_it_is_learnt(tmp_path, monkeypatch, learns_stuff):
    seen = []
    step = Learner.step

    def watched(learner, batches, **options):
        seen.extend(sample for samples in batches for sample in samples)
        return step(learner, batches, **options)

    monkeypatch.setattr(Learner, "step", watched)
    config = panoptic_config() if learns_stuff else tiny_config()
    result = fit(config, panoptic_scenes(), panoptic_scenes(2), tmp_path / "run", device="cpu")
    assert len(seen) > 4
    assert {sample.stuff is not None for sample in seen} == {learns_stuff}
    assert ("panoptic" in result.metrics) is learns_stuff


def test_a_head_tells_no_more_than_254_classes_apart():
    names = tuple(f"s{k}" for k in range(255))
    with pytest.raises(ConfigError, match="at most 254"):
        tiny_config().model.replace(stuff_names=names, stuff_ids=tuple(range(255)))
