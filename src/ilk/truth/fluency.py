"""How well a model foretells a text: nats by token, character and byte, in windows that are told."""
from __future__ import annotations

import lzma
from collections.abc import Iterator
from dataclasses import dataclass
from math import exp, log

import numpy as np

from ilk.chat import Weighs
from ilk.errors import DataError, UsageError

BLOCKS = 20


@dataclass(frozen=True)
class Perplexity:
    """Nats of a whole text. Models with unlike tokens are compared by characters or bytes; by tokens only if the tokens are the same.

    `bits_per_byte` has a standard error from up to 20 stretches of the text, and a `floor`: what xz needs for it, which has learned nothing.
    """

    nats: float
    tokens: int
    characters: int
    bytes: int
    error: float | None
    floor: float
    how: str

    @property
    def per_token(self) -> float:
        """The perplexity: e to the nats per token."""
        return exp(min(700.0, self.nats / self.tokens))

    @property
    def bits_per_character(self) -> float:
        """Bits per character."""
        return self.nats / log(2) / self.characters

    @property
    def bits_per_byte(self) -> float:
        """Bits per byte of UTF-8."""
        return self.nats / log(2) / self.bytes


def perplexity(model: Weighs, text: str, stride: int = 500, before: int = 500) -> Perplexity:
    """The text in stretches of `stride` characters, each after the `before` characters that precede it: every character is counted once, the first after nothing.

    A longer `before` is fairer to the model and slower. Stretches begin at white space where there is any, for the sake of tokens.
    """
    if not text:
        raise DataError("the text is empty", code="EMPTY", remedy="a text of some thousand characters")
    if stride < 1 or before < 0:
        raise UsageError("a stride has at least one character", code="OPTION", param="stride", remedy="such as 500")
    found, sizes, tokens = [], [], 0
    for a, b in _stretches(text, stride):
        weighed = model.weigh(text[a:b], text[max(0, a - before):a])
        found.append(sum(t.nats for t in weighed))
        sizes.append(len(text[a:b].encode("utf-8", "replace")))
        tokens += len(weighed)
    if not tokens or not np.isfinite(sum(found)):
        raise DataError("the model gives a part of the text no chance at all" if tokens else "the model sees no tokens in the text", code="IMPOSSIBLE")
    whole = text.encode("utf-8", "replace")
    return Perplexity(-float(sum(found)), tokens, len(text), len(whole), _error(np.array(found), np.array(sizes)), 8 * len(lzma.compress(whole)) / len(whole),
                      f"{len(found)} stretches of at most {stride} characters, each after at most {before} before it")


def _stretches(text: str, stride: int) -> Iterator[tuple[int, int]]:
    """Places that cover the text; each but the last ends before white space, if there is some in its second half."""
    at = 0
    while at < len(text):
        end = min(len(text), at + stride)
        if end < len(text):
            end = next((i for i in range(end, at + stride // 2, -1) if text[i].isspace()), end)
        yield at, max(end, at + 1)
        at = max(end, at + 1)


def _error(nats: np.ndarray, sizes: np.ndarray) -> float | None:
    """The standard error of bits per byte as a ratio of sums over stretches."""
    parts = [np.arange(i, len(nats), min(BLOCKS, len(nats))) for i in range(min(BLOCKS, len(nats)))]
    if len(parts) < 4:
        return None
    x, y = (np.array([v[p].sum() for p in parts], dtype=np.float64) for v in (-nats / log(2), sizes))
    return float(np.std(x - y * x.sum() / y.sum(), ddof=1) * np.sqrt(len(parts)) / y.sum())
