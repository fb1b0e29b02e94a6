"""upscale: large pictures of small ones; and items made beside other items."""
from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn.functional import avg_pool2d

from ilk.batch import Batch
from ilk.dataset import numbers
from ilk.distribution import Draws, How, Upscales
from ilk.errors import DataError, UsageError, nearest
from ilk.modality import Resizes
from ilk.model import Model
from ilk.rng import Rng
from ilk.space import Reals
from ilk.verbs._told import body_of, lacks, raw, times
from ilk.verbs.condition import flat
from ilk.verbs.read import native

CHUNK = 256


def upscale(model: Model, items: Any, draws: int = 1, seed: int = 0, how: How | None = None) -> Any:
    """A large picture of each small one, given what is given: each pixel of a small one is the mean of a block of the large one.

    One draw is as sharp as the pictures of the fit, and one of many that the small one allows. The mean of several `draws` is nearer to what was
    there (its squared error is the least that there is, with many), and softer.

    >>> import ilk, numpy as np
    >>> pictures = np.zeros((40, 8, 8), dtype=np.uint8)
    >>> model = ilk.fit(pictures, ilk.Cascade(low=ilk.GMM(components=1), factor=2), budget=ilk.Steps(3))
    >>> upscale(model, np.zeros((2, 4, 4), dtype=np.uint8)).shape
    (2, 8, 8, 1)
    """
    body, rng = body_of(model), Rng(seed).child("upscale")
    if not isinstance(body, Upscales) or not isinstance(model.modality, Resizes):
        raise lacks(model, "can't enlarge pictures", "Upscales", "cascade does, fitted with pictures of the large size")
    kind = model.modality.sizeless()
    small = native(kind, items)
    if not len(small):
        raise UsageError("there is no item", code="ITEMS", remedy="pass one at least")
    factor = model.modality.times(small)
    made = []
    for start in range(0, len(small), CHUNK):
        here = small[start:start + CHUNK]
        large = flat(model, model.modality.enlarged(here, factor), rng.at(start).child("code"))
        low = Batch(avg_pool2d(large.tensor, factor))
        found = [body.upscale(low, rng.at(start).child("draw", k), how).tensor for k in range(times(draws))]
        made.append(torch.stack(found).mean(0))
    return raw(model, Batch(torch.cat(made)), rng.child("raw"))


def beside(model: Model, others: Mapping[str, NDArray[Any]], n: int = 1, seed: int = 0, how: How | None = None) -> Any:
    """n items for each of these other items, which are of the sort that lay beside the items of the fit (`Dataset.beside`).

    >>> import ilk, numpy as np
    >>> from dataclasses import replace
    >>> pictures = np.zeros((40, 8, 8), dtype=np.uint8)
    >>> data = replace(ilk.read(pictures), beside={"edges": pictures})
    >>> beside(ilk.fit(data, ilk.Diffusion(), budget=ilk.Steps(3)), {"edges": pictures[:2]}, n=3).shape
    (6, 8, 8, 1)
    """
    if model.givens:
        raise UsageError("what is given goes with items that are made of nothing else", code="GIVEN", param="given", remedy="leave it out here")
    if not isinstance(model.body, Draws) or not others:
        raise lacks(model, "makes nothing of other items", "Draws", "fit a family that learns from what is beside items, such as diffusion")
    context = {name: _told(model, name, other) for name, other in others.items()}
    if len({len(batch) for batch in context.values()}) > 1:
        raise DataError(f"{' and '.join(str(len(b)) for b in context.values())} items beside one another", code="SHAPE", remedy="as many of each")
    each = torch.arange(len(next(iter(context.values())))).repeat_interleave(times(n))
    made = model.body.draw(len(each), Rng(seed).child("beside"), {name: batch.take(each) for name, batch in context.items()}, how)
    return raw(model, made, Rng(seed).child("raw"))


def _told(model: Model, name: str, other: NDArray[Any]) -> Batch:
    space = model.body.about.get(name)
    if not isinstance(space, Reals):
        raise UsageError(f"this model was fitted without {name!r} beside the items", code="GIVEN", param="beside",
                         remedy=nearest(name, [k for k, s in model.body.about.items() if isinstance(s, Reals)]))
    batch = Batch(numbers(np.asarray(other)))
    if not space.holds(batch):
        raise DataError(f"items of shape {tuple(batch.tensor.shape[1:])} beside others; the model knows {space.shape}", code="SHAPE", param="beside")
    return batch
