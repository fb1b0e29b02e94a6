"""Writes docs/help.txt: what `ilk --help`, every command's --help and the flags of every recipe say.

`python scripts/make_help.py` writes it, `--check` only says whether it is up to date. Built-in recipes only.
"""
from __future__ import annotations

import io
import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path
from typing import Any

from _written import settled

os.environ |= {"COLUMNS": "100", "NO_COLOR": "1", "TERM": "dumb"}
TO = Path(__file__).parents[1] / "docs" / "help.txt"
OF = {"families": ("fit", "DATA", "--family"), "modalities": ("fit", "DATA", "--modality"), "decoding": ("sample", "MODEL", "--how")}


def said(words: Sequence[str]) -> str:
    """What a command line prints."""
    from ilk.cli import main

    out = io.StringIO()
    with redirect_stdout(out), redirect_stderr(out):
        main(list(words))
    return "\n".join(line.rstrip() for line in out.getvalue().strip().split("\n"))


def pages() -> list[list[str]]:
    """Every command, those inside others too."""
    from ilk.cli import build

    def below(app: Any, words: list[str]) -> Iterator[list[str]]:
        yield words
        for name in app:
            if not name.startswith("-"):
                yield from below(app[name], [*words, name])
    return list(below(build(), []))


def recipes() -> list[str]:
    """The flags that depend on what is named, without the page that follows them."""
    from ilk import registry

    found = []
    for axis, (command, what, flag) in OF.items():
        for name in registry._built_in(axis):
            page = said([command, what, flag, name, "--help"])
            start = page.find(f"Options of {registry.SINGULAR[axis]} {name}:")
            block = page[start:].split("\n\n")[0] if start >= 0 else "(no options)"
            found.append(f"$ ilk {command} {what} {flag} {name} --help\n\n{block}")
    return found


def text() -> str:
    """All pages."""
    found = [f"$ {' '.join(['ilk', *words, '--help'])}\n\n{said([*words, '--help'])}" for words in pages()]
    return "\n\n\n".join([*found, *recipes()]) + "\n"


if __name__ == "__main__":
    sys.exit(settled({TO: text()}))
