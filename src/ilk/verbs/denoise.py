"""denoise: noisy items restored."""
from __future__ import annotations

from dataclasses import dataclass
from math import isfinite, prod
from typing import Any, Literal

from torch import Tensor

from ilk.batch import Batch
from ilk.distribution import Encodes, Restores
from ilk.errors import UsageError
from ilk.lift import Same
from ilk.model import Model
from ilk.rng import Rng
from ilk.space import Discrete, Reals
from ilk.verbs._told import body_of, lacks, raw, seen
from ilk.verbs.read import native

MEDIAN = 0.6745   # of the size of a standard normal number


@dataclass(frozen=True, eq=False)
class Denoised:
    """Items without their noise: the expected ones, or what their codes keep; and the noise of each, in the items' own units, if it was looked at."""

    items: Any
    by: Literal["expectation", "codes"]
    sigma: Tensor | None


def denoise(model: Model, items: Any, sigma: float | None = None, seed: int = 0) -> Any:
    """Items without Gaussian noise of standard deviation `sigma` (in their own units: levels of a pixel), given what is given.

    Families with noise levels give the expected item, that of the least squared error. None has sigma estimated for each picture by itself,
    from its finest details (Donoho & Johnstone 1994). Families with fewer codes than numbers give what their codes keep of an item.

    >>> import ilk, numpy as np
    >>> model = ilk.fit(ilk.Rng(1).normal(200, 2).numpy(), ilk.Diffusion(), budget=ilk.Steps(3))
    >>> denoise(model, np.ones((1, 2)), sigma=0.5).shape
    (1, 2)
    """
    return denoised(model, items, sigma, seed).items


def denoised(model: Model, items: Any, sigma: float | None = None, seed: int = 0) -> Denoised:
    """As `denoise`, by what, and how much noise there was."""
    if sigma is not None and not (isfinite(sigma) and sigma >= 0):
        raise UsageError(f"sigma is {sigma}", code="OPTION", param="sigma", remedy="0 or more")
    body, rng = body_of(model), Rng(seed).child("denoise")
    found = native(model.modality, items)
    batch = seen(model, found, Rng(0).child("code"))
    if isinstance(body, Restores):
        noise, unit = _noise(model, found, batch, sigma)
        return Denoised(raw(model, body.restored(batch, noise), rng), "expectation", noise / unit)
    if isinstance(body, Encodes) and not model.givens and _compresses(body):
        return Denoised(raw(model, body.decode(body.encode(batch)), rng), "codes", None)
    raise lacks(model, "can't restore items", "Restores", "diffusion, flow_matching and score can; families with fewer codes than numbers (vae, autoencoder) do it by these")


def _noise(model: Model, found: Any, batch: Batch, sigma: float | None) -> tuple[Tensor, Tensor]:
    """The noise of every item in the units of the space, and how much of these one unit of the item is, (B,) each."""
    if not isinstance(model.lift, Same) or not isinstance(batch.x, Tensor):
        raise UsageError("the parts of a row have no common unit for noise", code="CAPABILITY", remedy="denoise pictures and arrays; for tables use ilk edit")
    x = batch.tensor.double()
    unit = (model.codec.log_volume(found, Rng(0)) / prod(x.shape[1:])).exp()   # the mean slope of the coding
    if sigma is not None:
        return sigma * unit, unit
    if x.ndim != 4 or min(x.shape[2:]) < 2:
        raise UsageError("noise is estimated of pictures only", code="OPTION", param="sigma", remedy="say it: --sigma 10")
    return estimated(x), unit


def estimated(x: Tensor) -> Tensor:
    """The noise of pictures (B, c, h, w): the median size of diagonal differences in blocks of 2 x 2, which hardly anything but noise has."""
    x = x[..., :x.shape[2] // 2 * 2, :x.shape[3] // 2 * 2]
    detail = (x[..., ::2, ::2] - x[..., 1::2, ::2] - x[..., ::2, 1::2] + x[..., 1::2, 1::2]) / 2
    return detail.abs().flatten(1).median(1).values / MEDIAN


def _compresses(body: Any) -> bool:
    """Whether codes have fewer numbers than items, so that they can't keep all noise."""
    codes, space = body.code_space(), body.space
    return isinstance(codes, Reals | Discrete) and isinstance(space, Reals | Discrete) and prod(codes.shape) < prod(space.shape)
