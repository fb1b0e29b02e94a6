"""Tiny Shakespeare as characters, the counts to compare with, and the declared mixture of a network and counts."""
from __future__ import annotations

from dataclasses import dataclass
from math import log
from typing import Any

import numpy as np
import torch
from torch import Tensor

import ilk
from ilk.batch import Batch, Memory
from ilk.catalogue.load import whole
from ilk.families._windows import windows_of
from ilk.run import Run

ORDER, PIECE = 7, 1 << 18
PUBLISHED = {"nanoGPT, CPU setting": 1.88, "nanoGPT, baby GPU": 1.4697, "protocol": "random batches at contexts of 64 and 256, all positions"}


def one(x: Tensor) -> Batch:
    """A text as a batch."""
    return Batch(Batch(x), length=torch.tensor([len(x)]))


@dataclass(frozen=True, eq=False)
class Text:
    """A text in whole numbers below `size`; what is before `cut` is to learn from."""

    code: Tensor
    size: int
    cut: int

    @classmethod
    def shakespeare(cls) -> Text:
        """The first nine tenths to learn from."""
        text = whole("shakespeare")
        place = {c: i for i, c in enumerate(sorted(set(text)))}
        return cls(torch.tensor([place[c] for c in text]), len(place), int(0.9 * len(text)))

    @property
    def space(self) -> ilk.Many:
        """Sequences of its characters."""
        return ilk.Many(ilk.Discrete(self.size), 4 * len(self.code))

    @property
    def train(self) -> Memory:
        """What to learn from."""
        return Memory(one(self.code[:self.cut]))

    def counted(self) -> Tensor:
        """-log p of every character of the last part by Kneser-Ney counts of order 7, each given all before it."""
        model = ilk.NGram(order=ORDER).build(self.space, ilk.Rng(0))
        model.fit(self.train, Run())
        windows = windows_of(one(self.code), self.size, ORDER)
        asked = np.arange(self.cut, len(self.code))
        return torch.from_numpy(np.concatenate([-np.log(model.trie.of_windows(windows.at(asked[i:i + PIECE]))) for i in range(0, len(asked), PIECE)]))


def mixed(text: Text, nats: Tensor) -> dict[str, Any]:
    """Mean nats of counts alone, and of the mixture of halves with what a network gave to each character."""
    counts = text.counted()
    half = -(torch.stack([-counts, -nats.double()]).logsumexp(0) - log(2))
    return {"seven_gram": float(counts.mean()), "mixture": float(half.mean()), "mixture_of": "network and 7-gram at fixed weights of one half, probability by probability"}
