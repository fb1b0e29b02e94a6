"""Near duplicates: texts whose runs of words are mostly the same, found by min-wise hashing (Broder, 1997) and then counted exactly."""
from __future__ import annotations

import hashlib
import zlib
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .words import words

RUN, ROWS, BANDS, FEWEST = 5, 8, 16, 20   # words a run; hashes a band; bands; runs that a text must have to be compared
Runs = NDArray[np.uint64]


def runs(text: str) -> Runs:
    """Hashes of the different runs of words of a text, in order of size."""
    said = [zlib.crc32(w.encode()) for w in words(text)]
    if len(said) < RUN:
        return np.empty(0, np.uint64)
    numbers = np.lib.stride_tricks.sliding_window_view(np.array(said, np.uint64), RUN)
    return np.unique((numbers * _odd(RUN)).sum(1, dtype=np.uint64))


def _odd(n: int) -> Runs:
    return np.frombuffer(hashlib.shake_128(b"runs of words").digest(8 * n), np.uint64) | np.uint64(1)


def sketch(found: Runs) -> bytes:
    """The least of each of several hashes of the runs, 4 bytes each; b"" for a text that is too short to be compared."""
    if len(found) < FEWEST:
        return b""
    least = np.full(ROWS * BANDS, 2**32 - 1, np.uint32)
    for at in range(0, len(found), 4096):
        mixed = found[at:at + 4096, None] * _odd(RUN + ROWS * BANDS)[RUN:]
        mixed ^= mixed >> np.uint64(29)
        least = np.minimum(least, ((mixed * np.uint64(0x9E3779B97F4A7C15)) >> np.uint64(32)).astype(np.uint32).min(0))
    return least.tobytes()


def alike(one: Runs, other: Runs) -> float:
    """How many of the runs of either are in both (Jaccard)."""
    both = len(np.intersect1d(one, other, assume_unique=True))
    return both / max(1, len(one) + len(other) - both)


class Sketches:
    """Documents by the bands of their sketches."""

    def __init__(self) -> None:
        self.bands: dict[tuple[int, bytes], list[str]] = {}

    def add(self, name: str, sketch: bytes) -> None:
        """Takes a document in."""
        for band in _bands(sketch):
            self.bands.setdefault(band, []).append(name)

    def like(self, sketch: bytes) -> list[str]:
        """Documents that share a band: those worth comparing."""
        return list(dict.fromkeys(name for band in _bands(sketch) for name in self.bands.get(band, ())))


def _bands(sketch: bytes) -> list[Any]:
    return [(i, sketch[i:i + 4 * ROWS]) for i in range(0, len(sketch), 4 * ROWS)]
