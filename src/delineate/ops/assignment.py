"""The cheapest one-to-one assignment of objects to candidates (Hungarian matching)."""

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor


def assign(cost: Tensor) -> tuple[Tensor, Tensor]:
    """Give every object a candidate of its own so that the summed cost is least.

    Shortest augmenting paths (Jonker and Volgenant, 1987), on the CPU in double precision. Most
    objects simply get their cheapest candidate, all at once; a path is searched only for those
    whose candidate is taken. For few objects and many candidates, as here, that is a few hundred
    microseconds.

    Args:
        cost: ``(objects, candidates)``, finite, with at least as many candidates as objects.

    Returns:
        Indices of the objects, ascending, and of the candidate of each: ``(objects,)`` int64.
    """
    objects, candidates = cost.shape
    assert objects <= candidates, f"{objects} objects cannot share {candidates} candidates"
    rows = torch.arange(objects, device=cost.device)
    if objects == 0:
        return rows, rows
    columns = _solve(cost.detach().double().cpu().numpy())
    return rows, torch.from_numpy(columns).to(cost.device)


def _solve(cost: npt.NDArray[np.float64]) -> npt.NDArray[np.int64]:
    """Return the column of each row."""
    objects, candidates = cost.shape
    cheapest = cost.argmin(axis=1)
    row_price = cost[np.arange(objects), cheapest]
    column_price = np.zeros(candidates)
    holder = np.full(candidates, -1, dtype=np.int64)
    column = np.full(objects, -1, dtype=np.int64)
    taken, first = np.unique(cheapest, return_index=True)
    holder[taken], column[first] = first, taken
    for start in np.flatnonzero(column < 0):
        distance = np.full(candidates, np.inf)
        before = np.full(candidates, -1, dtype=np.int64)  # row from which a column is reached
        is_open = np.ones(candidates, dtype=bool)
        row, reach = start, 0.0
        visited = [start]
        while True:
            through = reach + cost[row] - row_price[row] - column_price
            better = is_open & (through < distance)
            distance[better], before[better] = through[better], row
            end = int(np.where(is_open, distance, np.inf).argmin())
            reach = distance[end]
            if holder[end] < 0:
                break
            is_open[end] = False
            row = holder[end]
            visited.append(row)
        closed = ~is_open
        column_price[closed] += distance[closed] - reach
        row_price[visited[0]] += reach
        for other in visited[1:]:
            row_price[other] += reach - distance[column[other]]
        while True:  # hand the columns on along the path
            row = before[end]
            column[row], end = end, column[row]
            holder[column[row]] = row
            if row == start:
                break
    return column
