"""Texts against texts that they ought to be: BLEU and chrF as sacrebleu computes them, ROUGE by words or Chinese characters."""
from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Sequence
from importlib.util import find_spec
from itertools import zip_longest
from typing import Any

import numpy as np

from ._texts import SPACELESS, Tokens, common, grams, spaceless

References = Sequence[Sequence[str]]
Scorer = Callable[[Sequence[str], References], float]
GROUPS, FEWEST, _PURE = 20, 40, 0.9
ROUGES = {"rouge_l": 0, "rouge_1": 1, "rouge_2": 2}
_WORDS = re.compile(f"[{SPACELESS}]|[^\\W_{SPACELESS}]+")
LACKING = "sacrebleu is not installed: pip install 'ilk[text]'"


def installed() -> bool:
    """Whether sacrebleu is there, which BLEU and chrF need."""
    return find_spec("sacrebleu") is not None


def tokenizer(texts: Sequence[str]) -> str:
    """sacrebleu's tokeniser for such texts: `zh` for Chinese, `char` for other scripts without spaces, else `13a`."""
    letters = spaceless(texts)
    chinese = sum(letter >= "\u3400" for letter in letters)
    return "13a" if not letters else "zh" if chinese >= _PURE * len(letters) else "char"


def bleu(made: Sequence[str], references: References, by: str) -> float:
    """Corpus BLEU, 0 to 100, sacrebleu's defaults but for the tokeniser."""
    from sacrebleu.metrics.bleu import BLEU

    return min(100.0, float(BLEU(tokenize=by, force=True).corpus_score(made, _streams(references)).score))


def chrf(made: Sequence[str], references: References) -> float:
    """Corpus chrF2, 0 to 100, at sacrebleu's defaults."""
    from sacrebleu.metrics.chrf import CHRF

    return min(100.0, float(CHRF().corpus_score(made, _streams(references)).score))


def _streams(references: References) -> list[Any]:
    """The first reference of every text, the second of every text, ...; None where there are fewer, which sacrebleu takes and does not declare."""
    return list(zip_longest(*references))


def rouge(made: Sequence[str], references: References, n: int) -> float:
    """Mean F1 of shared n-grams (ROUGE-n), n = 0: of the longest common subsequence (ROUGE-L); of several references the best."""
    one = _subsequence if n == 0 else lambda a, b: _shared(a, b, n)
    return float(np.mean([max(one(words(text), words(other)) for other in others) for text, others in zip(made, references, strict=True)]))


def words(text: str) -> list[str]:
    """Runs of letters and digits in lower case; each character by itself where the script has no spaces."""
    found: list[str] = _WORDS.findall(text.lower())
    return found


def _shared(made: Tokens, other: Tokens, n: int) -> float:
    a, b = Counter(grams(made, n)), Counter(grams(other, n))
    return _f1(common(a, b), a.total(), b.total())


def _subsequence(made: Tokens, other: Tokens) -> float:
    return _f1(longest(made, other), len(made), len(other))


def _f1(both: int, one: int, other: int) -> float:
    return 2 * both / (one + other) if one + other else 0.0


def longest(a: Tokens, b: Tokens) -> int:
    """The length of the longest common subsequence, a row of the table being the bits of one whole number (Hyyro 2004)."""
    places: dict[str, int] = {}
    for i, token in enumerate(a):
        places[token] = places.get(token, 0) | 1 << i
    row = whole = (1 << len(a)) - 1
    for token in b:
        here = row & places.get(token, 0)
        row = ((row + here) | (row - here)) & whole
    return len(a) - row.bit_count()


def error(made: Sequence[str], references: References, score: Scorer) -> float | None:
    """The standard error of a score of many texts, from 20 parts of them; None for fewer than 40."""
    if len(made) < FEWEST:
        return None
    parts = [score(made[i::GROUPS], references[i::GROUPS]) for i in range(GROUPS)]
    return float(np.std(parts, ddof=1) / GROUPS**0.5)
