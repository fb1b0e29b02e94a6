"""Whether made texts are in the scripts that real ones are in: an audit of languages."""
from __future__ import annotations

import unicodedata
from collections import Counter
from collections.abc import Sequence
from functools import cache
from typing import ClassVar, Literal

import numpy as np

from ..metric import Case, Metric, NotApplicable, Reading
from ..rng import Rng
from ._tables import Cells, spread
from ._texts import are_texts

_CALLED = {"CJK": "Han", "HIRAGANA": "Kana", "KATAKANA": "Kana", "KATAKANA-HIRAGANA": "Kana", "FULLWIDTH": "Latin", "MICRO": "Greek"}
MOST = 5000


class Scripts(Metric):
    """Half the sum over scripts (Han, Latin, Cyrillic, ...) of |share of made letters - share of test letters|: 0 if they are the same, 1 if none is shared.

    `parts` has both shares of every script of the test texts, and `elsewhere`, the made letters of scripts that test texts have none of.
    A script is not a language: it tells Chinese from English, and neither English from French nor Tang from Song.
    """

    needs: ClassVar[tuple[str, ...]] = ("made", "test")
    modalities: ClassVar[tuple[str, ...]] = ("text",)
    better: ClassVar[Literal["higher", "lower", "middle", "real"]] = "lower"
    low: ClassVar[float] = 0.0
    high: ClassVar[float] = 1.0

    def measure(self, case: Case, rng: Rng) -> Reading | NotApplicable:
        """The distance, over at most 5,000 texts a side; its error by bootstrap over texts."""
        if not are_texts(case.made, case.test):
            return NotApplicable("it is about texts")
        counted = [[Counter(map(script, text)) for text in side[:MOST]] for side in (case.made, case.test)]
        names = sorted(set().union(*counted[0], *counted[1]) - {""})
        made, test = (_table(side, names) for side in counted)
        if not made.sum() or not test.sum():
            return NotApplicable("the made or the test texts have no letters")
        parts = {f"{side}{name}": float(share) for side, rows in (("", made), ("test ", test))
                 for name, share, known in zip(names, _shares(rows), test.sum(0) > 0, strict=True) if known}
        parts["elsewhere"] = float(_shares(made)[test.sum(0) == 0].sum())
        error = spread(lambda ours, real: _apart(made[ours], test[real]), len(made), len(test), rng) if case.errors else None
        return Reading(_apart(made, test), error, len(made), parts, "total variation between shares of letters by script, the first word of a letter's Unicode name")


@cache
def script(letter: str) -> str:
    """The script of a letter as Unicode names it; empty for what is no letter.

    >>> [script(letter) for letter in "aé北のЖ3 "]
    ['Latin', 'Latin', 'Han', 'Kana', 'Cyrillic', '', '']
    """
    if not letter.isalpha():
        return ""
    name = unicodedata.name(letter, "UNKNOWN").split()[0]
    return _CALLED.get(name, name.capitalize())


def _table(side: Sequence[Counter[str]], names: Sequence[str]) -> Cells:
    return np.array([[text[name] for name in names] for text in side], dtype=np.float64)


def _shares(rows: Cells) -> Cells:
    total = rows.sum(0)
    found: Cells = total / max(1.0, float(total.sum()))
    return found


def _apart(made: Cells, test: Cells) -> float:
    return min(1.0, float(np.abs(_shares(made) - _shares(test)).sum() / 2))
