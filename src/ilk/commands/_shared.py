"""What commands share: options by the same name everywhere, and how an answer is given."""
from __future__ import annotations

import errno
import json
import re
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

from cyclopts import Group, Parameter

from ilk.errors import printable
from ilk.files import not_written, plain

Axis = Literal["families", "modalities", "metrics", "decoding", "samplers", "nets", "exporters", "quantities", "faults", "attacks", "trackers",
               "backends", "tunings", "readers", "indexes", "tasks", "data", "models", "presets"]
COMMON = Group("Common options", sort_key=9)
Json = Annotated[bool, Parameter(name="--json", negative="", group=COMMON, help="Print one JSON object (docs/json.md) instead of text.")]
Seed = Annotated[int, Parameter(help="The same seed gives the same result.")]
SAID = ('A rule such as "age > 60 and sex == \'F\'", a mapping as JSON, how a text begins, or a call: "Towards(\'age\', 2)", "Avoid(Label(3))", '
        '"Like(\'face.png\', .7)", "Label(3, weight=2)". Several compose.')
Given = Annotated[tuple[str, ...], Parameter(name="--given", negative="", help=SAID)]
ITEMS = "Items of the same kind: a file, or a name of `ilk list data`."
Item = Annotated[tuple[int, ...], Parameter(name="--item", negative="", help="Only this item, counted from 0. Several compose; by default all.")]
Label = Annotated[str | None, Parameter(help="A label, for models that were fitted with labels.")]
Prompt = Annotated[str | None, Parameter(help="What pictures shall show, for models that were fitted with captions.")]
RULED = ('What every item has to obey, such as "start <= end", "a + b == 100", "unique id", "zip -> city", "sum(1) == 5"; `discovered`: all that the data obey. '
         "Several compose.")
Obey = Annotated[tuple[str, ...], Parameter(name="--obey", negative="", help=RULED)]
Track = Annotated[tuple[str, ...], Parameter(name="--track", negative="", help="Tell another program of the run (ilk list trackers). Several compose. Every run leaves a "
                                             "record beside (ilk runs list).")]
Out = Annotated[Path | None, Parameter(name=["--out", "-o"], help="A file to write; its suffix says the format. By default items are printed.")]

@dataclass
class Shell:
    """What all commands share: how to answer, whether to show tracebacks, what was said, and whether written items keep that (--no-lineage: they don't)."""

    as_json: bool = False
    debug: bool = False
    lineage: bool = True
    words: tuple[str, ...] = ()
SHELL = Shell()
OPTIONS: dict[str, Any] = {}   # flags of the family, modality and way of drawing that the command line names

def say(answer: Mapping[str, Any], text: str) -> None:
    """The result: JSON, or text (without control characters where a terminal would obey them)."""
    out = as_json(plain(answer)) if SHELL.as_json else printable(text) if sys.stdout and sys.stdout.isatty() else text
    put(out if out.endswith("\n") else out + "\n")

def put(text: str) -> None:
    """To standard output; ResourceError if that is closed or full."""
    try:
        if sys.stdout is None:
            raise OSError(errno.EBADF, "closed")
        sys.stdout.write(text)
        sys.stdout.flush()
    except BrokenPipeError:
        raise
    except OSError as why:
        sys.stdout = None
        raise not_written(Path("standard output"), why) from None

def as_json(value: Any) -> str:
    """JSON in plain letters of any script, but with all control characters escaped."""
    return re.sub(r"[\x7f-\x9f\u2028-\u202e\u2066-\u2069]", lambda c: f"\\u{ord(c[0]):04x}", json.dumps(value, ensure_ascii=False, allow_nan=False))
