"""Retrieval: a term by its definition in other words, among 8,000 entries of WordNet, by words, by meaning, and by both."""
from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ilk.attacks._figures import exact
from ilk.rag.search import Dense, Hybrid, Lexical, Strategy, search
from ilk.rag.store import Library

from ._wordnet import PROTOCOL, embedder, entries, questions, shelved

DOCUMENTS, QUERIES, K = 8_000, 1_000, 5


def recall(library: Library, queries: Sequence[str], by: Strategy) -> float:
    """How often the entry that a query was made of is among the first five; query n is of document n."""
    hits = sum(str(n) in {h.passage.document for h in search(library, query, K, by)} for n, query in enumerate(queries))
    return hits / len(queries)


def figure(seed: int, part: str = "test") -> dict[str, Any]:
    """The value is the recall of the hybrid."""
    documents = entries(seed, part)[:DOCUMENTS]
    embeds = embedder()
    queries = questions(documents[:QUERIES], seed)
    with shelved(documents, embeds) as library:
        embeds.embed(queries)
        found = {name: recall(library, queries, by) for name, by in (("value", Hybrid()), ("words", Lexical()), ("meaning", Dense()))}
    low, high = exact(round(found["value"] * QUERIES), QUERIES)
    return {**found, "unit": "recall@5", "floor": K / DOCUMENTS, "low": low, "high": high, "n": QUERIES, "documents": DOCUMENTS,
            "protocol": f"{PROTOCOL}; {DOCUMENTS:,} documents; floor: five at random; the weights of the hybrid were chosen on the other half of WordNet; 95 % interval of the value"}
