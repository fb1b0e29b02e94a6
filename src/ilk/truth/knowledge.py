"""Sentences checked against a base of knowledge: triples of subject, relation and object."""
from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

import polars as pl

from ilk.errors import DataError

from .claims import Claim, content, denied, names, sentences
from .facts import Sort, Verdict

_IS = re.compile(r"\b(?:is|was|are|were)\b|[是为]")


@dataclass(frozen=True)
class Knowledge:
    """Triples (subject, relation, object). A relation of which every subject has one object contradicts any other; of the rest nothing is known but what is there.

    >>> known = Knowledge.of([("France", "capital", "Paris"), ("Chad", "capital", "N'Djamena")])
    >>> [v.sort for v in known.check("Paris is the capital of France. The capital of Chad is Paris. France is large.")]
    ['supported', 'contradicted', 'unknown']
    """

    facts: dict[tuple[str, str], tuple[str, ...]] = field(repr=False)

    @classmethod
    def of(cls, triples: Iterable[tuple[str, str, str]]) -> Knowledge:
        """From triples of texts; DataError for anything else, or for none."""
        found: dict[tuple[str, str], list[str]] = defaultdict(list)
        for i, triple in enumerate(triples):
            if len(triple) != 3 or not all(isinstance(t, str) and t.strip() for t in triple):
                raise DataError(f"triple {i} is not three texts", code="DATA_TYPE", remedy="subject, relation, object")
            subject, relation, thing = (t.strip() for t in triple)
            if thing not in found[subject, relation]:
                found[subject, relation].append(thing)
        if not found:
            raise DataError("there are no triples", code="EMPTY")
        return cls({key: tuple(things) for key, things in found.items()})

    @classmethod
    def read(cls, at: str | Path) -> Knowledge:
        """From a CSV file with the columns subject, relation and object."""
        try:
            table = pl.read_csv(at, infer_schema=False)
        except (OSError, pl.exceptions.PolarsError) as why:
            raise DataError(f"{at} can't be read: {str(why).splitlines()[0][:200]}", code="NOT_FOUND" if isinstance(why, FileNotFoundError) else "FORMAT") from None
        if lacking := {"subject", "relation", "object"} - set(table.columns):
            raise DataError(f"{at} has no column {min(lacking)}", code="COLUMN", remedy="the columns subject, relation and object")
        return cls.of(table.select("subject", "relation", "object").fill_null("").iter_rows())   # type: ignore[arg-type]

    def single(self, relation: str) -> bool:
        """Whether every subject has one object of this relation."""
        return all(len(things) == 1 for (_, r), things in self.facts.items() if r == relation)

    def verdict(self, subject: str, relation: str, thing: str) -> Sort:
        """What is known of one triple."""
        things = self.facts.get((subject, relation), ())
        if thing in things:
            return "supported"
        return "contradicted" if things and self.single(relation) else "unknown"

    def check(self, text: str) -> tuple[Verdict, ...]:
        """Every sentence that names a subject and the words of one of its relations; `unknown` for others, and where nobody can say what it is said to be."""
        return tuple(self._claim(c) for c in sentences(text))

    def _claim(self, claim: Claim) -> Verdict:
        words = set(content(claim.text))
        keys = [(s, r) for s, r in self.facts if _named(s, claim.text) and set(content(r.replace("_", " "))) <= words]
        if not keys:
            return Verdict(claim, "unknown", None, "no subject with one of its relations is named")
        told = [(self._told(key, claim), key) for key in keys]
        sort, key = min(told, key=lambda t: (["supported", "contradicted", "unknown"].index(t[0]), -len(t[1][0])))
        return Verdict(claim, sort, "; ".join(self.facts[key]), f"{key[1]} of {key[0]}: {'; '.join(self.facts[key])}")

    def _told(self, key: tuple[str, str], claim: Claim) -> Sort:
        """What the sentence says the object to be is what is left of it without subject and relation."""
        subject, relation = key
        rest = re.sub(re.escape(subject), " ", claim.text, count=1, flags=re.IGNORECASE)
        no, single = denied(claim.text), self.single(relation)
        for thing in self.facts[key]:
            if _named(thing, rest):
                return "contradicted" if any(no.get(w, False) for w in content(thing)) else "supported"
        others = {t for (_, r), things in self.facts.items() if r == relation for t in things}
        other = [t for t in others if _named(t, rest)] or sorted(names(f"x {rest}") - set(content(relation.replace("_", " "))) - set(content(subject)))
        if not other and (after := _IS.split(rest)[1:]) and any("\u3400" <= c for c in after[-1]):
            other = [w for w in content(after[-1]) if w not in content(relation)]
        if not other or not single:
            return "unknown"
        return "supported" if any(no.get(w, False) for t in other for w in content(t) or [t]) else "contradicted"


def _named(what: str, text: str) -> bool:
    """Whether a text has a name in it, as whole words."""
    edge = (r"(?<!\w)", r"(?!\w)") if what.isascii() else ("", "")
    return re.search(edge[0] + re.escape(what) + edge[1], text, re.IGNORECASE) is not None
