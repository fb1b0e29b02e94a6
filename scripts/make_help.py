"""Writes docs/help.txt: what `ilk --help`, every command's --help and the flags of every recipe say.

`python scripts/make_help.py` writes it, `--print` prints it instead. Built-in recipes only.
"""
from __future__ import annotations

import io
import os
import sys
from collections.abc import Sequence
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path

os.environ |= {"COLUMNS": "100", "NO_COLOR": "1", "TERM": "dumb"}
TO = Path(__file__).parents[1] / "docs" / "help.txt"
PAGES = ([], ["fit"], ["sample"], ["edit"], ["vary"], ["interpolate"], ["translate"], ["discover"], ["score"], ["evaluate"], ["diagnose"], ["show"], ["report"], ["forget"], ["export"],
         ["list"], ["data"], ["data", "fetch"], ["demo"])
OF = {"families": ("fit", "DATA", "--family"), "modalities": ("fit", "DATA", "--modality"), "decoding": ("sample", "MODEL", "--how")}


def said(words: Sequence[str]) -> str:
    """What a command line prints."""
    from ilk.cli import main

    out = io.StringIO()
    with redirect_stdout(out), redirect_stderr(out):
        main(list(words))
    return "\n".join(line.rstrip() for line in out.getvalue().strip().split("\n"))


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
    pages = [f"$ {' '.join(['ilk', *words, '--help'])}\n\n{said([*words, '--help'])}" for words in PAGES]
    return "\n\n\n".join([*pages, *recipes()]) + "\n"


if __name__ == "__main__":
    if "--print" in sys.argv[1:]:
        sys.stdout.write(text())
    else:
        TO.write_text(text(), encoding="utf-8")
