"""Texts as Unicode characters, all of them: the coding of models that bring a tokeniser of their own."""
from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from ..batch import Batch
from ..errors import DataError
from ..letters import from_letters, letters_space, to_letters
from ..modality import Codec, Lowered, Modality
from ..rng import Rng
from ..rules import Test
from ..store import State
from ._tokens import Ends, Texts, surrogates


class Points(Codec[Texts]):
    """One number a character: nothing is learned, nothing is lost."""

    keeps = "bijection"

    def __init__(self) -> None:
        self.space = letters_space()

    @classmethod
    def learned(cls, modality: Modality[Texts], train: Texts) -> Points:
        """Nothing to learn."""
        return cls()

    @classmethod
    def restored(cls, modality: Modality[Texts], state: State) -> Points:
        """As it always is."""
        return cls()

    def state(self) -> State:
        """Nothing."""
        return State()

    def encode(self, items: Texts, rng: Rng) -> Batch:
        """All characters end to end; DataError for halves of surrogate pairs."""
        if why := surrogates(items):
            raise DataError(f"a text has {why}", code="ENCODING", remedy="replace it with U+FFFD")
        return to_letters(items)

    def decode(self, batch: Batch, rng: Rng) -> Texts:
        """The texts."""
        return from_letters(batch)

    def log_volume(self, items: Texts, rng: Rng) -> Tensor:
        """Nothing to add."""
        return torch.zeros(len(items), dtype=torch.float64)

    def given(self, tests: Sequence[Test]) -> Lowered[Texts]:
        """The beginning and the end are kept exactly."""
        return Ends.of(tests).lowered(self, lambda text: to_letters([text]).elements.tensor)
