"""Shapes of answers as masks of tokens."""
from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ..chat import Shape
from ..errors import UsageError
from ._shapes import grammar, library


def vocabulary(tokenizer: Any, size: int, ends: Collection[int]) -> Any:
    """The tokens of a fast tokenizer of transformers, for masks of `size` places."""
    library()
    from llguidance.hf import from_tokenizer

    try:
        return from_tokenizer(tokenizer, n_vocab=size, eos_token=sorted(ends) or None)
    except ValueError as why:
        raise UsageError(f"answers of this model can't be given a shape: {why}"[:300], code="SHAPE", param="shape", remedy="a model with a fast tokenizer") from None


def vocabulary_of(text: str, end: int) -> Any:
    """A tokenizer of the library tokenizers, for masks."""
    return library().LLTokenizer(text, eos_token=end)


@dataclass
class Masked:
    """Where an answer stands in its shape."""

    matcher: Any
    size: int

    @property
    def whole(self) -> bool:
        """Whether the answer may end here."""
        return bool(self.matcher.is_accepting())

    def allowed(self, size: int) -> Tensor | None:
        """Which tokens may come next, (size,), those that end the answer among them where it is whole; None where nothing may follow."""
        if self.matcher.is_stopped():
            return None
        packed = library().numpy.allocate_token_bitmask(1, self.size)
        library().numpy.fill_next_token_bitmask(self.matcher, packed, 0)
        bits = np.unpackbits(packed[0].view(np.uint8), bitorder="little")[:size].astype(bool)
        return torch.from_numpy(bits)

    def take(self, token: int) -> None:
        """The token that was drawn."""
        if not self.matcher.consume_token(token):
            raise UsageError(f"the shape can't be followed: {self.matcher.get_error()}"[:300], code="SHAPE", param="shape", remedy="a simpler one")


def masks(shape: Shape, known: Any) -> Masked:
    """A fresh answer's masks."""
    return Masked(library().LLMatcher(known, grammar(shape)), known.vocab_size)
