"""Front matter: TOML between two lines of three plus signs, then the text. Read with the line of every fault, and written."""
from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ilk.errors import DataError

FENCE, MOST = "+++", 1 << 20
_LINE = re.compile(r"at line (\d+)")
_BARE = re.compile(r"[A-Za-z0-9_-]+")
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f]")


@dataclass(frozen=True)
class Source:
    """A file in its two parts: the front matter as text and as facts, the body, and the number of the body's first line."""

    where: str
    head: str
    facts: Mapping[str, Any]
    body: str
    first: int

    def wrong(self, what: str, path: Sequence[str | int] = (), line: int | None = None, remedy: str | None = None) -> DataError:
        """An error with its place: a key of the front matter, or a line of the file."""
        return DataError(f"{self.where}, line {line or self._line(path)}: {what}", code="PROMPT", remedy=remedy)

    def _line(self, path: Sequence[str | int]) -> int:
        """Where the last key of a path that can be found is written, under the heading of its table, of the right number where there are several."""
        lines, at, found = self.head.split("\n"), 0, 0
        for step, key in enumerate(path):
            if isinstance(key, int):
                continue
            nth = path[step + 1] if step + 1 < len(path) and isinstance(path[step + 1], int) else 0
            hits = [i for i, line in enumerate(lines) if i >= at and re.match(rf'\s*(\[+[^\]]*\b|[\w."-]+\.)?"?{re.escape(key)}"?\s*[\].=]', line)]
            if not hits:
                break
            at = found = hits[min(int(nth), len(hits) - 1)]
        return found + (2 if self.head else 1)


def split(text: str, where: str) -> Source:
    """The two parts of a file; a file without front matter is all body. DataError with the line of what TOML does not allow."""
    if len(text) > MOST:
        raise DataError(f"{where} has {len(text)} characters; the limit is {MOST}", code="TOO_LARGE")
    lines = text.removeprefix("\ufeff").replace("\r\n", "\n").replace("\r", "\n").split("\n")
    if lines[0].rstrip() != FENCE:
        return Source(where, "", {}, "\n".join(lines).strip("\n"), 1 + _blank(lines))
    end = next((i for i, line in enumerate(lines) if i and line.rstrip() == FENCE), 0)
    if not end:
        raise DataError(f"{where}, line 1: the front matter never ends", code="PROMPT", remedy=f"a line {FENCE} after it")
    head = "\n".join(lines[1:end])
    try:
        facts = tomllib.loads(head)
    except (tomllib.TOMLDecodeError, RecursionError) as why:
        line = 1 + int(found[1]) if (found := _LINE.search(str(why))) else end
        said = re.sub(r" \(at .*\)$", "", str(why)) if isinstance(why, tomllib.TOMLDecodeError) else "nested too deep"
        raise DataError(f"{where}, line {line}: {said}", code="PROMPT", remedy='the front matter is TOML: name = "value"') from None
    return Source(where, head, facts, "\n".join(lines[end + 1:]).strip("\n"), end + 2 + _blank(lines[end + 1:]))


def _blank(lines: Sequence[str]) -> int:
    """How many empty lines stand first."""
    return next((i for i, line in enumerate(lines) if line), 0)


def joined(facts: Mapping[str, Any], body: str) -> str:
    """A file of both parts: plain keys, then tables, then lists of tables."""
    tables = {k: v for k, v in facts.items() if isinstance(v, Mapping)}
    lists = {k: v for k, v in facts.items() if isinstance(v, list | tuple) and v and all(isinstance(one, Mapping) for one in v)}
    lines = _pairs({k: v for k, v in facts.items() if k not in tables and k not in lists})
    for name, table in tables.items():
        lines += ["", f"[{_key(name)}]", *_pairs(table)]
    for name, some in lists.items():
        for one in some:
            lines += ["", f"[[{_key(name)}]]", *_pairs(one)]
    return "\n".join([FENCE, *lines, FENCE, "", body, ""])


def _pairs(table: Mapping[str, Any]) -> list[str]:
    return [f"{_key(k)} = {_value(v, True)}" for k, v in table.items()]


def _key(name: str) -> str:
    return name if _BARE.fullmatch(name) else _quoted(name)


def _value(value: Any, alone: bool = False) -> str:
    if isinstance(value, str):
        return _long(value) if alone and "\n" in value else _quoted(value)
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{_key(str(k))} = {_value(v)}" for k, v in value.items()) + "}"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(map(_value, value)) + "]"
    return json.dumps(value)


def _quoted(text: str) -> str:
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")


def _long(text: str) -> str:
    """Lines as they are, between triple quotation marks."""
    safe = _CONTROL.sub(lambda c: f"\\u{ord(c[0]):04x}", text.replace("\\", "\\\\").replace('"', '\\"'))
    return f'"""\n{safe}"""'
