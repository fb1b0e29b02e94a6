"""Behind the commands: examinations of language models, checks of texts, and the queue of reviews."""
from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import polars as pl

from ilk.console._shared import Answer
from ilk.errors import DataError, UsageError, printable
from ilk.modalities._encoding import decode
from ilk.modalities._files import read_bytes
from ilk.modality import Limits
from ilk.store import parse_json
from ilk.truth.facts import Verdict, check_rule, check_table
from ilk.truth.knowledge import Knowledge
from ilk.truth.review import Item, Queue, State
from ilk.truth.support import Support, support
from ilk.verbs.examine import examine


def examine_command(model: str, suite: str, text: Path | None, most: int | None, seed: int) -> Answer:
    """The figures."""
    if most is not None and most < 1:
        raise UsageError("at least one question of each part is asked", code="OPTION", param="most")
    found = examine(model, suite, None if text is None else _text(text), most, seed)
    answer = {"model": found.model, "figures": [asdict(f) for f in found.figures], "notes": list(found.notes),
              **{name: None if part is None else asdict(part) for name, part in (("curve", found.curve), ("told", found.told), ("calibrated", found.calibrated))},
              "answers": [{**{k: getattr(a.item, k) for k in ("part", "language", "question")}, "answer": a.answer, "marks": a.marks, "sure": a.sure} for a in found.answers]}
    return answer, printable(repr(found))


def check_command(text: Path, table: Path | None, knowledge: Path | None, sources: Sequence[Path], rules: Sequence[str]) -> Answer:
    """What was found of each sentence."""
    if table is None and knowledge is None and not sources:
        raise UsageError("there is nothing to check it against", code="ITEMS", param="table", remedy="--table, --knowledge or --source FILE")
    if rules and table is None:
        raise UsageError("rules are about the rows of a table", code="ITEMS", param="table", remedy="--table FILE")
    said, frame = _text(text), None if table is None else _table(table)
    verdicts = [] if frame is None else [*check_table(said, frame), *(check_rule(rule, frame) for rule in rules)]
    verdicts += Knowledge.read(knowledge).check(said) if knowledge is not None else []
    held = support(said, [_text(source) for source in sources]) if sources else ()
    lines = [*(f"{v.sort:12} {v.claim.text}\n{'':13}{v.why}" for v in verdicts), *(f"support {s.score:.2f} {s.claim.text}{_lacking(s)}" for s in held)]
    answer = {"sentences": [_verdict(v) for v in verdicts], "support": [_held(s, sources) for s in held]}
    return answer, printable("\n".join(lines) or "there are no sentences")


def review_add_command(queue: Path, texts: Path, who: str) -> Answer:
    """The numbers of the items that were added."""
    lines = [line for line in _text(texts).splitlines() if line.strip()]
    if not lines:
        raise DataError(f"{texts} has no texts", code="EMPTY")
    read = [_waiting(line, f"{texts}, line {i}") for i, line in enumerate(lines, 1)]
    at = Queue(queue, create=True)
    numbers = [at.add(text, about, who) for text, about in read]
    return {"queue": str(queue), "items": numbers}, printable(f"{len(numbers)} items wait in {queue}")


def review_list_command(queue: Path, state: State | None) -> Answer:
    """The items, a line each."""
    items = Queue(queue).items(state)
    return {"items": [_item(i) for i in items]}, printable("\n".join(f"{i.id:5} {i.state:9} {' '.join(i.text.split())[:100]}" for i in items) or "no items")


def review_show_command(queue: Path, number: int) -> Answer:
    """One item with its history."""
    found = Queue(queue).item(number)
    past = [f"{e.at} {e.state} by {e.who}{': ' * bool(e.why)}{e.why}" for e in found.history]
    return _item(found), printable("\n".join([f"{found.id} {found.state}", found.text, *(f"{k}: {v}" for k, v in found.about.items()), *past]))


def review_step_command(queue: Path, number: int, step: Callable[[Queue], State]) -> Answer:
    """The state that it is in now."""
    state = step(Queue(queue))
    return {"id": number, "state": state}, f"item {number} is {state}"


def review_export_command(queue: Path, out: Path) -> Answer:
    """How many were approved."""
    n = Queue(queue).export(out)
    return {"out": str(out), "items": n}, printable(f"{n} approved items in {out}")


def _text(at: Path) -> str:
    return decode(read_bytes(at, Limits()), str(at))[0]


def _table(at: Path) -> pl.DataFrame:
    if not at.is_file():
        raise DataError(f"there is no file {at}", code="NOT_FOUND")
    try:
        return pl.read_parquet(at) if at.suffix == ".parquet" else pl.read_csv(at, infer_schema_length=None)
    except (OSError, pl.exceptions.PolarsError) as why:
        raise DataError(f"{at} can't be read as a table: {str(why).splitlines()[0][:200]}", code="FORMAT") from None


def _waiting(line: str, where: str) -> tuple[str, dict[str, Any]]:
    """The text of a line, and what is known about it."""
    if not line.lstrip().startswith("{"):
        return line.strip(), {}
    told = parse_json(line.encode("utf-8", "replace"), where)
    text = told.pop("text", None)
    if not isinstance(text, str) or not text.strip():
        raise DataError(f"{where} has no text", code="FORMAT", remedy='{"text": ...}')
    return text, told


def _item(item: Item) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(json.dumps(asdict(item)))
    return found


def _place(claim: Any) -> dict[str, Any]:
    return {"text": claim.text, "start": claim.start, "end": claim.end}


def _verdict(verdict: Verdict) -> dict[str, Any]:
    return {**_place(verdict.claim), "sort": verdict.sort, "true": verdict.true, "why": verdict.why}


def _held(found: Support, sources: Sequence[Path]) -> dict[str, Any]:
    at = str(sources[found.span]) if found.span >= 0 else None
    return {**_place(found.claim), "score": found.score, "source": at, "from": found.start, "to": found.end, "missing": list(found.missing)}


def _lacking(found: Support) -> str:
    return f"\n{'':13}not there: {', '.join(found.missing)}" if found.missing else ""
