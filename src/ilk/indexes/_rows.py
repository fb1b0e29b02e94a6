"""What clients of other programs share: answers as arrays, and libraries that may not be there."""
from __future__ import annotations

from collections.abc import Iterable, Sequence
from importlib import import_module
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import UsageError
from ..vectors import Keys

Pairs = Iterable[tuple[int, float]]   # keys and inner products


def library(name: str, extra: str) -> Any:
    """A library by its name; UsageError that names the extra it is in."""
    try:
        return import_module(name)
    except ImportError:
        raise UsageError(f"{name} is not installed", code="EXTRA", param="kind", remedy=f'pip install "ilk[{extra}]", or the kind exact') from None


def filled(rows: Sequence[Pairs], k: int) -> tuple[Keys, NDArray[Any]]:
    """The k best of each row, equal ones by key; filled up with -1 and -inf."""
    keys, products = np.full((len(rows), k), -1, np.int64), np.full((len(rows), k), -np.inf, np.float32)
    for i, row in enumerate(rows):
        for j, (key, product) in enumerate(sorted(row, key=lambda p: (-p[1], p[0]))[:k]):
            keys[i, j], products[i, j] = key, product
    return keys, products


def parts(keys: Sequence[int], most: int) -> Iterable[slice]:
    """Stretches of at most so many, for requests of a bounded size."""
    return (slice(i, i + most) for i in range(0, len(keys), most))
