"""Texts as tokens: characters or bytes."""
from __future__ import annotations

from collections.abc import Callable, Sequence
from math import log
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ..batch import Batch
from ..coding import Say, even
from ..errors import DataError, ModelError, UsageError
from ..given import Begin, Between
from ..modality import Codec, Lowered, Modality
from ..rng import Rng
from ..rules import Test
from ..space import Discrete, Many
from ..store import State

Texts = list[str]
_SCALARS = 0x110000 - 0x800  # Unicode without surrogates
_SHORTEST, _BLOCK = 4096, 4


class Ends(NamedTuple):
    """What a text is given: how it begins and how it ends; None leaves that end free."""

    prefix: str | None = None
    suffix: str | None = None

    @classmethod
    def of(cls, tests: Sequence[Test]) -> Ends:
        """The ends that tests ask for; UsageError for anything else, since nothing else can be asked of a text."""
        asked: dict[str, list[str]] = {"prefix": [], "suffix": []}
        for test in tests:
            if test.part not in asked or test.sign != "==" or not isinstance(test.value, str):
                raise UsageError(f"a text can't be given {test}", code="GIVEN", param="given",
                                 remedy="a text can be given its beginning and its end: prefix == 'Once', suffix == '.'")
            if why := surrogates([test.value]):
                raise UsageError(f"the {test.part} has {why}", code="GIVEN", param="given")
            asked[test.part].append(test.value)
        return cls(_longest(asked["prefix"], "begins", str.startswith), _longest(asked["suffix"], "ends", str.endswith))

    def tests(self) -> tuple[Test, ...]:
        """One comparison for each end that is given."""
        return tuple(Test(name, "==", value) for name, value in zip(self._fields, self, strict=True) if value is not None)

    def holds(self, text: str) -> bool:
        """Whether a text begins and ends so."""
        return text.startswith(self.prefix or "") and text.endswith(self.suffix or "")

    def lowered(self, codec: Codec[Texts], code: Callable[[str], Tensor]) -> Lowered[Texts]:
        """As evidence on the tokens, for codecs that code the ends of a text as they would alone."""
        if self.suffix:
            return Lowered(codec, {"": Between((code(self.prefix or ""), code(self.suffix)))})
        return Lowered(codec, {} if self == Ends() else {"": Begin(code(self.prefix or ""))})


def _longest(asked: Sequence[str], does: str, holds: Callable[[str, str], bool]) -> str | None:
    """The longest of several ends, of which the others are ends; None for none."""
    longest = max(asked, key=len, default="")
    if other := [each for each in asked if not holds(longest, each)]:
        raise UsageError(f"contradictory: no text {does} both with {other[0]!r} and with {longest!r}", code="CONTRADICTION", param="given")
    return longest if asked else None


def surrogates(items: Texts) -> str | None:
    """Which item has half of a surrogate pair, which is no character and can't be written; None if none has."""
    try:
        "".join(items).encode("utf-8")
    except UnicodeEncodeError:
        number, text = next((i, t) for i, t in enumerate(items) if any("\ud800" <= c <= "\udfff" for c in t))
        place = next(i for i, c in enumerate(text) if "\ud800" <= c <= "\udfff")
        return f"half of a surrogate pair (item {number}, character {place})"
    return None


def room(longest: int) -> int:
    """How many tokens texts may have, given how many the longest has in training."""
    return max(4 * longest, _SHORTEST)


def end_to_end(codes: NDArray[Any], length: Sequence[int], at_most: int, unit: str) -> Batch:
    """Tokens of all items with the length of each; DataError for an item that is too long."""
    many = torch.tensor(length, dtype=torch.long)
    if len(many) and int(many.max()) > at_most:
        raise DataError(f"item {int(many.argmax())} has {int(many.max())} {unit}; the model takes at most {at_most}",
                        code="TOO_LONG", remedy="cut it into shorter items")
    return Batch(Batch(torch.from_numpy(codes.astype(np.int64))), length=many)


def joined(items: Texts, encoding: str) -> bytes:
    """All texts end to end; DataError for halves of surrogate pairs."""
    if why := surrogates(items):
        raise DataError(f"a text has {why}", code="ENCODING", remedy="replace it with U+FFFD")
    return "".join(items).encode(encoding)


def fact(state: State, kind: type[Any], name: str) -> tuple[Any, int]:
    """The named fact and `at_most`, checked."""
    fact, at_most = state.facts.get(name), state.facts.get("at_most")
    if not isinstance(fact, kind) or type(at_most) is not int or not 0 < at_most < 2**40:
        raise ModelError(f"the model's text codec has no good {name!r} and 'at_most'", code="MODEL_DAMAGED")
    return fact, at_most


class Characters(Codec[Texts]):
    """One token a character of the training texts, and one for all others: every text has a probability.

    The last token stands for a character never seen in training; it is drawn uniformly among those.
    """

    def __init__(self, alphabet: str, at_most: int) -> None:
        self.keeps, self.alphabet, self.at_most = "cells", alphabet, at_most
        self.space = Many(Discrete(len(alphabet) + 1), at_most)
        self._points = np.frombuffer(alphabet.encode("utf-32-le"), np.uint32)

    @classmethod
    def learned(cls, modality: Modality[Texts], train: Texts) -> Characters:
        """The characters of the training texts, in order."""
        points = np.unique(np.frombuffer(joined(train, "utf-32-le"), np.uint32))
        return cls(points.tobytes().decode("utf-32-le"), room(max(map(len, train), default=0)))

    @classmethod
    def restored(cls, modality: Modality[Texts], state: State) -> Characters:
        """From the alphabet."""
        alphabet, at_most = fact(state, str, "alphabet")
        if surrogates([alphabet]) or any(a >= b for a, b in zip(alphabet, alphabet[1:], strict=False)):
            raise ModelError("the alphabet of the model is not in order", code="MODEL_DAMAGED")
        return cls(alphabet, at_most)

    def state(self) -> State:
        """The alphabet."""
        return State(facts={"alphabet": self.alphabet, "at_most": self.at_most})

    def encode(self, items: Texts, rng: Rng) -> Batch:
        """All characters end to end."""
        return end_to_end(self._codes(items), list(map(len, items)), self.at_most, "characters")

    def decode(self, batch: Batch, rng: Rng) -> Texts:
        """The texts."""
        codes, length = batch.elements.tensor.numpy(), batch.lengths
        points = np.append(self._points, np.uint32(0))[codes]
        strange = codes == len(self.alphabet)
        if strange.any():
            points[strange] = self._unseen(torch.from_numpy(strange), length, rng)
        text, ends = points.tobytes().decode("utf-32-le"), length.cumsum(0).tolist()
        return [text[a:b] for a, b in zip([0, *ends], ends, strict=False)]

    def detailed(self, say: Say, batch: Batch, items: Texts | None) -> Texts:
        """The texts: characters never seen are said by their place among those."""
        codes, length = batch.elements.tensor, batch.lengths
        taken = torch.from_numpy(np.union1d(self._points.astype(np.int64), np.arange(0xD800, 0xE000)))
        points = torch.from_numpy(np.append(self._points, np.uint32(0)).astype(np.int64))[codes]
        strange = codes == len(self.alphabet)
        known = None if items is None else torch.from_numpy(np.frombuffer(joined(items, "utf-32-le"), np.uint32).astype(np.int64))[strange]
        rank = even(say, torch.full((int(strange.sum()),), 0x110000 - len(taken)), None if known is None else known - torch.searchsorted(taken, known))
        points[strange] = rank + torch.searchsorted(taken - torch.arange(len(taken)), rank, right=True)
        text, ends = points.numpy().astype(np.uint32).tobytes().decode("utf-32-le"), length.cumsum(0).tolist()
        return [text[a:b] for a, b in zip([0, *ends], ends, strict=False)]

    def pieces(self) -> Sequence[str | None]:
        """What each token stands for; None for the one that may be any character never seen."""
        return [*self.alphabet, None]

    def log_volume(self, items: Texts, rng: Rng) -> Tensor:
        """-log of how many characters it might have been, for each that was never seen, (B,)."""
        item = np.arange(len(items)).repeat(list(map(len, items)))
        many = np.bincount(item, self._codes(items) == len(self.alphabet), len(items))
        return torch.from_numpy(many * -log(max(1, _SCALARS - len(self.alphabet))))

    def given(self, tests: Sequence[Test]) -> Lowered[Texts]:
        """The beginning and the end are kept exactly; their characters must have been seen."""
        ends = Ends.of(tests)
        if strange := sorted({*(ends.prefix or ""), *(ends.suffix or "")} - set(self.alphabet)):
            raise UsageError(f"never seen in training: {', '.join(map(repr, strange[:5]))}", code="GIVEN", param="given",
                             remedy="give characters that the training texts have")
        return ends.lowered(self, lambda text: torch.from_numpy(self._codes([text])))

    def _codes(self, items: Texts) -> NDArray[np.int64]:
        points, known = np.frombuffer(joined(items, "utf-32-le"), np.uint32), self._points
        place = np.searchsorted(known, points)
        place[np.append(known, np.uint32(0xFFFFFFFF))[place] != points] = len(known)
        return place

    def _unseen(self, strange: Tensor, length: Tensor, rng: Rng) -> NDArray[np.uint32]:
        """Characters outside the alphabet for the marked elements; item i's draws are its own."""
        item = torch.arange(len(length)).repeat_interleave(length)[strange]
        many = torch.bincount(item, minlength=len(length))
        nth = torch.arange(len(item)) - (many.cumsum(0) - many)[item]
        blocks = [rng.child("unseen", b).uniform(len(length), _BLOCK) for b in range(-(-int(many.max()) // _BLOCK))]
        u = torch.cat(blocks, 1)[item, nth].numpy()
        taken = np.union1d(self._points.astype(np.int64), np.arange(0xD800, 0xE000))
        rank = (u * (0x110000 - len(taken))).astype(np.int64)
        return (rank + np.searchsorted(taken - np.arange(len(taken)), rank, side="right")).astype(np.uint32)


class Bytes(Codec[Texts]):
    """One token a byte of UTF-8. Bytes that are no UTF-8 decode to U+FFFD, so a text's score is a lower bound."""

    def __init__(self, at_most: int) -> None:
        self.keeps, self.at_most = "many_to_one", at_most
        self.space = Many(Discrete(256), at_most)

    @classmethod
    def learned(cls, modality: Modality[Texts], train: Texts) -> Bytes:
        """Nothing but how long texts are."""
        return cls(room(max((len(joined([t], "utf-8")) for t in train), default=0)))

    @classmethod
    def restored(cls, modality: Modality[Texts], state: State) -> Bytes:
        """From the length."""
        return cls(fact(state, int, "at_most")[1])

    def state(self) -> State:
        """The length."""
        return State(facts={"at_most": self.at_most})

    def encode(self, items: Texts, rng: Rng) -> Batch:
        """All bytes end to end."""
        return end_to_end(np.frombuffer(joined(items, "utf-8"), np.uint8), [len(t.encode()) for t in items], self.at_most, "bytes")

    def decode(self, batch: Batch, rng: Rng) -> Texts:
        """The texts."""
        data, ends = batch.elements.tensor.numpy().astype(np.uint8).tobytes(), batch.lengths.cumsum(0).tolist()
        return [data[a:b].decode("utf-8", "replace") for a, b in zip([0, *ends], ends, strict=False)]

    def pieces(self) -> Sequence[str | None]:
        """What each token stands for; None for one that is only part of a character."""
        return [chr(byte) if byte < 128 else None for byte in range(256)]

    def log_volume(self, items: Texts, rng: Rng) -> Tensor:
        """Nothing to add."""
        return torch.zeros(len(items), dtype=torch.float64)

    def given(self, tests: Sequence[Test]) -> Lowered[Texts]:
        """The bytes of the ends are kept: whole characters, so nothing between can change them."""
        return Ends.of(tests).lowered(self, lambda text: torch.tensor(list(text.encode()), dtype=torch.long))
