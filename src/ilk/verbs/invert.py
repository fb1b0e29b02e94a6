"""invert: items as the codes or the noise that a model makes them of; decode: back."""
from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ilk.batch import Batch
from ilk.distribution import Encodes
from ilk.errors import DataError, UsageError
from ilk.model import Model
from ilk.rng import Rng
from ilk.space import Reals
from ilk.verbs._told import body_of, lacks, raw, seen

HAVE = "vae, autoencoder, vqvae, flow, diffusion, flow_matching and score have codes"


@dataclass(frozen=True, eq=False)
class Inverted:
    """Codes of items, what the codes decode to, and how far that is off.

    `error` is the root mean square difference of an item and what its code decodes to, (B,), in the numbers that the family sees.
    """

    codes: NDArray[Any]
    items: Any
    error: Tensor


def invert(model: Model, items: Any, seed: int = 0) -> Inverted:
    """The code of each item, given what is given: noise of a flow or of a diffusion's probability flow, a latent code otherwise; and back.

    `seed` is for what the coding of the items leaves to chance.

    >>> import ilk, numpy as np
    >>> x = ilk.Rng(1).normal(200, 2).numpy()
    >>> found = invert(ilk.fit(x, ilk.Flow(layers=2), budget=ilk.Steps(5)), x[:3])
    >>> found.codes.shape, bool(found.error.max() < 1e-5)
    ((3, 2), True)
    """
    body, rng = _body(model), Rng(seed).child("invert")
    batch = seen(model, items, rng.child("code"))
    codes = body.encode(batch)
    back = body.decode(codes)
    if not isinstance(back.x, Tensor) or not isinstance(codes.x, Tensor):
        raise lacks(model, "has codes that are no arrays", "arrays of codes", HAVE)
    error = (back.tensor.double() - batch.tensor.double()).flatten(1).square().mean(1).sqrt()
    return Inverted(codes.tensor.numpy(), raw(model, back, rng.child("raw")), error)


def decode(model: Model, codes: NDArray[Any], seed: int = 0) -> Any:
    """The items that codes stand for: arrays of them, as `invert` gives."""
    body = _body(model)
    space = body.code_space()
    x = torch.from_numpy(np.ascontiguousarray(codes))
    found = Batch(x.double() if isinstance(space, Reals) else x)
    if not len(x):
        raise UsageError("there is no code", code="ITEMS", remedy="pass one at least")
    if not space.holds(found):
        raise DataError(f"codes of {x.dtype} of shape {tuple(x.shape[1:])} are not in {space}", code="SHAPE", remedy="codes as invert gives them")
    return raw(model, body.decode(found), Rng(seed).child("raw"))


def _body(model: Model) -> Encodes:
    body = body_of(model)
    if not isinstance(body, Encodes):
        raise lacks(model, "has no codes", "Encodes", HAVE)
    return body
