"""Times NLTK's interpolated Kneser-Ney model on the first characters of a text.

    PEERS_PYTHON benchmarks/peers/ngram.py TEXT ORDER MAX_TOKENS

Needs the packages of peers.txt. Prints one JSON line. `seconds` is what fit() takes, and fit() only counts n-grams of all
orders. The continuation counts that Kneser-Ney rests on are left for later: each score of one token goes through all
contexts of the next longer n-grams, once per order below the highest, and keeps nothing. `score_seconds` is the mean of
such a score over a few tokens.
"""
from __future__ import annotations

import json
import sys
import time
from pathlib import Path

from nltk.lm import KneserNeyInterpolated
from nltk.lm.preprocessing import padded_everygram_pipeline

SCORED = 5
LATER = "continuation counts: a pass over all n-grams of each order for every token scored, never kept"


def main(arguments: list[str]) -> None:
    """Fits, scores a few tokens, prints."""
    path, order, most = arguments[0], int(arguments[1]), int(arguments[2])
    tokens = list(Path(path).read_text(encoding="utf-8")[:most])
    model = KneserNeyInterpolated(order)
    began = time.monotonic()
    grams, vocabulary = padded_everygram_pipeline(order, [tokens])
    model.fit(grams, vocabulary)
    fitted = time.monotonic() - began
    places = range(order, len(tokens), max(1, len(tokens) // SCORED))[:SCORED]
    began = time.monotonic()
    for at in places:
        model.score(tokens[at], tokens[at - order + 1:at])
    scored = (time.monotonic() - began) / max(1, len(places))
    print(json.dumps({"peer": "nltk", "seconds": round(fitted, 3), "tokens": len(tokens), "order": order,
                      "score_seconds": round(scored, 4), "later": LATER}))


if __name__ == "__main__":
    if len(sys.argv) != 4:
        sys.exit("usage: ngram.py TEXT ORDER MAX_TOKENS")
    main(sys.argv[1:])
