"""Coders: numbers with the laws they come from as words of a stream (constriction: range coding and ANS)."""
from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ilk.errors import ModelError, UsageError

Words = NDArray[np.uint32]
Said = tuple[NDArray[np.int32], NDArray[np.float32]]


def stream() -> Any:
    """The library; UsageError if it is not installed."""
    try:
        from constriction import stream as found
    except ImportError:
        raise UsageError("packing needs the library constriction", code="EXTRA", remedy="pip install 'ilk[pack]'") from None
    return found


def shares(law: Tensor) -> NDArray[np.float32]:
    """Log weights as shares: evenly where nothing is possible. The coder leaves no value without a share of 2^-24."""
    law = law.double()
    top = law.amax(1, keepdim=True)
    mass = (law - top.where(top.isfinite(), 0.0)).exp()
    total = mass.sum(1, keepdim=True)
    good = total.isfinite() & (total > 0)
    share: NDArray[np.float32] = (mass / total).where(good, 1.0).float().numpy()
    return share


class Coder:
    """What all have in common: a family of laws, and bytes aside, which are read in the order they were kept in."""

    def __init__(self, kept: list[bytes] | None = None) -> None:
        self.stream, self.kept = stream(), [] if kept is None else kept
        self.family = self.stream.model.Categorical(perfect=False)

    def aside(self, data: bytes | None) -> bytes:
        """Bytes that no law is of."""
        if data is not None:
            self.kept.append(data)
            return data
        if not self.kept:
            raise ModelError("the pack holds less than it says", code="PACK_DAMAGED")
        return self.kept.pop(0)


class Writer(Coder):
    """A queue that is written."""

    def __init__(self) -> None:
        super().__init__()
        self.coder = self.stream.queue.RangeEncoder()

    def __call__(self, law: Tensor, truth: Tensor | None) -> Tensor:
        """Writes the numbers."""
        if truth is None:
            raise TypeError("there is nothing to write")
        if law.shape[1] > 1 and len(law):
            self.coder.encode(truth.numpy().astype(np.int32), self.family, shares(law).astype(np.float64))
        return truth

    def words(self) -> Words:
        """All that was written."""
        found: Words = self.coder.get_compressed()
        return found


class Reader(Coder):
    """A queue that is read."""

    def __init__(self, words: Words, kept: list[bytes]) -> None:
        super().__init__(kept)
        self.coder = self.stream.queue.RangeDecoder(words)

    def __call__(self, law: Tensor, truth: Tensor | None) -> Tensor:
        """Reads the numbers."""
        if law.shape[1] == 1 or not len(law):
            return torch.zeros(len(law), dtype=torch.long)
        return _read(self.coder, self.family, shares(law))


def _read(coder: Any, family: Any, share: NDArray[np.float32]) -> Tensor:
    try:
        return torch.from_numpy(coder.decode(family, share.astype(np.float64)).astype(np.int64))
    except AssertionError:
        raise ModelError("the packed stream can't be read by this model", code="PACK_DAMAGED") from None


class Stack(Coder):
    """A stack of words: what is pushed last is popped first. `words` lie at its bottom at the start."""

    def __init__(self, words: Words, kept: list[bytes] | None = None) -> None:
        super().__init__(kept)
        self.numbers = 0   # of laws popped by
        try:
            self.coder = self.stream.stack.AnsCoder(words)
        except ValueError:
            raise ModelError("the packed stream can't be read", code="PACK_DAMAGED") from None

    def __call__(self, law: Tensor, truth: Tensor | None) -> Tensor:
        """Pops numbers of the law; what is known is of no use to it."""
        if law.shape[1] == 1 or not len(law):
            return torch.zeros(len(law), dtype=torch.long)
        self.numbers += law.numel()
        return _read(self.coder, self.family, shares(law))

    def aside(self, data: bytes | None) -> bytes:
        """The bytes pushed last."""
        if data is not None or not self.kept:
            raise ModelError("the pack holds less than it says", code="PACK_DAMAGED")
        return self.kept.pop()

    @property
    def size(self) -> int:
        """How many words lie on it."""
        return int(self.coder.num_words())

    def words(self) -> Words:
        """All of them."""
        found: Words = self.coder.get_compressed()
        return found


class Push(Coder):
    """Numbers to push on a stack, remembered until all are said, so that they can be popped in the order they were said in."""

    def __init__(self, stack: Stack) -> None:
        super().__init__()
        self.stack, self.waiting = stack, list[Said]()

    def __call__(self, law: Tensor, truth: Tensor | None) -> Tensor:
        """Remembers the numbers."""
        if truth is None:
            raise TypeError("there is nothing to write")
        if law.shape[1] > 1 and len(law):
            self.waiting.append((truth.numpy().astype(np.int32), shares(law)))
        return truth

    def done(self) -> None:
        """Pushes them, the last first."""
        for symbols, share in reversed(self.waiting):
            self.stack.coder.encode_reverse(symbols, self.family, share.astype(np.float64))
        self.stack.kept += reversed(self.kept)
