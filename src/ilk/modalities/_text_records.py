"""JSONL records: the text of each, and the source it is to be written from."""
from __future__ import annotations

import gzip
import json
import zlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from ..errors import DataError
from ._tokens import surrogates

_HEAD = 1 << 20  # bytes looked at to tell whether a file holds texts


def records(path: Path, text: str, field: str, source: str | None) -> Iterator[tuple[str, str]]:
    """The text of every record, and its source: none where the record has no such field."""
    for number, line in enumerate(text.split("\n"), 1):
        if line.strip():
            place = f"{path}, line {number}"
            record = _record(place, line)
            told = "" if source is None or record.get(source) is None else _said(place, record, source, "source")
            yield _said(place, record, field, "field"), told


def _record(place: str, line: str) -> Mapping[str, Any]:
    try:
        record = json.loads(line)
    except (ValueError, RecursionError) as why:
        raise DataError(f"{place}: no valid JSON: {why}", code="JSON", remedy="one JSON object a line") from None
    if not isinstance(record, dict):
        raise DataError(f"{place}: no object, but {type(record).__name__}", code="FIELD", remedy="one JSON object a line")
    return record


def _said(place: str, record: Mapping[str, Any], field: str, option: str) -> str:
    found = record.get(field)
    if not isinstance(found, str):
        there = f"an object with {', '.join(map(str, list(record)[:8]))}"
        raise DataError(f"{place}: no text in {field!r}, but {there}", code="FIELD", remedy=f"name the field that holds the text: {option}=")
    if half := surrogates([found]):
        raise DataError(f"{place}: {field!r} has {half}", code="ENCODING", remedy="replace it with U+FFFD")
    return found


def has_text(at: Path) -> bool:
    """Whether the first record of a file has a text where one is looked for by default."""
    try:
        with gzip.open(at) if at.suffix.lower() == ".gz" else open(at, "rb") as file:
            head = file.read(_HEAD).decode("utf-8-sig", "ignore").split("\n", 1)[0]
        return isinstance(json.loads(head).get("text"), str)
    except (OSError, EOFError, zlib.error, ValueError, AttributeError, RecursionError):
        return False
