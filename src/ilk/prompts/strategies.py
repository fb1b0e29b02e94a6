"""Ways of asking: without examples, with some, with reasoning first, by a vote of several answers."""
from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from math import sqrt
from typing import Annotated, Any, Literal

from annotated_types import Interval

from ilk.backend import embedder_at
from ilk.errors import UsageError
from ilk.prompts.template import Example, Template
from ilk.rng import Rng

Values = dict[str, Any]


@dataclass(frozen=True, kw_only=True)
class ZeroShot:
    """The prompt without examples."""

    def examples(self, prompt: Template, values: Values, rng: Rng) -> tuple[Example, ...]:
        """None."""
        return ()


@dataclass(frozen=True, kw_only=True)
class FewShot:
    """Examples first: `k` of those that the prompt holds and of `pool` (None: all, in their order).

    Chosen `first` come first; `random` draws them anew for each question; `nearest` takes those most like the question, the most alike last: by the
    vectors of an `embedder` (an address), else by runs of three characters that they share.
    """

    k: Annotated[int, Interval(ge=0)] | None = None
    chosen: Literal["first", "random", "nearest"] = "first"
    pool: tuple[Example, ...] = ()
    embedder: str = ""

    def __post_init__(self) -> None:
        if (self.k is not None and self.k < 0) or self.chosen not in ("first", "random", "nearest"):
            raise UsageError(f"{self.k} examples, chosen {self.chosen}", code="OPTION", param="k", remedy="0 or more; first, random or nearest")

    def examples(self, prompt: Template, values: Values, rng: Rng) -> tuple[Example, ...]:
        """Those for a question; one whose values are the question's own is left out, since it would give the answer away."""
        known = prompt.filled(values)
        some = [e for e in (*prompt.examples, *self.pool) if prompt.filled(e.values) != known]
        k = len(some) if self.k is None else min(self.k, len(some))
        if self.chosen == "random":
            return tuple(some[i] for i in rng.child("examples").shuffle(len(some))[:k].tolist())
        if self.chosen == "nearest" and k:
            near = self._alike([_words(prompt.filled(e.values)) for e in some], _words(known))
            best = sorted(range(len(some)), key=lambda i: -near[i])[:k]
            return tuple(some[i] for i in reversed(best))
        return tuple(some[:k])

    def _alike(self, texts: Sequence[str], question: str) -> list[float]:
        if self.embedder:
            vectors = embedder_at(self.embedder).embed([*texts, question])
            return [float(x) for x in vectors[:-1] @ vectors[-1]]
        return [likeness(text, question) for text in texts]


Shots = ZeroShot | FewShot


@dataclass(frozen=True, kw_only=True)
class ChainOfThought:
    """Reasoning first (Wei et al. 2022), then the answer: after a marker, or where the prompt has labels, a pattern or a schema, by a second question of that shape.

    Of examples only those that hold their reasoning are shown.
    """

    shots: Shots = FewShot()
    ask: str = "Think step by step."
    marker: str = "Answer:"

    def examples(self, prompt: Template, values: Values, rng: Rng) -> tuple[Example, ...]:
        """Those that say how one comes to the answer."""
        return tuple(e for e in self.shots.examples(prompt, values, rng) if e.reasoning)


@dataclass(frozen=True, kw_only=True)
class SelfConsistency:
    """Several answers and a vote (Wang et al. 2022): the share of the answer that is given most often says how sure it is."""

    n: Annotated[int, Interval(ge=1, le=1000)] = 5
    each: Shots | ChainOfThought = ChainOfThought()
    temperature: Annotated[float, Interval(gt=0, le=100)] = 0.7

    def __post_init__(self) -> None:
        if not 1 <= self.n <= 1000 or not 0 < self.temperature <= 100:
            raise UsageError(f"{self.n} samples at temperature {self.temperature}", code="OPTION", param="n", remedy="1 to 1000; a temperature above 0, up to 100")


Strategy = ZeroShot | FewShot | ChainOfThought | SelfConsistency


def likeness(one: str, other: str) -> float:
    """How many runs of three characters two texts share: the cosine of their counts, 0 to 1.

    >>> likeness("the cat sat", "the cat sat"), likeness("abc", "xyz")
    (1.0, 0.0)
    """
    a, b = _runs(one), _runs(other)
    size = sqrt(sum(v * v for v in a.values()) * sum(v * v for v in b.values()))
    return sum(n * b[run] for run, n in a.items()) / size if size else 0.0


def _runs(text: str) -> Counter[str]:
    padded = f"  {' '.join(text.casefold().split())} "
    return Counter(padded[i:i + 3] for i in range(len(padded) - 2))


def _words(values: Values) -> str:
    """What a question says, as one text."""
    return " ".join(str(v) for v in values.values())
