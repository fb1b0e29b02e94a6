"""Behind the commands: what is said of items beside items."""
from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from ilk.console._shared import Answer
from ilk.errors import DataError, UsageError
from ilk.modalities._encoding import decode
from ilk.modalities._files import read_bytes
from ilk.modality import Limits
from ilk.verbs.text_scores import text_scores


def score_texts_command(made: str, references: Sequence[str], tokens: str | None) -> Answer:
    """The scores of two or more files of as many lines."""
    if not references:
        raise UsageError("no references are named", code="ITEMS", param="references", remedy="ilk score-texts MADE REFERENCES")
    lines = {name: _lines(name) for name in (made, *references)}
    for name, some in lines.items():
        if len(some) != len(lines[made]):
            raise DataError(f"{made} has {len(lines[made])} lines and {name} has {len(some)}", code="SHAPE", remedy="a line for each text, empty if need be")
    found = text_scores(lines[made], list(zip(*(lines[name] for name in references), strict=True)), tokens)
    return asdict(found), repr(found)


def _lines(name: str) -> list[str]:
    """The lines of a text file, empty ones too."""
    text = decode(read_bytes(Path(name), Limits()), name)[0]
    return text.replace("\r\n", "\n").removesuffix("\n").split("\n")
