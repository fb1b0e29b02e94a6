"""Captions: short texts beside items, as the words that a model is told; words of any script."""
from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn.functional import pad

from .batch import Batch
from .space import Discrete, Many

MOST_WORDS, LONGEST, SPREAD = 4096, 64, 0.02
_WORD = re.compile(r"[\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff]|[^\W_]+", re.UNICODE)  # scripts without spaces go by the character


def words_of(text: str) -> list[str]:
    """The words of a text in small letters, without signs.

    >>> words_of("A red circle, 左边的圆")
    ['a', 'red', 'circle', '左', '边', '的', '圆']
    """
    return _WORD.findall(text.lower())


@dataclass(frozen=True)
class Vocabulary:
    """The words that captions are told by, one more number for any other; `most` of a caption count.

    >>> Vocabulary(("red", "blue"), 3).batch(["Red and blue and red"]).elements.tensor
    tensor([0, 2, 1])
    """

    words: tuple[str, ...]
    most: int

    @classmethod
    def learned(cls, texts: Sequence[str]) -> Vocabulary:
        """The commonest words of some captions."""
        told = [words_of(t) for t in texts]
        count = Counter(word for one in told for word in one)
        words = sorted(count, key=lambda w: (-count[w], w))[:MOST_WORDS]
        return cls(tuple(words), min(LONGEST, max([1, *map(len, told)])))

    @property
    def space(self) -> Many:
        """Sequences of words."""
        return Many(Discrete(len(self.words) + 1), self.most)

    def tells(self, text: str) -> bool:
        """Whether any word of a text was in a caption."""
        return any(w in self.words for w in words_of(text))

    def batch(self, texts: Sequence[str]) -> Batch:
        """Captions as numbers of words; one without words tells nothing."""
        place = {w: i for i, w in enumerate(self.words)}
        told = [[place.get(w, len(place)) for w in words_of(t)[:self.most]] for t in texts]
        return Batch(Batch(torch.tensor([i for one in told for i in one], dtype=torch.long)), length=torch.tensor([len(one) for one in told], dtype=torch.long))


@dataclass(frozen=True, eq=False)
class Captions:
    """A text beside every item, and the words that they are made of."""

    texts: Sequence[str]
    vocabulary: Vocabulary

    @classmethod
    def of(cls, texts: Sequence[str]) -> Captions:
        """Captions with the vocabulary learned from them."""
        return cls(texts, Vocabulary.learned(texts))

    def batch(self, index: Tensor) -> Batch:
        """The captions of some items."""
        return self.vocabulary.batch([self.texts[i] for i in index.tolist()])


class Reader(nn.Module):
    """Captions word by word: a token before the first, whose vector sums the caption up, then `layers` layers in which all look at all."""

    def __init__(self, words: int, most: int, width: int, layers: int) -> None:
        super().__init__()
        self.words, self.most = words, most
        self.embed = nn.Embedding(words + 2, width)   # one more stands before every caption, one fills up
        self.place = nn.Parameter(SPREAD * torch.randn(most + 1, width))
        nn.init.normal_(self.embed.weight, std=SPREAD)
        one = [nn.TransformerEncoderLayer(width, max(1, width // 32), 2 * width, 0.0, "gelu", batch_first=True, norm_first=True) for _ in range(layers)]
        self.layers, self.norm = nn.ModuleList(one), nn.LayerNorm(width)

    def forward(self, captions: Batch, told: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Vectors (B, 1 + most, width), and where there is a word, (B, 1 + most); a caption is empty that is not `told`, (B,)."""
        codes = captions.padded(self.words + 1)
        codes = pad(codes, (0, self.most - codes.shape[1]), value=self.words + 1)
        codes = codes if told is None else codes.where(told[:, None], self.words + 1)
        codes = pad(codes, (1, 0), value=self.words).to(self.place.device)
        there = codes <= self.words
        h = self.embed(codes) + self.place
        for layer in self.layers:
            h = layer(h, src_key_padding_mask=~there)
        return self.norm(h), there
