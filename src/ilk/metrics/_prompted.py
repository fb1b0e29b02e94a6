"""Texts made for captions beside the test texts of the same captions, for the figures that compare them."""
from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ..metric import Case, NotApplicable, Reading
from ..rng import Rng
from ._overlap import References, Scorer, error
from ._tables import some
from ._texts import are_texts

MOST, ALTERNATIVES = 2000, 4


@dataclass(frozen=True, eq=False)
class Prompted:
    """Made texts, the test texts of each one's caption (at most 4), and texts of training items of the same captions, if there are for all.

    `astray` are test texts of other captions: what texts get that are of the kind but say something else.
    """

    made: Sequence[str]
    references: References
    real: Sequence[str] | None
    astray: Sequence[str]


def prompted(case: Case, rng: Rng) -> Prompted | str:
    """At most 2,000 made texts of a case and what they ought to be, or why that is not known."""
    if not are_texts(case.made, case.test):
        return "it is about texts"
    if case.made_captions is None or case.test_captions is None:
        return "nothing was prompted, so no made text ought to be a certain one"
    ought = _by_caption(case.test_captions, case.test)
    kept = [i for i, caption in enumerate(case.made_captions) if caption in ought]
    kept = [kept[i] for i in some(len(kept), MOST, rng.child("made"))]
    if not kept:
        return "no test text has a caption that was prompted"
    asked = [case.made_captions[i] for i in kept]
    learned = {} if case.train_captions is None or case.train is None else _by_caption(case.train_captions, case.train)
    real = [learned[caption][0] for caption in asked] if all(caption in learned for caption in asked) else None
    return Prompted([case.made[i] for i in kept], [ought[caption] for caption in asked], real, _astray(asked, case, rng.child("astray")))


def _by_caption(captions: Sequence[str], texts: Sequence[str]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = defaultdict(list)
    for caption, text in zip(captions, texts, strict=True):
        if len(found[caption]) < ALTERNATIVES:
            found[caption].append(text)
    return found


def _astray(asked: Sequence[str], case: Case, rng: Rng) -> list[str]:
    """For each caption a test text at random, or the next one of another caption; any if there is no other."""
    captions, n = case.test_captions or (), len(case.test)
    drawn = rng.integers(len(asked), n).tolist()
    found = (next((k % n for k in range(i, i + n) if captions[k % n] != caption), i) for i, caption in zip(drawn, asked, strict=True))
    return [case.test[i] for i in found]


def reading(case: Case, rng: Rng, scores: Mapping[str, Scorer], convention: str) -> Reading | NotApplicable:
    """The first of the scores of made texts, and the others; `chance` is that of test texts of other captions, `real` that of training texts of the same."""
    found = prompted(case, rng)
    if isinstance(found, str):
        return NotApplicable(found)
    (_, score), *others = scores.items()
    parts = {name: other(found.made, found.references) for name, other in others}
    if case.errors:
        parts["chance"] = score(found.astray, found.references)
        if found.real is not None:
            parts["real"] = score(found.real, found.references)
    spread = error(found.made, found.references, score) if case.errors else None
    return Reading(score(found.made, found.references), spread, len(found.made), parts,
                   f"{convention}; {len(found.made)} texts, each against the test texts of its caption (at most {ALTERNATIVES})")
