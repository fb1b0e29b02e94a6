"""Whether a made text keeps to its subject: how much its second half is like its first, more than like those of other texts."""
from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar, Literal

from sklearn.feature_extraction.text import TfidfVectorizer

from ..metric import Case, Metric, NotApplicable, Reading
from ..rng import Rng
from ._tables import Cells, some
from ._texts import Tokens, are_texts, tokens, unit

LEAST, MOST, FEWEST, TIE = 20, 1000, 10, 1e-12


class Consistency(Metric):
    """Share of made texts whose second half is more like their own first half than like the first half of another text, ties half; .5 is chance.

    Halves are compared by the cosine of their tokens, weighted by rarity in the test texts (tf-idf): names and subject words count, small words hardly.
    It sees whether a text goes on about what it began with; contradictions it doesn't see.
    """

    needs: ClassVar[tuple[str, ...]] = ("made", "test")
    modalities: ClassVar[tuple[str, ...]] = ("text",)
    better: ClassVar[Literal["higher", "lower", "middle", "real"]] = "real"
    low: ClassVar[float] = 0.0
    high: ClassVar[float] = 1.0

    def measure(self, case: Case, rng: Rng) -> Reading | NotApplicable:
        """The share over pairs of at most 1,000 texts of 20 tokens and more, that of test texts in `parts`; its error takes texts to be independent."""
        if not are_texts(case.made, case.test):
            return NotApplicable("it is about texts")
        by = unit(case.test)
        made, test = ([t for text in side if len(t := tokens(text, by)) >= LEAST] for side in (case.made, case.test))
        if min(len(made), len(test)) < FEWEST:
            return NotApplicable(f"it needs {FEWEST} made and test texts of {LEAST} tokens")
        n = min(len(made), len(test), MOST)
        made, test = ([side[i] for i in some(len(side), n, rng.child(name))] for name, side in (("made", made), ("test", test)))
        weigh = TfidfVectorizer(analyzer=list).fit(test)
        own, real = kept(made, weigh), kept(test, weigh)
        error = float(own.std(ddof=1) / n**0.5) if case.errors else None
        return Reading(float(own.mean()), error, n, {"test": float(real.mean())},
                       f"tf-idf of {by}s, {n} texts of at least {LEAST}, second half against the first halves of all")


def kept(texts: Sequence[Tokens], weigh: TfidfVectorizer) -> Cells:
    """Of each text, the share of other texts whose first half is less like its second half than its own first half is."""
    first, second = (weigh.transform(half) for half in ([t[: len(t) // 2] for t in texts], [t[len(t) // 2:] for t in texts]))
    alike = (second @ first.T).toarray()
    own = alike.diagonal()[:, None]
    ahead = (own > alike + TIE) + 0.5 * (abs(own - alike) <= TIE)
    shares: Cells = (ahead.sum(1) - 0.5) / (len(texts) - 1)
    return shares
