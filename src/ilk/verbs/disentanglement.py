"""disentanglement: whether each known factor of the items is kept in one number of their codes, by the mutual information gap."""
from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ilk.dataset import Dataset
from ilk.distribution import Encodes
from ilk.errors import DataError, UsageError
from ilk.model import Model
from ilk.rng import Rng
from ilk.space import Discrete, Reals
from ilk.verbs.condition import flat
from ilk.verbs.read import native

BINS, FEW = 20, 20   # into how many bins a number is cut; items fewer than which say nothing
Places = NDArray[np.int64]


@dataclass(frozen=True)
class Disentanglement:
    """The mutual information gap, 0 to 1: the mean over the known factors, each factor's own, and what the same codes get
    for factors that were shuffled among the items (it is above 0, since few items agree by chance)."""

    value: float
    parts: Mapping[str, float]
    shuffled: float
    n: int

    def __repr__(self) -> str:
        each = ", ".join(f"{name} {gap:.3f}" for name, gap in self.parts.items())
        return f"MIG {self.value:.3f} (shuffled {self.shuffled:.3f}; n={self.n}): {each}"


def disentanglement(model: Model, data: Any, factors: Mapping[str, Any] | Sequence[str] | None = None, seed: int = 0) -> Disentanglement:
    """How far each known factor of the items sits in one number of their codes, and in no other (Chen et al. 2018, equation 6).

    `factors` are values by name, one an item; or names of columns of the items; by default the labels that a Dataset came with. Numbers of more than 20
    values are cut into 20 bins from the least to the largest, as codes are (Locatello et al. 2019). The test items of a Dataset are taken.

    >>> import ilk, numpy as np
    >>> x = np.random.default_rng(0).integers(0, 4, (400, 2)).astype(float)
    >>> model = ilk.fit(x, ilk.Autoencoder(codes=2, net=ilk.MLP(width=8)), budget=ilk.Steps(5))
    >>> found = ilk.disentanglement(model, x, {"left": x[:, 0], "right": x[:, 1]})
    >>> sorted(found.parts), found.shuffled < 0.1
    (['left', 'right'], True)
    """
    if not isinstance(model.body, Encodes):
        raise UsageError(f"{type(model.body).__name__} has no codes: it lacks Encodes", code="CAPABILITY", remedy="vae, autoencoder, vqvae and flow have them")
    if not isinstance(data, Dataset):
        raw = native(model.modality, data)
        data = Dataset(model.modality, raw, {"test": torch.arange(len(raw))})
    index = data.index("test")
    if len(index) < FEW:
        raise DataError(f"{len(index)} items say nothing of factors", code="EMPTY", remedy=f"pass {FEW} at least")
    items = data.modality.take(data.items, index)
    known = {name: _cut(np.asarray(values)) for name, values in _known(data, items, index, factors).items()}
    if odd := [name for name, places in known.items() if len(places) != len(index)]:
        raise UsageError(f"the factor {odd[0]!r} has {len(known[odd[0]])} values for {len(index)} items", code="FACTORS", param="factors", remedy="one an item")
    batch = replace(flat(model, items, Rng(seed).child("code")), context=model.told(data, index))
    told = _told(model.body, model.body.encode(batch).tensor)
    parts = {name: gap for name, places in known.items() if (gap := _gap(told, places)) is not None}
    if not parts:
        raise UsageError("every factor has one value only, so there is nothing to tell", code="FACTORS", param="factors", remedy="name factors that vary")
    order = Rng(seed).child("shuffled").shuffle(len(index)).numpy()
    return Disentanglement(float(np.mean(list(parts.values()))), parts, float(np.mean([_gap(told, known[name][order]) for name in parts])), len(index))


def mig(codes: Tensor, factors: Tensor, bins: int = BINS) -> float:
    """The mutual information gap of codes (n, c) and known whole-number factors (n, f): the mean over the factors that vary.

    >>> tidy = torch.cartesian_prod(torch.arange(4), torch.arange(4))
    >>> mig(tidy.double(), tidy)
    1.0
    """
    told = [_binned(c, bins) for c in codes.double().numpy().T]
    gaps = [gap for factor in factors.numpy().T if (gap := _gap(told, _cut(factor))) is not None]
    return float(np.mean(gaps)) if gaps else 0.0


def _known(data: Dataset[Any], items: Any, index: Tensor, factors: Mapping[str, Any] | Sequence[str] | None) -> Mapping[str, Any]:
    if isinstance(factors, Mapping):
        return factors
    if factors is not None:
        if lacks := [name for name in factors if name not in getattr(items, "columns", ())]:
            raise UsageError(f"the items have no column {lacks[0]!r}", code="COLUMN", param="factors", remedy="pass values by name: {'shape': [...]}")
        return {name: items[name].to_numpy() for name in factors}
    if data.labels is None:
        raise UsageError("these items come without labels, so no factor of them is known", code="FACTORS", param="factors", remedy="pass values by name: {'shape': [...]}")
    return {"label": data.labels.codes[index].numpy()}


def _told(body: Encodes, codes: Tensor) -> list[Places]:
    """Each number of the codes as the bin that it falls in; a whole number is a bin of its own."""
    each = codes.flatten(1).double().numpy().T
    match body.code_space():
        case Reals():
            return [_binned(c, BINS) for c in each]
        case Discrete():
            return [c.astype(np.int64) for c in each]
        case space:
            raise UsageError(f"codes in {space} are no numbers of their own", code="CAPABILITY")


def _cut(values: NDArray[Any]) -> Places:
    """The number of each value; bins of numbers that have many."""
    if values.dtype == object:
        values = values.astype(str)
    found, places = np.unique(values, return_inverse=True)
    return _binned(values.astype(np.float64), BINS) if found.dtype.kind in "fiu" and len(found) > BINS else places


def _gap(told: Sequence[Places], factor: Places) -> float | None:
    """How much more the most telling code says of a factor than the second one, over the factor's entropy; None for one that never varies."""
    entropy, many = _entropy(np.bincount(factor)), int(factor.max()) + 1
    said = sorted([_entropy(np.bincount(t)) + entropy - _entropy(np.unique(t * many + factor, return_counts=True)[1]) for t in told] + [0.0])
    return (said[-1] - said[-2]) / entropy if entropy > 0 else None


def _binned(x: NDArray[np.float64], bins: int) -> Places:
    low, wide = x.min(), np.ptp(x)
    found: Places = np.minimum((x - low) / (wide or 1.0) * bins, bins - 1).astype(np.int64)
    return found


def _entropy(counts: Places) -> float:
    p = counts[counts > 0] / counts.sum()
    return float(-(p * np.log(p)).sum())
