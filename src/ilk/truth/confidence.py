"""How sure a model is: by the chances of its tokens, and by whether it says the same again."""
from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from math import exp, log

import numpy as np

from ilk.chat import Answer, Chat, Embeds, Token, Turn, Want
from ilk.errors import DataError, UsageError
from ilk.metrics._texts import SPACELESS

_ARTICLE = re.compile(r"\b(?:a|an|the)\b")
_SPACED = re.compile(f"(?<=[{SPACELESS}])\\s+|\\s+(?=[{SPACELESS}])")


def normal(text: str) -> str:
    """A short answer as SQuAD compares it (Rajpurkar et al. 2016): small letters, no punctuation, no articles, single spaces; none beside Chinese characters.

    >>> normal("The  Eiffel Tower!"), normal("《 红楼梦 》。")
    ('eiffel tower', '红楼梦')
    """
    plain = "".join(" " if c.isspace() else c for c in unicodedata.normalize("NFKC", text).lower() if not unicodedata.category(c).startswith(("P", "C")) or c.isspace())
    return _SPACED.sub("", " ".join(_ARTICLE.sub(" ", plain).split()))


@dataclass(frozen=True)
class Confidence:
    """Of the tokens of an answer: `mean` and `least` nats, `total` nats of the whole, and the mean `entropy` at each place.

    The entropy is over the token and the alternatives that were told, all others taken as one: at most the true one. None where no alternatives were told.
    """

    mean: float
    least: float
    total: float
    entropy: float | None
    n: int

    @property
    def score(self) -> float:
        """The geometric mean of the tokens' chances, from 0 to 1: higher is surer. It is no chance of being right: calibrate it."""
        return min(1.0, exp(self.mean))

    @property
    def weakest(self) -> float:
        """The least chance of a token, from 0 to 1."""
        return min(1.0, exp(self.least))


def confidence(tokens: Sequence[Token]) -> Confidence:
    """How sure a model was of the tokens that it made (asked with `Want(alternatives=k)`), or gives to a text (`Weighs.weigh`).

    >>> from ilk.chat import Token
    >>> confidence([Token("Par", -0.1, (("Ly", -2.5),)), Token("is", -0.3, (("ma", -1.4),))]).score
    0.818...
    """
    if not tokens:
        raise DataError("there are no tokens with their nats", code="EMPTY", remedy="ask with Want(alternatives=0) or more of a backend that tells them")
    nats = np.array([t.nats for t in tokens], dtype=np.float64)
    if np.isnan(nats).any():
        raise DataError("a token has no chance but NaN", code="NAN")
    told = all(t.others for t in tokens)
    return Confidence(float(nats.mean()), float(nats.min()), float(nats.sum()), float(np.mean([_entropy(t) for t in tokens])) if told else None, len(nats))


def _entropy(token: Token) -> float:
    known = [exp(token.nats), *(exp(nats) for _, nats in token.others)]
    return sum(-p * log(p) for p in (*known, max(0.0, 1 - sum(known))) if p > 0)


@dataclass(frozen=True)
class Agreement:
    """Several answers to one question: the first of the largest group, the `share` of answers in it, and the group of each answer.

    `entropy` is that of the groups in nats (semantic entropy, Kuhn et al. 2023): 0 where all say the same.
    """

    answer: str
    share: float
    entropy: float
    groups: tuple[int, ...]
    answers: tuple[str, ...]


def agreement(answers: Sequence[str], read: Callable[[str], str] = normal, embeds: Embeds | None = None, near: float = 0.9) -> Agreement:
    """Groups answers that say the same: that `read` makes the same text of, or whose vectors are all at least `near` to each other.

    >>> found = agreement(["Paris.", "paris", "Lyon"])
    >>> found.answer, round(found.share, 2)
    ('Paris.', 0.67)
    """
    if not answers:
        raise DataError("there are no answers", code="EMPTY", remedy="at least one")
    if embeds is not None and not 0 < near <= 1:
        raise UsageError(f"answers can't be as near as {near}", code="OPTION", param="near", remedy="above 0, at most 1")
    groups = _equal([read(a) for a in answers]) if embeds is None else _near(embeds.embed(answers) @ embeds.embed(answers).T, near)
    sizes = Counter(groups)
    largest, n = min(sizes, key=lambda g: (-sizes[g], g)), len(answers)
    return Agreement(answers[groups.index(largest)], sizes[largest] / n, sum(-c / n * log(c / n) for c in sizes.values() if c < n), tuple(groups), tuple(answers))


def _equal(keys: Sequence[str]) -> list[int]:
    first: dict[str, int] = {}
    return [first.setdefault(key, len(first)) for key in keys]


def _near(alike: np.ndarray, near: float) -> list[int]:
    """Each answer to the first group all of whose members it is near to."""
    members: list[list[int]] = []
    for i in range(len(alike)):
        home = next((g for g in members if all(alike[i, j] >= near for j in g)), None)
        if home is None:
            members.append(home := [])
        home.append(i)
    return [next(k for k, g in enumerate(members) if i in g) for i in range(len(alike))]


def consistent(model: Chat, turns: Sequence[Turn], n: int = 5, want: Want | None = None, read: Callable[[str], str] = normal) -> Agreement:
    """Asks n times, with seeds that follow each other, and groups the answers (self-consistency, Wang et al. 2023). Wants a temperature above 0.

    >>> from ilk.backend import chat_at
    >>> consistent(chat_at("echo:Paris"), [Turn.of("user", "The capital of France?")], 3).share
    1.0
    """
    want = want or Want(temperature=0.7)
    if n < 2 or not want.temperature:
        raise UsageError("self-consistency needs answers that can differ", code="OPTION", param="n", remedy="at least 2 answers, a temperature above 0")
    made = [Answer.of(model.chat(turns, replace(want, seed=want.seed + i))).text for i in range(n)]
    return agreement(made, read)
