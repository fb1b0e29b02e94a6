"""Answer or abstain: half of the questions have no answer in the library; is the promised error kept, and does an answer vanish with the span that it stands on?"""
from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ilk.rag.answer import Answered, Checks, ask
from ilk.rag.store import Library
from ilk.reader import Document
from ilk.rng import Rng
from ilk.truth.abstain import threshold

from ._wordnet import PROTOCOL, embedder, entries, questions, shelved

DOCUMENTS, QUESTIONS, SPLITS, RISK, DELTA, DELETED = 4_000, 700, 100, 0.1, 0.05, 100


def splits(scores: Any, right: Any, seed: int) -> tuple[list[float], list[float]]:
    """Error among answered and share answered of the second half of the questions, the threshold being chosen on the first, over random halves."""
    errors, answered = [], []
    for n in range(SPLITS):
        order = Rng(seed).child("split", n).shuffle(len(scores)).numpy()
        known, new = order[:len(order) // 2], order[len(order) // 2:]
        kept = threshold(scores[known], right[known], RISK, DELTA).answers(scores[new])
        errors.append(float(1 - right[new][kept].mean()) if kept.any() else 0.0)
        answered.append(float(kept.mean()))
    return errors, answered


def without(library: Library, answers: Sequence[Answered]) -> None:
    """Takes the spans that some answers cite out of their documents."""
    left = []
    for citation in dict.fromkeys(c for answer in answers for c in answer.citations):
        text = library.document(citation.document).text
        left.append(Document(citation.document, (text[:citation.start] + text[citation.end:]).strip()))
    library.remove([d.name for d in left if not d.text])
    library.add([d for d in left if d.text])


def figure(seed: int, part: str = "test") -> dict[str, Any]:
    """The value is the share of random halvings in which at most a tenth of what is answered is wrong."""
    found = entries(seed, part)[:DOCUMENTS + QUESTIONS]
    embeds = embedder()
    asked = questions([*found[:QUESTIONS], *found[DOCUMENTS:]], seed)
    with shelved(found[:DOCUMENTS], embeds) as library:
        answers = [ask(library, q, checks=Checks(bar=0)) for q in asked]
        scores = np.array([a.confidence for a in answers])
        right = np.array([n < QUESTIONS and any(c.document == str(n) for c in a.citations) for n, a in enumerate(answers)])
        errors, answered = splits(scores, right, seed)
        bar = threshold(scores, right, RISK, DELTA).at
        chosen = [n for n in range(QUESTIONS) if right[n] and scores[n] > bar][:DELETED]
        without(library, [answers[n] for n in chosen])
        flipped = sum(ask(library, asked[n], checks=Checks(bar=bar)).abstained is not None for n in chosen)
    default = scores > Checks().bar
    return {"value": float(np.mean(np.array(errors) <= RISK)), "unit": "share of splits with error <= 10 %", "error": float(np.mean(errors)), "answered": float(np.mean(answered)),
            "could_be_answered": float(right.mean()), "flipped": flipped / len(chosen), "deleted": len(chosen), "bar": bar, "default_error": float(1 - right[default].mean()),
            "default_answered": float(default.mean()), "floor": float(1 - right.mean()), "n": len(asked), "splits": SPLITS,
            "protocol": f"{PROTOCOL}; {DOCUMENTS:,} documents, {QUESTIONS} questions about them and {QUESTIONS} about entries that are not there; right: the answer cites the entry; "
                        f"a threshold for a risk of {RISK} at confidence {1 - DELTA} from one half, judged on the other; floor: the error of answering all"}
