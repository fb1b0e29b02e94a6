"""Texts as pieces of words: byte-pair encoding by the `tokenizers` library."""
from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from torch import Tensor

from ..batch import Batch
from ..errors import ModelError
from ..modality import Codec, Lowered, Modality
from ..rng import Rng
from ..rules import Test
from ..space import Discrete, Many
from ..store import State
from ._tokens import Ends, Texts, end_to_end, fact, joined, room


class BPE(Codec[Texts]):
    """Byte-pair encoding (Sennrich et al. 2016) on bytes, so that any text can be coded; learned from the training texts.

    A text can be cut into pieces in many ways and only one is scored, so a text's score is a lower bound.
    """

    def __init__(self, tokenizer: Tokenizer, at_most: int) -> None:
        self.keeps, self.tokenizer, self.at_most = "many_to_one", tokenizer, at_most
        self.space = Many(Discrete(tokenizer.get_vocab_size()), at_most)

    @classmethod
    def learned(cls, modality: Modality[Texts], train: Texts) -> BPE:
        """Merges the most frequent pairs until there are as many pieces as the modality's `vocabulary`."""
        joined(train, "utf-8")
        tokenizer = Tokenizer(models.BPE())
        tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
        tokenizer.decoder = decoders.ByteLevel()
        tokenizer.train_from_iterator(train, trainers.BpeTrainer(
            vocab_size=getattr(modality, "vocabulary", 1024), show_progress=False, initial_alphabet=pre_tokenizers.ByteLevel.alphabet()))
        return cls(tokenizer, room(max(map(len, _ids(tokenizer, train)), default=0)))

    @classmethod
    def restored(cls, modality: Modality[Texts], state: State) -> BPE:
        """From the tokenizer's own JSON."""
        text, at_most = fact(state, str, "tokenizer")
        try:
            tokenizer = Tokenizer.from_str(text)
        except Exception as why:  # the library raises nothing more exact
            raise ModelError(f"the model's tokenizer can't be read: {why}", code="MODEL_DAMAGED") from None
        if sorted(tokenizer.get_vocab().values()) != list(range(tokenizer.get_vocab_size())) or tokenizer.get_vocab_size() < 256:
            raise ModelError("the model's tokenizer has gaps in its vocabulary", code="MODEL_DAMAGED")
        return cls(tokenizer, at_most)

    def state(self) -> State:
        """The tokenizer's own JSON, which other tools read too."""
        return State(facts={"tokenizer": self.tokenizer.to_str(), "at_most": self.at_most})

    def encode(self, items: Texts, rng: Rng) -> Batch:
        """All pieces end to end."""
        joined(items, "utf-8")
        ids = _ids(self.tokenizer, items)
        return end_to_end(np.concatenate([np.zeros(0, np.int64), *map(np.array, ids)]), list(map(len, ids)), self.at_most, "pieces")

    def decode(self, batch: Batch, rng: Rng) -> Texts:
        """The texts."""
        ids, ends = batch.elements.tensor.tolist(), batch.lengths.cumsum(0).tolist()
        made: Texts = self.tokenizer.decode_batch([ids[a:b] for a, b in zip([0, *ends], ends, strict=False)], skip_special_tokens=False)
        return made

    def pieces(self) -> Sequence[str | None]:
        """What each token stands for; None for one with part of a character in it."""
        found = self.tokenizer.decode_batch([[i] for i in range(self.tokenizer.get_vocab_size())], skip_special_tokens=False)
        return [None if "\ufffd" in text else text for text in found]

    def log_volume(self, items: Texts, rng: Rng) -> Tensor:
        """Nothing to add."""
        return torch.zeros(len(items), dtype=torch.float64)

    def given(self, tests: Sequence[Test]) -> Lowered[Texts]:
        """An end of a text may lie within a piece, so it is left to rejection."""
        Ends.of(tests)
        return Lowered(self, rest=tuple(tests))


def _ids(tokenizer: Tokenizer, items: Texts) -> list[list[int]]:
    return [found.ids for found in tokenizer.encode_batch_fast(items, add_special_tokens=False)]
