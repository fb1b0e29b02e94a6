"""Retrieval in Chinese without an embedder: who wrote this line? The poem, hence author and title, by a question with one of its lines."""
from __future__ import annotations

import json
import re
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ilk.attacks._figures import exact
from ilk.catalogue import fetch
from ilk.rag.answer import ask
from ilk.rag.search import search
from ilk.rag.store import Library
from ilk.reader import Document
from ilk.rng import Rng

DOCUMENTS, QUERIES, K = 20_000, 1_000, 5
FORMS = ("“{}”的作者是谁？", "请问“{}”出自谁的哪首诗？", "谁写了“{}”？", "{}")


def poems(seed: int, part: str) -> list[dict[str, Any]]:
    """Poems of the Tang in an order drawn anew: those that recipes are judged on ("test"), or the other tenth that they were tried on ("train")."""
    whole = [p for path in fetch("tang").values() for p in json.loads(path.read_bytes())]
    kept = list({"".join(p["paragraphs"]): p for p in whole if p["paragraphs"] and not p.get("error_type")}.values())
    mine = [p for n, p in enumerate(kept) if (n % 10 == 0) == (part == "train")]
    return [mine[i] for i in Rng(seed).child("poems").shuffle(len(mine)).tolist()]


def line_of(poem: dict[str, Any], u: float) -> str | None:
    """One of the lines of a poem, of five characters or more, without its mark; None if it has none."""
    lines = [line for line in re.split("[，。！？；：、]", "".join(poem["paragraphs"])) if len(line) >= 5 and "□" not in line]
    return lines[int(u * len(lines))] if lines else None


def misremembered(line: str, u: float, other: str) -> str:
    """The line with one of its characters replaced by one of another line."""
    at = int(u * len(line))
    return line[:at] + other[at % len(other)] + line[at + 1:]


def shelved(found: Sequence[dict[str, Any]]) -> Library:
    """A library of poems under title and author; its name is its place."""
    library = Library.create(Path(tempfile.mkdtemp()) / "library")
    library.add([Document(str(n), f"{p['title']}\n{p['author']}\n" + "\n".join(p["paragraphs"]), facts={"author": p["author"], "title": p["title"]}) for n, p in enumerate(found)])
    return library


def figure(seed: int, part: str = "test") -> dict[str, Any]:
    """The value is how often a poem by the author of the line is among the first five; `poem`: how often the poem itself is."""
    found = poems(seed, part)[:DOCUMENTS]
    noise = Rng(seed).child("lines").uniform(QUERIES, 2).tolist()
    lines = {n: (line, u) for n, (p, (v, u)) in enumerate(zip(found, noise, strict=False)) if (line := line_of(p, v)) is not None}
    others = [line for line, _ in lines.values()]
    right = same = cited = wrong = 0
    with shelved(found) as library:
        for place, (n, (line, u)) in enumerate(lines.items()):
            asked = FORMS[n % len(FORMS)].format(line)
            hits = [h.passage for h in search(library, asked, K)]
            right += found[n]["author"] in {p.facts["author"] for p in hits}
            same += str(n) in {p.document for p in hits}
            cited += any(c.document == str(n) for c in ask(library, asked).citations)
            wrong += str(n) in {h.passage.document for h in search(library, FORMS[n % len(FORMS)].format(misremembered(line, u, others[place - 1])), K)}
    many = len(lines)
    low, high = exact(right, many)
    return {"value": right / many, "unit": "recall@5", "poem": same / many, "misremembered": wrong / many, "cited": cited / many, "low": low, "high": high, "n": many,
            "floor": K / len(found), "documents": len(found),
            "protocol": "a library of poems with title and author, no embedder; a query is one line of a poem without its mark, in three forms of question or bare, and right if a "
                        "poem of its author is among the first five; poem: that poem itself is; misremembered: it is though one character of the line is wrong; cited: the answer "
                        "quotes it; floor: the poem among five at random"}
