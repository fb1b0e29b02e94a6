"""A language model as the judge of two answers, with what its word is worth: both orders, several times, and how often it agrees with itself."""
from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from ilk.chat import Answer, Chat, Turn, Want
from ilk.errors import DataError, UsageError
from ilk.rng import Rng

from ._arrays import resampled

_ASK = {"en": "Question: {}\n\nAnswer A:\n{}\n\nAnswer B:\n{}\n\nWhich answer is better? Reply with the letter A or B only.",
        "zh": "问题：{}\n\n回答A：\n{}\n\n回答B：\n{}\n\n哪个回答更好？只回复字母A或B。"}
_LETTER = re.compile(r"(?<![A-Za-z])([AB])(?![A-Za-z])")


@dataclass(frozen=True)
class Judged:
    """What a judge says of pairs of answers (one, other), each seen in both orders.

    `preferred` is how often it takes the one, with a 95 % interval over pairs: an undecided or unreadable word counts one half. `swayed` is how often it takes
    what stands first, 0.5 being fair; `steady` how often both orders give the same winner; `agreeing` how often two repeats of one order do; `unread` the share of
    words that could not be read. A judge that is not steady says little, whatever it prefers.
    """

    preferred: float
    interval: tuple[float, float]
    swayed: float
    steady: float
    agreeing: float | None
    unread: float
    n: int


def judged(model: Chat, pairs: Sequence[tuple[str, str, str]], times: int = 2, language: str = "en", want: Want | None = None) -> Judged:
    """Asks a model which of two answers is better, for each (question, one, other), `times` in each order with other seeds.

    >>> from ilk.backend import chat_at
    >>> found = judged(chat_at("echo:A"), [("Why?", "x", "y"), ("How?", "u", "v")])
    >>> found.preferred, found.swayed, found.steady
    (0.5, 1.0, 0.0)
    """
    if not pairs:
        raise DataError("there are no pairs of answers", code="EMPTY", remedy="(question, one answer, another)")
    if times < 1:
        raise UsageError("a judge is asked at least once", code="OPTION", param="times")
    want = want or Want(most=8, temperature=0.7)
    ask = _ASK.get(language, _ASK["en"])
    first = np.array([[[_first(model, ask.format(q, *sides), want, t) for t in range(times)] for sides in ((one, other), (other, one))] for q, one, other in pairs])
    return told(first)


def told(first: NDArray[np.float64]) -> Judged:
    """The figures of words (pairs, 2 orders, times): 1 for what stood first, 0 for what stood second, NaN for what could not be read."""
    wins = np.nan_to_num(np.stack([first[:, 0], 1 - first[:, 1]], 1), nan=0.5)   # for the one, in both orders
    each, sides = wins.mean((1, 2)), np.sign(wins.mean(2) - 0.5)
    repeats = [first[:, :, a] == first[:, :, b] for a in range(first.shape[2]) for b in range(a)]
    return Judged(float(each.mean()), resampled(lambda v: float(v.mean()), [each], Rng(0).child("judged")), float(np.nan_to_num(first, nan=0.5).mean()),
                  float((sides[:, 0] * sides[:, 1] > 0).mean()), float(np.mean(repeats)) if repeats else None, float(np.isnan(first).mean()), len(first))


def _first(model: Chat, question: str, want: Want, time: int) -> float:
    """1 if it says A, 0 if B, NaN if neither or both."""
    said = set(_LETTER.findall(Answer.of(model.chat([Turn.of("user", question)], replace(want, seed=want.seed + time))).text))
    return float("nan") if len(said) != 1 else float(said == {"A"})
