"""Multiple choice by likelihood: which option a model finds likeliest, as such and by length; and which letters and places it prefers, whatever stands there."""
from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ilk.chat import Turn, Weighs
from ilk.errors import DataError
from ilk.rng import Rng

from ._arrays import Numbers, resampled

LETTERS = "ABCDEFGHIJ"
_BARE = {"en": ("Question: {}\nAnswer:", " {}"), "zh": ("问题：{}\n答案：", "{}")}
_LETTER = {"en": "Answer with one letter.", "zh": "请只用一个字母回答。"}


@dataclass(frozen=True)
class Weighed:
    """The nats of each option after its question: `whole`, and by how many `tokens` and `characters` it has, (options,) each."""

    whole: Numbers
    tokens: Numbers
    characters: Numbers

    def picked(self) -> dict[str, int]:
        """The number of the likeliest option: of the whole, per token, and per character. They differ where options differ in length."""
        return {"whole": int(self.whole.argmax()), "per token": int((self.whole / self.tokens).argmax()), "per character": int((self.whole / self.characters).argmax())}


def weighed(model: Weighs, question: str, options: Sequence[str], language: str = "en") -> Weighed:
    """Each option as the answer that follows the bare question, so that neither letters nor places matter."""
    if not 2 <= len(options) <= len(LETTERS):
        raise DataError(f"{len(options)} options", code="SHAPE", remedy=f"2 to {len(LETTERS)}")
    before, answer = _BARE.get(language, _BARE["en"])
    found = [model.weigh(answer.format(option), before.format(question)) for option in options]
    return Weighed(np.array([sum(t.nats for t in tokens) for tokens in found]), np.array([max(1, len(t)) for t in found], dtype=np.float64),
                   np.array([max(1, len(o)) for o in options], dtype=np.float64))


def lettered(question: str, options: Sequence[str], language: str = "en") -> Turn:
    """The question with its options under letters."""
    listed = "\n".join(f"{letter}. {option}" for letter, option in zip(LETTERS, options, strict=False))
    return Turn.of("user", f"{question}\n{listed}\n{_LETTER.get(language, _LETTER['en'])}")


@dataclass(frozen=True)
class LetterBias:
    """Questions asked once for each place of their options, which are turned round by one each time.

    `accuracy` by place of the true option; `letters`: how often each is chosen, which without bias is alike; `bias` is half the sum of the distances from that
    (0: none, near 1: always the same letter; a few questions show some by chance); `steady`: the share of questions in which the same option is chosen wherever it stands.
    """

    accuracy: tuple[float, ...]
    interval: tuple[float, float]
    letters: tuple[float, ...]
    bias: float
    bias_interval: tuple[float, float]
    steady: float
    n: int


def letter_bias(model: Weighs, questions: Sequence[tuple[str, Sequence[str], int]], language: str = "en") -> LetterBias:
    """How much letters and places sway a model, over questions (text, options, number of the true one) of as many options each."""
    sizes = {len(options) for _, options, _ in questions}
    if len(sizes) != 1:
        raise DataError("questions have unlike numbers of options, or there are none", code="SHAPE", remedy="as many options in each")
    k = sizes.pop()
    picked = np.array([[_letter(model, question, [options[(p + turn) % k] for p in range(k)], language) for turn in range(k)] for question, options, _ in questions])
    return turned(picked, np.array([true for *_, true in questions]))


def turned(picked: NDArray[Any], truth: NDArray[Any]) -> LetterBias:
    """The figures of chosen places (questions, turns), the options having been moved down by as many places as the number of the turn."""
    n, k = picked.shape
    option = (picked + np.arange(k)) % k
    right = option == truth[:, None]
    place = (truth[:, None] - np.arange(k)) % k
    letters = np.stack([(picked == letter).mean(1) for letter in range(k)], 1)
    rng = Rng(0).child("letter_bias")
    return LetterBias(tuple(float(right[place == p].mean()) for p in range(k)), resampled(lambda v: float(v.mean()), [right.mean(1)], rng),
                      tuple(letters.mean(0).tolist()), _uneven(letters), resampled(_uneven, [letters], rng), float((option == option[:, :1]).all(1).mean()), n)


def _uneven(letters: Numbers) -> float:
    """How far the letters chosen, (questions, letters), are from being chosen alike: the distance in total variation."""
    return float(np.abs(letters.mean(0) - 1 / letters.shape[1]).sum() / 2)


def _letter(model: Weighs, question: str, options: Sequence[str], language: str) -> int:
    turn = lettered(question, options, language)
    return int(np.argmax([sum(t.nats for t in model.weigh(LETTERS[i], [turn])) for i in range(len(options))]))
