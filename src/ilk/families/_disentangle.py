"""Whether each known factor of the data is kept in one number of a code: the mutual information gap."""
from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

BINS = 20


def mig(codes: Tensor, factors: Tensor, bins: int = BINS) -> float:
    """Mutual information gap (Chen et al. 2018), 0 to 1, of mean codes (n, c) and known whole-number factors (n, f).

    Per factor: how much more the most telling code says of it than the second one, over its entropy; the mean over factors. Codes
    are cut into equal bins from their least to their largest (Locatello et al. 2019).

    >>> import torch
    >>> tidy = torch.cartesian_prod(torch.arange(4), torch.arange(4))
    >>> mig(tidy.double(), tidy)
    1.0
    """
    told = [_binned(c, bins) for c in codes.double().numpy().T]
    gaps = []
    for factor in factors.numpy().T:
        _, places = np.unique(factor, return_inverse=True)
        entropy = _entropy(np.bincount(places))
        said = sorted([_entropy(np.bincount(t)) + entropy - _entropy(np.unique(t * (places.max() + 1) + places, return_counts=True)[1]) for t in told] + [0.0])
        if entropy > 0:
            gaps.append((said[-1] - said[-2]) / entropy)
    return float(np.mean(gaps)) if gaps else 0.0


def _binned(x: NDArray[np.float64], bins: int) -> NDArray[np.int64]:
    low, wide = x.min(), np.ptp(x)
    found: NDArray[np.int64] = np.minimum((x - low) / (wide or 1.0) * bins, bins - 1).astype(np.int64)
    return found


def _entropy(counts: NDArray[np.int64]) -> float:
    p = counts[counts > 0] / counts.sum()
    return float(-(p * np.log(p)).sum())
