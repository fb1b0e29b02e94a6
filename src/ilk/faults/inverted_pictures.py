"""Some pictures white on black where the others are black on white."""
from __future__ import annotations

from collections.abc import Iterator
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from ilk.dataset import Dataset
from ilk.fault import Fault, Found
from ilk.faults._columns import first_of, share
from ilk.faults._data import Numbers, pictures, rows, shown

PLAIN, EDGE, LEAST, MANY, MOST = 0.7, 0.15, 3, 0.003, 0.4  # pictures whose rim is plain; how near the rim is to an end of the range; fewest, least and largest share


class InvertedPictures(Fault):
    """Rims at the other end of the range than most, and the negative is like the others."""

    looks_at: ClassVar[type] = Dataset

    def find(self, thing: Dataset[Any]) -> Iterator[Found]:
        """How many, and which."""
        found = _grey(pictures(thing))
        if len(found) < 20:
            return
        few = _other(found)
        if len(few) >= max(LEAST, MANY * len(found)):
            why = f"{share(len(few), len(found))} pictures have the ground light where the others have it dark, or the other way round, and their negatives are like them"
            yield self.found(f"pictures {first_of(rows(thing, at_most=shown(thing))[few].tolist())}", why, "invert them: x[i] = 255 - x[i]")


def _grey(found: NDArray[Any]) -> Numbers:
    """Pictures as (n, h, w) from 0 to 1 by the range of all, alpha left out."""
    if not len(found):
        return np.zeros((0, 1, 1))
    x = found[..., :3].mean(-1) if found.ndim == 4 else found.astype(np.float64)
    low, high = np.percentile(x, [0.1, 99.9])
    scaled: Numbers = np.clip((x - low) / max(1e-12, high - low), 0, 1)
    return scaled


def _other(x: Numbers) -> NDArray[np.int64]:
    """The pictures on the other ground."""
    rim = np.concatenate([x[:, 0], x[:, -1], x[:, :, 0], x[:, :, -1]], 1)
    ground = np.median(rim, 1)
    dark, light = ground < EDGE, ground > 1 - EDGE
    few = np.flatnonzero(light if dark.sum() >= light.sum() else dark)
    usual = dark if dark.sum() >= light.sum() else light
    if usual.mean() < PLAIN * (1 - MOST) or (dark | light).mean() < PLAIN or len(few) > MOST * len(x):
        return few[:0]
    middle = x[usual].mean(0)
    nearer = np.abs(1 - x[few] - middle).mean((1, 2)) < 0.6 * np.abs(x[few] - middle).mean((1, 2))
    varied = x[few].std((1, 2)) > 0.02  # one colour is another fault
    return np.asarray(few[nearer & varied])
