"""How good an answer is, from 0 to 1: right or wrong, or by degrees."""
from __future__ import annotations

import unicodedata
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from ilk.errors import ModelError, UsageError, nearest
from ilk.files import parse_json
from ilk.metrics._overlap import LACKING, chrf, installed, rouge, words
from ilk.prompts._schema import same
from ilk.prompts.asking import Asked
from ilk.prompts.outputs import bare


@dataclass(frozen=True)
class Measure:
    """What an answer is worth beside the expected one; `graded` unless it is right or wrong, `needs` what it is to be compared with."""

    score: Callable[[Asked, str], float]
    graded: bool = False
    needs: bool = True


def plain(text: str) -> str:
    """A text as comparisons see it: one form of every letter, small, without white space, quotation marks and stops at its ends.

    >>> plain(" Ｐａｒｉｓ. ")
    'paris'
    """
    return " ".join(bare(unicodedata.normalize("NFKC", text)).split())


def _exact(asked: Asked, expected: str) -> float:
    """Equal texts, or equal JSON where the answer is of JSON."""
    if isinstance(asked.value, str):
        return float(plain(asked.value) == plain(expected))
    try:
        return float(same(asked.value, parse_json(expected.encode(), "expected")))
    except (ModelError, RecursionError):
        return float(plain(asked.text) == plain(expected))


def _f1(asked: Asked, expected: str) -> float:
    """Of words, or of characters where a script has no spaces (Rajpurkar et al. 2016)."""
    made, right = Counter(words(asked.text)), Counter(words(expected))
    total = made.total() + right.total()
    return 2 * (made & right).total() / total if total else 1.0


def _chrf(asked: Asked, expected: str) -> float:
    if not installed():
        raise UsageError("chrF is computed by sacrebleu, which is not installed", code="EXTRA", remedy=LACKING.partition(": ")[2])
    return chrf([asked.text], [[expected]]) / 100


MEASURES: Mapping[str, Measure] = {
    "exact": Measure(_exact),
    "contains": Measure(lambda asked, expected: float(plain(expected) in plain(asked.text))),
    "schema": Measure(lambda asked, expected: 1.0, needs=False),
    "f1": Measure(_f1, graded=True),
    "rouge_l": Measure(lambda asked, expected: rouge([asked.text], [[expected]], 0), graded=True),
    "chrf": Measure(_chrf, graded=True)}


def measure(name: str) -> Measure:
    """By name; UsageError for one that there is not."""
    if name not in MEASURES:
        raise UsageError(f"no metric {name!r}", code="METRIC", param="metric", remedy=nearest(name, MEASURES))
    return MEASURES[name]


def scored(name: str, asked: Asked, expected: str) -> float:
    """What an answer is worth; one that could not be read is worth nothing."""
    return measure(name).score(asked, expected) if asked.valid else 0.0
