"""The cheapest assignment against all that there are."""

import itertools

import pytest
import torch

from delineate.ops.assignment import cheapest


@pytest.mark.parametrize(("rows", "columns"), [(1, 1), (3, 3), (4, 6), (6, 4)])
def test_no_other_assignment_is_cheaper(rows, columns):
    for seed in range(10):
        cost = torch.rand(rows, columns, generator=torch.Generator().manual_seed(seed))
        row, column = cheapest(cost)
        assert len(row) == len(set(row.tolist())) == len(set(column.tolist())) == min(cost.shape)
        short = cost if rows <= columns else cost.t()
        best = min(
            short[range(len(short)), order].sum().item()
            for order in itertools.permutations(range(short.shape[1]), len(short))
        )
        assert cost[row, column].sum().item() == pytest.approx(best)


def test_nothing_to_assign():
    for shape in ((0, 5), (5, 0)):
        row, column = cheapest(torch.zeros(shape))
        assert len(row) == len(column) == 0
        assert row.dtype == column.dtype == torch.int64


def test_what_is_not_finite_is_dear():
    cost = torch.tensor([[float("nan"), 1.0], [2.0, float("inf")]])
    assert cheapest(cost)[1].tolist() == [1, 0]
