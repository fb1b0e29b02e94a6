"""Which noise of a batch goes with which of its items."""
from __future__ import annotations

import torch
from torch import Tensor


def paired(x: Tensor, noise: Tensor) -> Tensor:
    """The rows of the noise in the order that makes the sum of squared distances to the rows of x least (Tong et al. 2024, algorithm 3).

    >>> paired(torch.tensor([[0.0], [9.0]]), torch.tensor([[2.0], [-2.0]])).tolist()
    [[-2.0], [2.0]]
    """
    from scipy.optimize import linear_sum_assignment

    gain = x.flatten(1).double() @ noise.flatten(1).double().T   # squared distances differ from it by what no order changes
    _, order = linear_sum_assignment(gain.cpu().numpy(), maximize=True)
    return noise[torch.from_numpy(order).to(noise.device)]
