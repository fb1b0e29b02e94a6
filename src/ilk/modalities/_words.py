"""A small law of short texts: characters one by one, each given the one before, mixed with how common it is."""
from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import log
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ilk.rng import Rng, choose

MOST, OTHERS = 2000, 0x110000 - 2048


@dataclass(frozen=True, eq=False)
class WordLaw:
    """p(missing), and a first-order Markov chain over an alphabet, one value for any other character, and the end.

    `counts` is (k + 2, k + 2): from the start (row k + 1) or a character, to a character (other: k) or the end (k + 1).
    """

    alphabet: str
    counts: Tensor
    missing: float

    @classmethod
    def learned(cls, texts: Sequence[str | None]) -> WordLaw:
        """Counts over the texts that are there."""
        there = [t[:MOST] for t in texts if t is not None]
        alphabet = "".join(sorted(set("".join(there))))
        k = len(alphabet)
        counts = torch.zeros((k + 2) * (k + 2), dtype=torch.float64)
        if there:
            codes = [cls._codes(alphabet, t) for t in there]
            flat = np.concatenate([np.concatenate([[k + 1], c, [k + 1]]) for c in codes])
            pairs = torch.from_numpy(flat[:-1] * (k + 2) + flat[1:])
            ends = np.cumsum([len(c) + 2 for c in codes])[:-1] - 1  # the end of one is not followed by the start of the next
            keep = torch.ones(len(pairs), dtype=torch.bool)
            keep[torch.from_numpy(ends)] = False
            counts.index_add_(0, pairs[keep], torch.ones(int(keep.sum()), dtype=torch.float64))
        return cls(alphabet, counts.reshape(k + 2, k + 2), (len(texts) - len(there) + 0.5) / (len(texts) + 1))

    @staticmethod
    def _codes(alphabet: str, text: str) -> Any:
        points = np.frombuffer(text.encode("utf-32-le"), dtype=np.uint32).astype(np.int64)
        known = np.frombuffer(alphabet.encode("utf-32-le"), dtype=np.uint32).astype(np.int64)
        at = np.searchsorted(known, points).clip(0, max(0, len(known) - 1))
        return np.where(known[at] == points, at, len(known)) if len(known) else np.zeros_like(points)

    def table(self) -> Tensor:
        """Log law of the next character or the end, given the one before or the start; each row sums to 1."""
        total = self.counts.sum(0) + 0.5
        common = total / total.sum()
        kinds = (self.counts > 0).sum(1, keepdim=True).clamp_min(1)
        return ((self.counts + kinds * common) / (self.counts.sum(1, keepdim=True) + kinds)).log()

    def log_prob(self, texts: Sequence[str | None]) -> Tensor:
        """Log mass of each, (n,)."""
        table, k = self.table().numpy(), len(self.alphabet)
        other = log(OTHERS - k)
        out = []
        for text in texts:
            if text is None:
                out.append(log(self.missing))
                continue
            codes = np.concatenate([[k + 1], self._codes(self.alphabet, text), [k + 1]])
            out.append(float(table[codes[:-1], codes[1:]].sum() - other * (codes == k).sum()) + log(1 - self.missing))
        return torch.tensor(out, dtype=torch.float64)

    def sample(self, n: int, rng: Rng) -> list[str | None]:
        """New texts; a character that was never seen is drawn as U+FFFD's stead, uniformly."""
        table, k = self.table(), len(self.alphabet)
        gone = rng.child("missing").uniform(n) < self.missing
        state = torch.full((n,), k + 1)
        live, columns = torch.ones(n, dtype=torch.bool), []
        for block in range(0, MOST, 64):
            noise = rng.child("characters", block).uniform(n, 64)
            for t in range(64):
                state = choose(table, noise[:, t], state).where(live, torch.tensor(k + 1))
                live &= state != k + 1
                columns.append(state)
                if not bool(live.any()):
                    break
            if not bool(live.any()):
                break
        rows = torch.stack(columns, 1).tolist()
        return [None if g else self._text(row, k) for row, g in zip(rows, gone.tolist(), strict=True)]

    def _text(self, row: list[int], k: int) -> str:
        stop = row.index(k + 1) if k + 1 in row else len(row)
        return "".join(self.alphabet[c] if c < k else "\ufffd" for c in row[:stop])

    def state(self) -> dict[str, Any]:
        """As JSON."""
        return {"alphabet": self.alphabet, "counts": self.counts.flatten().tolist(), "missing": self.missing}

    @classmethod
    def restored(cls, facts: Mapping[str, Any]) -> WordLaw:
        """Takes it back."""
        k = len(facts["alphabet"]) + 2
        return cls(facts["alphabet"], torch.tensor(facts["counts"], dtype=torch.float64).reshape(k, k), facts["missing"])
