"""A checkpoint holds everything, is replaced whole, and is refused where it does not belong."""

import errno
import os

import pytest
import torch
from safetensors import safe_open
from tiny_run import scenes, tiny_config
from torch import nn

from delineate.data.derived import Subset
from delineate.errors import ConfigError, DataError, ModelError, OutputError
from delineate.train import checkpoint
from delineate.train.checkpoint import Checkpoint, Origin, Position, capture, fingerprint, restore
from delineate.train.config import OptimConfig, with_value
from delineate.train.optim import Ema, build_optimizer


class Net(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 4, 3)
        self.norm = nn.BatchNorm2d(4)

    def forward(self, images):
        return self.norm(self.conv(images))


def learner(seed: int, name: str):
    torch.manual_seed(seed)
    net = Net().to(memory_format=torch.channels_last).train()
    return net, Ema(net, 0.5), build_optimizer(net, OptimConfig(name=name, lr=0.1))


def learn(net, ema, optimizer, steps: int) -> None:
    for number in range(steps):
        optimizer.zero_grad()
        net(torch.randn(2, 3, 8, 8)).pow(2).mean().backward()
        optimizer.step()
        ema.update(net, number)


def origin() -> Origin:
    return Origin.of(tiny_config(), {"train": scenes()})


def write(path, tensors, **changes) -> None:
    values = {"position": Position(step=3), "origin": origin(), "scaler": {}, "tensors": tensors}
    checkpoint.save(path, Checkpoint(**values | changes))


@pytest.mark.parametrize("name", ["adamw", "sgd"])
def test_what_comes_back_continues_bit_for_bit(tmp_path, name):
    first = learner(0, name)
    learn(*first, steps=3)
    write(tmp_path / "c.safetensors", capture(*first))
    learn(*first, steps=2)

    second = learner(1, name)
    restore(checkpoint.load(tmp_path / "c.safetensors").tensors, *second)
    learn(*second, steps=2)
    expected, found = capture(*first), capture(*second)
    assert expected.keys() == found.keys()
    assert {n for n in expected if not torch.equal(expected[n], found[n])} == set()


def test_it_holds_buffers_average_optimizer_and_random_state(tmp_path):
    state = learner(0, "adamw")
    learn(*state, steps=1)
    assert {
        "model/norm.running_mean",
        "model/norm.num_batches_tracked",
        "ema/norm.running_var",
        "optimizer/conv.weight/exp_avg",
        "optimizer/conv.weight/exp_avg_sq",
        "optimizer/conv.weight/step",
        "random/cpu",
    } <= capture(*state).keys()


def test_restored_optimizer_state_has_the_layout_of_the_weights(tmp_path):
    first, second = learner(0, "adamw"), learner(1, "adamw")
    learn(*first, steps=1)
    write(tmp_path / "c.safetensors", capture(*first))
    restore(checkpoint.load(tmp_path / "c.safetensors").tensors, *second)
    for mine, theirs in zip(first[0].parameters(), second[0].parameters(), strict=True):
        assert (
            first[2].state[mine]["exp_avg"].stride() == second[2].state[theirs]["exp_avg"].stride()
        )


def test_position_and_scaler_come_back(tmp_path):
    position = Position(
        step=9, seconds=1.5, validated=0.3, validation_seconds=2, validation_ended=1
    )
    path = tmp_path / "last" / "c.safetensors"
    write(path, {"a": torch.zeros(1)}, position=position, scaler={"scale": 2.0})
    found = checkpoint.load(path)
    assert (found.position, found.scaler) == (position, {"scale": 2.0})


def test_it_is_safetensors_and_alone(tmp_path):
    write(tmp_path / "c.safetensors", {"a": torch.zeros(1)})
    assert os.listdir(tmp_path) == ["c.safetensors"]
    with safe_open(tmp_path / "c.safetensors", framework="pt") as file:
        assert list(file.keys()) == ["a"]


def test_a_full_disk_leaves_the_old_checkpoint(tmp_path, monkeypatch):
    path = tmp_path / "c.safetensors"
    write(path, {"a": torch.zeros(1)})

    def full(descriptor):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OutputError, match="No space left"):
        write(path, {"a": torch.ones(1)})
    assert checkpoint.load(path).tensors["a"].item() == 0
    assert os.listdir(tmp_path) == ["c.safetensors"]


def test_a_folder_that_cannot_be_made_is_one_sentence(tmp_path):
    (tmp_path / "last").write_text("a file")
    with pytest.raises(OutputError, match="last cannot be written"):
        write(tmp_path / "last" / "c.safetensors", {})


def test_a_cut_file_is_refused(tmp_path):
    path = tmp_path / "c.safetensors"
    write(path, {"a": torch.zeros(100)})
    path.write_bytes(path.read_bytes()[:-10])
    with pytest.raises(ModelError, match="no whole checkpoint"):
        checkpoint.load(path)


def test_a_foreign_file_is_refused(tmp_path):
    from safetensors.torch import save_file

    save_file({"a": torch.zeros(1)}, tmp_path / "c.safetensors")
    with pytest.raises(ModelError, match="format"):
        checkpoint.load(tmp_path / "c.safetensors")


def test_other_options_are_refused_and_named(tmp_path):
    other = with_value(with_value(tiny_config(), "optim.lr", 0.5), "seed", 3)
    now = Origin.of(other, {"train": scenes()})
    with pytest.raises(
        ConfigError, match=r"optim\.lr was 0\.002 and is 0\.5, seed was 0 and is 3: --resume takes"
    ):
        origin().require_same(now, tmp_path)


@pytest.mark.parametrize("path", ["data.workers", "log_every", "checkpoint_minutes", "tensorboard"])
def test_options_without_effect_on_the_result_may_change(tmp_path, path):
    value = path == "tensorboard" or 5
    now = Origin.of(with_value(tiny_config(), path, value), {"train": scenes()})
    origin().require_same(now, tmp_path)


def test_other_data_are_refused(tmp_path):
    for splits in ({"train": scenes(seed=5)}, {"train": scenes(), "val": scenes(1)}):
        now = Origin.of(tiny_config(), splits)
        with pytest.raises(DataError, match="not the same"):
            origin().require_same(now, tmp_path)


def test_fingerprint_sees_the_list_and_the_annotations():
    data = scenes(4)
    assert fingerprint(data) == fingerprint(scenes(4))
    assert fingerprint(Subset(data, [0, 1, 2])) != fingerprint(data)
    assert fingerprint(Subset(data, [1, 0, 2, 3])) != fingerprint(data)
    assert fingerprint(scenes(4, seed=9)) != fingerprint(data)
