"""Texts as numbers of Unicode characters, and back."""
from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch

from .batch import Batch
from .space import Discrete, Many

SCALARS, MOST = 0x110000, 1 << 24   # code points; characters of a text at most


def letters_space(most: int = MOST) -> Many:
    """All texts of so many characters."""
    return Many(Discrete(SCALARS), most)


def to_letters(texts: Sequence[str]) -> Batch:
    """The characters of all texts end to end.

    >>> to_letters(["ab", "龙"]).elements.tensor
    tensor([   97,    98, 40857])
    """
    points = np.frombuffer("".join(texts).encode("utf-32-le", "surrogatepass"), np.uint32).astype(np.int64)
    return Batch(Batch(torch.from_numpy(points)), length=torch.tensor([len(t) for t in texts], dtype=torch.long))


def from_letters(batch: Batch) -> list[str]:
    """The texts; halves of surrogate pairs, which are no characters, become U+FFFD.

    >>> from_letters(to_letters(["ab", "", "龙"]))
    ['ab', '', '龙']
    """
    points, ends = batch.elements.tensor.numpy().astype(np.uint32), batch.lengths.cumsum(0).tolist()
    return [points[a:b].tobytes().decode("utf-32-le", "replace") for a, b in zip([0, *ends], ends, strict=False)]
