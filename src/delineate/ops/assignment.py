"""The cheapest one-to-one assignment (Kuhn, "The Hungarian Method", 1955)."""

import torch
from torch import Tensor


def cheapest(cost: Tensor) -> tuple[Tensor, Tensor]:
    """Pair rows with columns, each at most once, so that the summed cost is the smallest possible.

    Args:
        cost: ``(rows, columns)``; what is not finite counts as very dear.

    Returns:
        Rows, ascending, and the column of each: as many as the shorter side has, int64.
    """
    from scipy.optimize import linear_sum_assignment  # a third of a second, and only to train

    table = cost.detach().float().nan_to_num(1e6, 1e6, -1e6).cpu().numpy()
    rows, columns = linear_sum_assignment(table)
    return torch.from_numpy(rows).to(cost.device), torch.from_numpy(columns).to(cost.device)
