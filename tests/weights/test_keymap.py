"""Renaming by table, on names small enough to check by eye."""

import pytest

from delineate.errors import ModelError
from delineate.weights.keymap import to_ours, to_theirs

TABLE = [
    ("body.layer{i}.{j}.conv.weight", "trunk.stage{i}.block{j}.weight"),
    ("body.layer{i}.{j}.bn.{norm}", "trunk.stage{i}.block{j}.norm.{norm}"),
    ("body.layer{i}.{j}.bn.num_batches_tracked", None),
    ("head.{wb}", "out.{wb}"),
]
THEIRS = {
    "body.layer1.0.conv.weight": 1,
    "body.layer1.0.bn.running_mean": 2,
    "body.layer1.0.bn.num_batches_tracked": 3,
    "body.layer12.34.conv.weight": 4,
    "head.bias": 5,
}
OURS = {
    "trunk.stage1.block0.weight": 1,
    "trunk.stage1.block0.norm.running_mean": 2,
    "trunk.stage12.block34.weight": 4,
    "out.bias": 5,
}


def test_there_and_back():
    assert to_ours(THEIRS, TABLE, OURS) == OURS
    back = {k: v for k, v in THEIRS.items() if not k.endswith("num_batches_tracked")}
    assert to_theirs(OURS, TABLE, THEIRS) == back
    assert to_ours(back, TABLE, OURS) == OURS


def test_order_of_fields_may_differ():
    table = [("a.{i}.{j}", "b.{j}.{i}")]
    assert to_ours({"a.1.2": "x"}, table, ["b.2.1"]) == {"b.2.1": "x"}
    assert to_theirs({"b.2.1": "x"}, table, ["a.1.2"]) == {"a.1.2": "x"}


def test_nothing_of_nothing():
    assert to_ours({}, TABLE, []) == {}


@pytest.mark.parametrize(
    "key",
    [
        "module.head.weight",  # a prefix
        "head.weight.orig",  # an ending
        "headxweight",  # the dot is a dot
        "head.running_mean",  # not what {wb} stands for
        "body.layerx.0.conv.weight",  # no number
        "body.layer1.0.0.conv.weight",
        "head.weight\n",
        "body.layer\u0661.0.conv.weight",  # an Arabic digit
        "",
    ],
)
def test_only_what_a_row_spells_is_renamed(key):
    with pytest.raises(ModelError) as caught:
        to_ours(THEIRS | {key: 6}, TABLE, OURS)
    assert str(caught.value).endswith(f"unused: {key}.")


def test_every_missing_and_unused_entry_is_listed():
    theirs = {"head.weight": 0, "head.bias": 1, "ema.a": 2, "ema.b": 3}
    with pytest.raises(ModelError) as caught:
        to_ours(theirs, TABLE, ["out.weight", "trunk.stage1.block0.weight", "extra"])
    assert str(caught.value).endswith(
        "; missing: extra, trunk.stage1.block0.weight; unused: head.bias, ema.a, ema.b."
    )


def test_two_rows_for_one_entry():
    with pytest.raises(ModelError, match=r"contested: head\.bias\."):
        to_ours(THEIRS, [*TABLE, ("head.bias", "other")], OURS.keys() - {"out.bias"})


def test_two_entries_for_one_name():
    table = [("a", "c"), ("b", "c")]
    with pytest.raises(ModelError, match=r"contested: c\."):
        to_ours({"a": 1, "b": 2}, table, ["c"])


def test_back_lists_what_is_missing_too():
    with pytest.raises(ModelError, match=r"missing: head\.weight; unused: new\."):
        to_theirs(OURS | {"new": 1}, TABLE, [*THEIRS, "head.weight"])
