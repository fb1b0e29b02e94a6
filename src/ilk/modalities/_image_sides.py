"""Files beside pictures that say what each shows: a table or JSON lines of file name, label and caption; or a text of the picture's own name."""
from __future__ import annotations

import csv
import json
import re
from collections.abc import Container, Iterator, Mapping
from dataclasses import dataclass, field
from io import StringIO
from pathlib import PurePosixPath
from typing import Any, ClassVar

from ilk.errors import DataError
from ilk.modalities._encoding import decode

_DIGITS = re.compile(r"0|[1-9][0-9]{0,17}")
SIDES = ("labels.csv", "metadata.csv", "metadata.jsonl")


@dataclass(frozen=True)
class Side:
    """What side files say: labels and captions by the name of the picture."""

    FILES: ClassVar[tuple[str, ...]] = ("file_name", "filename", "file", "image", "path")
    LABELS: ClassVar[tuple[str, ...]] = ("label", "labels", "class", "category")
    CAPTIONS: ClassVar[tuple[str, ...]] = ("text", "caption", "captions", "prompt")

    name: str = ""
    labels: Mapping[str, int | str] = field(default_factory=dict)
    captions: Mapping[str, str] = field(default_factory=dict)
    notes: tuple[str, ...] = ()


def is_side(name: str, stems: Container[str]) -> bool:
    """Whether a file says something of pictures: by its name, or as the text of the picture with this stem."""
    path = PurePosixPath(name)
    return path.name in SIDES or (path.suffix.lower() == ".txt" and path.with_suffix("").as_posix() in stems)


def said_beside(files: Mapping[str, bytes], known: Mapping[str, Any]) -> Side:
    """What files by name say of the known pictures; names in them count from the folder that they lie in."""
    labels: dict[str, int | str] = {}
    captions = _texts({name: data for name, data in files.items() if name.lower().endswith(".txt")}, known)
    absent = 0
    files = {name: data for name, data in files.items() if not name.lower().endswith(".txt")}
    for name, data in files.items():
        for row in _rows(name, data):
            file = next((str(row[k]) for k in Side.FILES if row.get(k)), "")
            place = (PurePosixPath(name).parent / file.replace("\\", "/")).as_posix()
            if place not in known:
                absent += 1
                continue
            if (label := next((row[k] for k in Side.LABELS if row.get(k) not in (None, "")), None)) is not None:
                labels[place] = label if isinstance(label, int) and not isinstance(label, bool) else str(label)
            if caption := next((row[k] for k in Side.CAPTIONS if isinstance(row.get(k), str)), ""):
                captions[place] = caption
    notes = [f"{absent} rows of {', '.join(files)} name no picture here"] if absent else []
    notes += [f"{len(known) - len(captions)} of {len(known)} pictures have no caption"] if 0 < len(captions) < len(known) else []
    return Side(", ".join(files), whole(labels), captions, tuple(notes))


def _texts(files: Mapping[str, bytes], known: Mapping[str, Any]) -> dict[str, str]:
    """Captions that lie in a text file each."""
    said = {PurePosixPath(name).with_suffix("").as_posix(): " ".join(decode(data, name)[0].split()) for name, data in files.items()}
    told = {name: said.get(PurePosixPath(name).with_suffix("").as_posix(), "") for name in known}
    return {name: text for name, text in told.items() if text}


def whole(labels: Mapping[str, int | str]) -> Mapping[str, int | str]:
    """Labels as whole numbers where all are."""
    if all(isinstance(v, int) or _DIGITS.fullmatch(v) for v in labels.values()):
        return {name: int(v) for name, v in labels.items()}
    return {name: str(v) for name, v in labels.items()}


def _rows(name: str, data: bytes) -> Iterator[Mapping[str, Any]]:
    text, _ = decode(data, name)
    rows = list(_records(name, text) if name.endswith(".jsonl") else _cells(name, text))
    if rows and not any(k in rows[0] for k in Side.FILES):
        raise DataError(f"{name} has no column that names the pictures, but {', '.join(map(str, list(rows[0])[:8]))}", code="COLUMN", remedy="name it file_name")
    return iter(rows)


def _cells(name: str, text: str) -> Iterator[Mapping[str, Any]]:
    try:
        yield from csv.DictReader(StringIO(text, newline=""))
    except csv.Error as why:
        raise DataError(f"{name} can't be read: {why}", code="FORMAT") from None


def _records(name: str, text: str) -> Iterator[Mapping[str, Any]]:
    for number, line in enumerate(text.split("\n"), 1):
        if line.strip():
            try:
                record = json.loads(line)
            except (ValueError, RecursionError) as why:
                raise DataError(f"{name}, line {number}: no valid JSON: {str(why)[:100]}", code="JSON", remedy="one JSON object a line") from None
            if not isinstance(record, dict):
                raise DataError(f"{name}, line {number}: {type(record).__name__}, not an object", code="JSON", remedy="one JSON object a line")
            yield record
