"""Behind the command `ask`."""
from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ilk.console._shared import Answer
from ilk.errors import printable
from ilk.rag.answer import Answered, Checks, ask
from ilk.rag.search import Hit
from ilk.rag.store import Library


def ask_command(at: Path, question: str, model: str | None, where: str | None, how: Mapping[str, Any], context: bool) -> Answer:
    """Asks a library in a folder."""
    with Library.open(at) as library:
        found = ask(library, question, model, how["k"], where, checks=Checks(how["bar"]))
    return _plain(found, context), "\n".join([*_told(found), *(_passages(found.shown) if context else ())])


def _plain(found: Answered, context: bool) -> dict[str, Any]:
    number = {citation: n for n, citation in enumerate(found.citations, 1)}
    return {"question": found.question, "answer": found.text, "abstained": found.abstained, "confidence": found.confidence,
            "claims": [{"text": claim.text, "support": claim.support, "citations": [number[c] for c in claim.citations]} for claim in found.claims],
            "citations": [{"number": n, "document": c.document, "start": c.start, "end": c.end, "quoted": c.quoted} for c, n in number.items()],
            "dropped": list(found.dropped), "left_out": [_place(hit) for hit in found.left_out],
            "passages": [{**_place(hit), "score": hit.score, **({"text": hit.passage.text} if context else {})} for hit in found.shown]}


def _place(hit: Hit) -> dict[str, Any]:
    return {"document": hit.passage.document, "start": hit.passage.start, "end": hit.passage.end}


def _told(found: Answered) -> list[str]:
    """The answer, its citations, and what was left out."""
    cited = [f"[{n}] {_line(c.document)}, characters {c.start}-{c.end}: \"{_line(c.quoted)}\"" for n, c in enumerate(found.citations, 1)]
    lines = [_line(found.text), "", *cited] if found.text else [f"No answer: {found.abstained}."]
    lines.append(f"confidence {found.confidence:.2f}, of {len(found.shown)} passages")
    lines += [f"left out, nothing supports it: {_line(sentence)}" for sentence in found.dropped]
    if found.left_out:
        lines.append(f"left out, no room in the model's window: {len(found.left_out)} passages, the least fitting ones")
    return lines


def _passages(hits: Sequence[Hit]) -> list[str]:
    return [f"\n-- {n}: {_line(h.passage.document)}, characters {h.passage.start}-{h.passage.end}, score {h.score:.3g} --\n{printable(h.passage.text)}"
            for n, h in enumerate(hits, 1)]


def _line(text: str) -> str:
    return " ".join(printable(text).split())
