"""What stands before a picture's background: colours that its border does not have, told by Gaussian mixtures, and the largest piece of them."""
from __future__ import annotations

from typing import Any

import numpy as np
import torch
from scipy import ndimage
from torch import Tensor

from ilk import registry
from ilk.batch import Batch, Memory
from ilk.errors import DataError
from ilk.rng import Rng
from ilk.run import Run
from ilk.space import Reals

BORDER, ODD, LEAST = 16, 0.01, 0.01                # pixels of a side to one of the edge's width; the share of its colours that may be odd, and that a foreground has at least
ROUNDS, SMOOTH, SURE, COMPONENTS = 3, 0.8, 3.0, 3   # rounds; pixels that neighbours reach, and nats that one has at most; colours of either side


def foreground(picture: Any) -> Any:
    """Which pixels of a picture (height, width, channels) in 256 levels stand before the rest, bool (height, width).

    What the border shows is background. Then by turns (after Rother et al. 2004, with the neighbours' mean in the place of the cut): colours of
    either side by a mixture, and each pixel to the side that it and its neighbours are likelier under. DataError where nothing stands out.
    """
    high, wide, channels = picture.shape
    noise = Rng(0).child("fill").uniform(high * wide, channels)
    colours = (torch.from_numpy(picture.reshape(-1, channels).astype(np.float64)) + noise) / 256
    edge, width = np.ones((high, wide), dtype=bool), max(1, min(high, wide) // BORDER)
    edge[width:-width, width:-width] = False
    behind = _nats(colours[torch.from_numpy(edge.ravel())], colours)
    odd = behind < behind[torch.from_numpy(edge.ravel())].quantile(ODD)
    inside = _largest(odd.reshape(high, wide).numpy() & ~edge)
    for _ in range(ROUNDS):
        if not inside.mean() >= LEAST or inside.all():
            raise DataError("nothing stands out from what the picture's border shows", code="FOREGROUND", remedy="say what is to be made anew: ilk edit --redo mask:FILE")
        there = torch.from_numpy(inside.ravel())
        gain = (_nats(colours[there], colours) - _nats(colours[~there], colours)).clamp(-SURE, SURE).reshape(high, wide)
        inside = _largest((ndimage.gaussian_filter(gain.numpy(), SMOOTH) > 0) & ~edge)
    return ndimage.binary_fill_holes(inside)


def _nats(known: Tensor, colours: Tensor) -> Tensor:
    """Log density of colours under a mixture of some that are known."""
    body = registry.get("families", "gmm")(components=min(COMPONENTS, max(1, len(known) // 20))).build(Reals((colours.shape[1],)), Rng(0))
    body.fit(Memory(Batch(known)), Run())
    nats: Tensor = body.log_prob(Batch(colours))
    return nats


def _largest(inside: Any) -> Any:
    """The largest connected piece."""
    pieces, many = ndimage.label(inside)
    return pieces == 1 + int(np.argmax(np.bincount(pieces.ravel())[1:])) if many else inside
