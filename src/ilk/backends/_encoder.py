"""An encoder of transformers as vectors of texts: the mean over tokens (or the first one, where the model's folder says so), of length 1."""
from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ..chat import Vectors
from ._turns import around

ROWS = 32   # texts at once


@dataclass(frozen=True, eq=False)
class Encoder:
    """A text longer than `window` tokens is read in pieces, and is the mean of theirs by their tokens: nothing is cut off.

    `module` and `tokenizer` are as transformers has them; an empty text is the vector of no words.
    """

    name: str
    module: torch.nn.Module
    tokenizer: Any
    window: int
    first: bool = False

    @property
    def size(self) -> int:
        """Numbers a vector has."""
        return int(self.module.config.hidden_size)  # type: ignore[union-attr, arg-type]

    def embed(self, texts: Sequence[str]) -> Vectors:
        """A vector a text, (n, size), in their order."""
        pieces = [(i, ids) for i, text in enumerate(texts) for ids in self._pieces(text)]
        order = sorted(range(len(pieces)), key=lambda p: len(pieces[p][1]))   # alike lengths side by side: little padding
        total = np.zeros((len(texts), self.size), dtype=np.float64)
        for at in range(0, len(order), ROWS):
            rows = [pieces[p] for p in order[at:at + ROWS]]
            for (i, ids), vector in zip(rows, self._vectors([ids for _, ids in rows]).double().numpy(), strict=True):
                total[i] += vector * len(ids)
        norm = np.linalg.norm(total, axis=1, keepdims=True)
        return (total / np.where(norm > 0, norm, 1)).astype(np.float32)

    def _pieces(self, text: str) -> list[list[int]]:
        """Tokens of a text, each piece with the marks that the model wants around it."""
        ids = self.tokenizer(text, add_special_tokens=False, split_special_tokens=True, verbose=False)["input_ids"]
        before, after = around(self.tokenizer)
        most = self.window - len(before) - len(after)
        return [[*before, *ids[at:at + most], *after] for at in range(0, max(1, len(ids)), most)]

    def _vectors(self, rows: Sequence[Sequence[int]]) -> Tensor:
        longest, at = max(map(len, rows)), next(self.module.parameters()).device
        there = torch.tensor([[1] * len(r) + [0] * (longest - len(r)) for r in rows], device=at)
        ids = torch.tensor([[*r, *[self.tokenizer.pad_token_id or 0] * (longest - len(r))] for r in rows], device=at)
        with torch.inference_mode():
            hidden = self.module(input_ids=ids, attention_mask=there).last_hidden_state
        pooled: Tensor = hidden[:, 0] if self.first else (hidden * there[..., None]).sum(1) / there.sum(1, keepdim=True)
        return torch.nn.functional.normalize(pooled.float(), dim=1).cpu()
