"""Examples to learn from, as people have them: texts, tables with columns of questions and answers, conversations, choices."""
from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ilk.chat import ROLES, Turn
from ilk.errors import DataError, UsageError
from ilk.rng import Rng
from ilk.verbs._lesson import Example, Lesson

CHOICES = (("prompt", "chosen", "rejected"), ("question", "better", "worse"))
PAIRS = (("prompt", "answer"), ("prompt", "completion"), ("prompt", "response"), ("question", "answer"), ("instruction", "output"), ("input", "output"))
SHARE, LEAST = 0.1, 2   # of the examples that judge, and that choose


def examples(data: Any, lesson: Lesson) -> list[Example]:
    """Examples of a list (of texts, mappings or conversations), a frame, or a file: JSONL, CSV, anything `ilk.read` takes as texts."""
    rows = _rows(data)
    if not rows:
        raise DataError("there are no examples", code="TOO_FEW", remedy="texts, pairs, conversations or choices")
    return [_example(i, row, lesson.columns) for i, row in enumerate(rows)]


def _rows(data: Any) -> list[Any]:
    if isinstance(data, str | Path):
        at = Path(data)
        if at.suffix.lower() == ".jsonl" and at.is_file():
            return _json_lines(at)
        from ilk.verbs.read import read

        return _listed(read(data).items)
    return _listed(getattr(data, "items", data) if not isinstance(data, Mapping) and not callable(getattr(data, "items", None)) else data)


def _listed(items: Any) -> list[Any]:
    if hasattr(items, "to_dicts"):
        return list(items.to_dicts())
    if isinstance(items, Sequence) and not isinstance(items, str | bytes):
        return list(items)
    raise DataError(f"{type(items).__name__} is no list of examples", code="DATA_TYPE", remedy="a list, a frame, or a file")


def _json_lines(at: Path) -> list[Any]:
    found = []
    for number, line in enumerate(at.read_text(encoding="utf-8-sig", errors="strict").splitlines() if _is_text(at) else (), 1):
        if line.strip():
            try:
                found.append(json.loads(line))
            except (ValueError, RecursionError) as why:
                raise DataError(f"{at.name}, line {number}: {why}"[:300], code="JSON", remedy="one JSON object a line") from None
    return found


def _is_text(at: Path) -> bool:
    try:
        at.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as why:
        raise DataError(f"{at} can't be read: {why}"[:300], code="UNREADABLE") from None
    return True


def _example(i: int, row: Any, columns: tuple[str, ...] | None) -> Example:
    if isinstance(row, str):
        return _bare(i, row)
    if isinstance(row, Mapping) and "messages" in row:
        return _conversation(i, row["messages"])
    if isinstance(row, Sequence):
        return _conversation(i, row)
    if not isinstance(row, Mapping):
        raise DataError(f"example {i} is a {type(row).__name__}", code="DATA_TYPE", remedy="a text, an object with columns, or a conversation")
    if columns is None and "text" in row:
        return _bare(i, _text(i, row, "text"))
    named = _columns(row, columns)
    said = [_text(i, row, name) for name in named]
    turns = (Turn.of("user", said[0]), Turn.of("assistant", said[1]))
    return Example(turns, Turn.of("assistant", said[2]) if len(said) == 3 else None)


def _columns(row: Mapping[str, Any], columns: tuple[str, ...] | None) -> tuple[str, ...]:
    if columns is not None:
        if len(columns) not in (2, 3):
            raise UsageError(f"{len(columns)} columns are named", code="COLUMNS", param="columns", remedy="question and answer, or question, better and worse answer")
        return columns
    found = next((names for names in (*CHOICES, *PAIRS) if all(n in row for n in names)), None)
    if found is None:
        raise DataError(f"no columns of questions and answers among {', '.join(map(str, row))}"[:300], code="COLUMN", param="columns",
                        remedy="name them: columns=(question, answer)")
    return found


def _text(i: int, row: Mapping[str, Any], name: str) -> str:
    value = row.get(name)
    if not isinstance(value, str) or not value:
        raise DataError(f"example {i} has no text in {name!r}", code="COLUMN" if name not in row else "MISSING", param="columns")
    return value


def _bare(i: int, text: str) -> Example:
    if not text.strip():
        raise DataError(f"example {i} is empty", code="EMPTY")
    return Example((Turn.of("user", text),), bare=True)


def _conversation(i: int, messages: Any) -> Example:
    if not isinstance(messages, Sequence) or not all(isinstance(m, Mapping) and m.get("role") in ROLES and isinstance(m.get("content"), str) for m in messages):
        raise DataError(f"example {i} is no conversation", code="DATA_TYPE", remedy='[{"role": "user", "content": "..."}, {"role": "assistant", "content": "..."}]')
    turns = tuple(Turn.of(m["role"], m["content"]) for m in messages)
    if len(turns) < 2 or turns[-1].role != "assistant":
        raise DataError(f"example {i} does not end with what the assistant says", code="NO_ANSWER", remedy="the last message has the role assistant")
    return Example(turns)


def divided(found: Sequence[Example], rng: Rng) -> dict[str, list[Example]]:
    """train, valid (which chooses the best weights) and test: those with the same question on one side, a tenth each for valid and test."""
    keys = list(dict.fromkeys(e.key for e in found))
    order = [keys[i] for i in rng.shuffle(len(keys)).tolist()]
    few = max(LEAST, round(SHARE * len(keys)))
    if len(keys) < 3 * LEAST:
        raise DataError(f"{len(keys)} different examples", code="TOO_FEW", remedy=f"at least {3 * LEAST}: some judge, and some choose the best weights")
    side = {key: "test" if i < few else "valid" if i < 2 * few else "train" for i, key in enumerate(order)}
    return {name: [e for e in found if side[e.key] == name] for name in ("train", "valid", "test")}
