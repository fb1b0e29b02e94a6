"""Fenced blocks of the pages, run as a reader would: python in one namespace, console lines as commands, output compared.

Numbers in output are compared in kind only, since the last digits differ between machines; `...` stands for what is left out.
"""
from __future__ import annotations

import doctest
import json
import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import redirect_stdout
from dataclasses import dataclass
from importlib import import_module
from io import StringIO
from pathlib import Path
from types import ModuleType
from typing import Any

import ilk

ROOT = Path(__file__).parents[2]
_FENCE = re.compile(r"^```(\w*)[^\n]*\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_PROGRESS = re.compile(r"^\d+% step .*\n", re.MULTILINE)   # told every few seconds: only slow machines get there
_NUMBER = re.compile(r"[-+]?\d+(?:[.:,]\d+)*(?:e[-+]?\d+)?")
# Runs command lines one after the other in one process, since torch is slow to import; stderr comes with stdout, but for --json.
_DRIVER = """
import io, json, sys
from contextlib import redirect_stderr, redirect_stdout
from ilk.cli import main
for line in sys.stdin:
    words, out = json.loads(line), io.StringIO()
    with redirect_stdout(out), redirect_stderr(io.StringIO() if "--json" in words else out):
        code = main(words)
    print(json.dumps([code, out.getvalue()]), flush=True)
"""


@dataclass(frozen=True)
class Block:
    """One fenced block: its language, text, and line in the page."""

    language: str
    text: str
    line: int


@dataclass(frozen=True)
class Command:
    """A line of a console block that begins with `$ ilk`, and what the page says it prints."""

    words: Sequence[str]
    output: str
    line: int


def blocks(page: Path, *languages: str) -> list[Block]:
    text = page.read_text(encoding="utf-8")
    found = [Block(m[1], m[2], text[: m.start()].count("\n") + 1) for m in _FENCE.finditer(text)]
    return [b for b in found if not languages or b.language in languages]


def commands(page: Path) -> Iterator[Command]:
    for block in blocks(page, "console"):
        for part in re.split(r"^\$ ", block.text, flags=re.MULTILINE)[1:]:
            line, _, output = part.partition("\n")
            words = shlex.split(line, comments=True)
            if words[0] == "ilk":
                yield Command(words[1:], output, block.line)


def masked(text: str) -> str:
    return " ".join(_NUMBER.sub("#", text).split())


def agree(said: str, printed: str) -> bool:
    """Whether what the page says is what was printed, but for digits, spaces and what `...` leaves out."""
    return doctest.OutputChecker().check_output(masked(said) + "\n", masked(printed) + "\n", doctest.ELLIPSIS)


def environment(**more: str) -> dict[str, str]:
    """That of a process which imports the same ilk as this one."""
    return {**os.environ, "PYTHONPATH": str(Path(ilk.__file__).parents[1]), "COLUMNS": "100", "NO_COLOR": "1", **more}


def run_console(page: Path, at: Path) -> list[str]:
    """Runs the commands of a page in a folder; what went otherwise than the page says."""
    asked = list(commands(page))
    lines = "\n".join(json.dumps(list(c.words)) for c in asked)
    ran = subprocess.run([sys.executable, "-c", _DRIVER], input=lines, capture_output=True, text=True, cwd=at, env=environment(), timeout=300, check=False)
    results = [(code, _PROGRESS.sub("", printed)) for code, printed in map(json.loads, ran.stdout.splitlines())]
    wrong = [] if len(results) == len(asked) else [f"{page.name}: {ran.stderr[-500:]}"]
    for command, (code, printed) in zip(asked, results, strict=False):
        fails = "error[" in command.output or '"error"' in command.output
        if bool(code) != fails or (command.output.strip() and not agree(command.output, printed)):
            wrong.append(f"{page.name}:{command.line} ilk {' '.join(command.words)} exits with {code} and prints\n{printed}")
    return wrong


def run_python(page: Path, names: dict[str, Any]) -> list[str]:
    """Runs the python blocks of a page, in order, in one namespace; a text block that follows is what it prints."""
    every, wrong = blocks(page), []
    for block, after in zip(every, [*every[1:], Block("", "", 0)], strict=True):
        if block.language != "python":
            continue
        out = StringIO()
        with redirect_stdout(out):
            exec(compile(block.text, f"{page.name}:{block.line}", "exec"), names)
        if after.language == "text" and not agree(after.text, out.getvalue()):
            wrong.append(f"{page.name}:{block.line} prints\n{out.getvalue()}")
    return wrong


def code_of(page: Path) -> list[tuple[str, str]]:
    """The code and output of a page, in order: what a translation must have alike."""
    return [(b.language, b.text) for b in blocks(page)]


def script(name: str) -> ModuleType:
    """A program of the folder scripts, as a module; they import each other as they do when they run."""
    sys.path.insert(0, str(ROOT / "scripts"))
    try:
        return import_module(name)
    finally:
        sys.path.remove(str(ROOT / "scripts"))
