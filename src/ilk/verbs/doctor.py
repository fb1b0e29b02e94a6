"""doctor: which known faults a script, data, a model or the installation has, each with where, why, the remedy and where to read on."""
from __future__ import annotations

import ast
import json
import os
import re
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ilk import registry
from ilk.dataset import Dataset
from ilk.errors import DataError, printable
from ilk.fault import Fault, Figures, Found, Installation, Record, Script
from ilk.model import Model, load
from ilk.verbs._checkup import figures_of, installation, record_of
from ilk.verbs._own import own
from ilk.verbs.evaluate import Evaluation
from ilk.verbs.read import read

SCRIPTS, LOGS = (".py", ".ipynb", ".md"), (".jsonl", ".ndjson")
LARGEST = 2 << 20   # bytes of a script
PAGE, DIAGNOSED = "docs/en/doctor.md", "docs/en/diagnose.md"
_FENCE = re.compile(r"^\s*(```+|~~~+)\s*(\w*)")
_MAGIC = re.compile(r"^(\s*)(?:%{1,2}[A-Za-z]|[!?]).*$", re.MULTILINE)


@dataclass(frozen=True)
class Checkup:
    """What was found in a thing, the faults that were looked for, and those that could not be (with the reason)."""

    thing: str
    findings: tuple[Found, ...]
    looked: tuple[str, ...]
    failed: tuple[tuple[str, str], ...] = ()

    def __repr__(self) -> str:
        lines = [f"{f.fault}: {f.where}\n  why: {f.why}\n  remedy: {f.remedy}\n  more: {f.page}" for f in self.findings]
        lines += [f"{name} could not be looked for: {why}" for name, why in self.failed]
        return "\n".join([*lines, f"{self.thing}: looked for {len(self.looked)} faults; found: {len(self.findings)}"])


def doctor(thing: Any = None) -> Checkup:
    """The known faults of a thing; of the installation, if none is named.

    A path or name is read for what it is: a program (.py), the cells of a notebook (.ipynb), the Python blocks of a page (.md), the folder of a
    saved model, the log of a fit (.jsonl), or data. Programs are parsed and never run. Datasets, models, Evaluations and what `ilk.fault` defines
    are taken as they are.

    >>> import ilk
    >>> from pathlib import Path
    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as folder:
    ...     script = Path(folder) / "train.py"
    ...     _ = script.write_text("x = torch.zeros(3)")
    ...     [found.fault for found in ilk.doctor(script).findings]
    ['missing_import']
    """
    name, things, found = _seen(thing)
    looked: dict[str, None] = {}
    failed: dict[str, str] = {}
    for one in things:
        for fault in registry.names("faults"):
            made = registry.get("faults", fault)
            if isinstance(one, made.looks_at):
                looked[fault] = None
                try:
                    found += _quietly(made(), one)
                except Exception as why:  # a rule that fails on odd input must not keep the others from being told
                    failed[fault] = f"{type(why).__name__}: {printable(str(why))[:200]}"
    return Checkup(name, tuple(found), tuple(f for f in looked if f not in failed), tuple(failed.items()))


def _quietly(fault: Fault, thing: Any) -> list[Found]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return list(fault.find(thing))


def _seen(thing: Any) -> tuple[str, list[Any], list[Found]]:
    """What to call it, what rules may look at, and what was found in coming so far."""
    if thing is None:
        return "installation", [installation()], []
    if isinstance(thing, Model):
        return repr(thing), *_of_model(thing)
    if isinstance(thing, Evaluation):
        return "figures", [figures_of(thing)], []
    if isinstance(thing, Script | Record | Figures | Installation | Dataset):
        return thing.name if isinstance(thing, Script) else type(thing).__name__.lower(), [thing], []
    if isinstance(thing, str | Path):
        return printable(Path(thing).name or str(thing)), *_of_path(Path(thing))
    return type(thing).__name__, [read(thing)], []


def _of_path(at: Path) -> tuple[list[Any], list[Found]]:
    if (at / "ilk.json").is_file():
        return _of_model(load(at))
    if at.suffix.lower() in SCRIPTS:
        found = script(at)
        if isinstance(found, Found):
            return [], [found]
        if at.suffix.lower() != ".md" or found.tree.body:   # a page without programs is a text
            return [found], []
    return [record_of(at) if at.suffix.lower() in LOGS and _is_log(at) else read(str(at))], []


def _is_log(at: Path) -> bool:
    """Whether the first line is an event of a fit."""
    try:
        with open(at, "rb") as file:
            row = json.loads(file.readline(LARGEST))
    except (OSError, ValueError, RecursionError):
        return False
    return isinstance(row, dict) and "event" in row


def _of_model(model: Model) -> tuple[list[Any], list[Found]]:
    """The record of its fit, its data if they are still what they were, and what `diagnose` finds with these."""
    from ilk.verbs.diagnose import diagnose  # not above: it takes in families

    record, data = record_of(model), own(model)
    if data is None:
        return [record], []
    found = diagnose(model, data).findings if len(data.index("test")) else ()
    return [record, data], [Found(f.name, "the model, by its held-out items", f"{f.says} (evidence {f.evidence:.3g}, threshold {f.threshold:.3g})", f.remedy,
                                  DIAGNOSED) for f in found]


def script(at: str | Path) -> Script | Found:
    """A program as a syntax tree, from a .py, .ipynb or .md file; a finding where it is no Python. DataError if the file can't be read."""
    at = Path(at)
    raw = _bytes(at)
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as why:
        raise DataError(f"{at} is not UTF-8 (byte {why.start})", code="DATA_TYPE", remedy="save it as UTF-8") from None
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    cells: tuple[int, ...] = ()
    if at.suffix.lower() == ".ipynb":
        text, cells = _cells(at, text)
    elif at.suffix.lower() == ".md":
        text = _blocks(text)
    return parsed(printable(at.name), text, cells)


def parsed(name: str, text: str, cells: tuple[int, ...] = ()) -> Script | Found:
    """A program's text as a Script, or what keeps it from being one."""
    page = f"{PAGE}#syntax_error"
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return Script(name, text, ast.parse(text), cells)
    except SyntaxError as why:
        place = Script(name, "", ast.Module([], []), cells).place(why.lineno or 1)
        return Found("syntax_error", place, f"this is not Python: {why.msg}", "mend the line, or the one before it", page)
    except (ValueError, RecursionError, MemoryError) as why:
        return Found("syntax_error", name, f"this can't be parsed: {printable(str(why))[:100]}", "mend the file", page)


def _bytes(at: Path) -> bytes:
    try:
        if os.path.getsize(at) > LARGEST:
            raise DataError(f"{at} has more than {LARGEST >> 20} MB, which no program has", code="SIZE", remedy="name the script itself")
        return at.read_bytes()
    except OSError as why:
        raise DataError(f"{at} can't be read: {why.strerror}", code="NOT_FOUND") from None


def _cells(at: Path, text: str) -> tuple[str, tuple[int, ...]]:
    """The code of a notebook as one text, lines of IPython left blank, and the line that each cell begins at."""
    try:
        cells = json.loads(text)["cells"]
        codes = ["".join(c["source"]) for c in cells if c["cell_type"] == "code"]
    except (ValueError, KeyError, TypeError, RecursionError):
        raise DataError(f"{at} is no notebook", code="DATA_TYPE", remedy="a file that Jupyter saved, version 4") from None
    parts, firsts, line = [], [], 1
    for code in codes:
        plain = "" if code.lstrip().startswith("%%") else _MAGIC.sub(r"\1pass", code)
        parts.append(plain)
        firsts.append(line)
        line += plain.count("\n") + 1
    return "\n".join(parts), tuple(firsts)


def _blocks(text: str) -> str:
    """The Python blocks of a page, every other line left blank, so that lines keep their numbers."""
    kept, fence, python = [], "", False
    for line in text.split("\n"):
        mark = _FENCE.match(line)
        if mark and not fence:
            fence, python = mark[1], mark[2].lower() in ("python", "py", "python3")
            kept.append("")
        elif mark and fence and line.strip().startswith(fence) and not mark[2]:
            fence, python = "", False
            kept.append("")
        else:
            kept.append(line if python else "")
    return "\n".join(kept)

