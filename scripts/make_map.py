"""Writes the map of families: docs/pictures/map.svg, map.zh.svg, and the text block of docs/en/families.md and docs/zh/families.md.

`python scripts/make_map.py` writes them, `--check` only says whether they are up to date. Built-in families only.
"""
from __future__ import annotations

import re
import sys
from pathlib import Path

from _written import settled

from ilk.concepts import Known, Language, known, learners, svg, tree

DOCS = Path(__file__).parents[1] / "docs"
BLOCK = re.compile(r"(<!-- map -->\n```text\n).*?(```)", re.DOTALL)


def files(rows: list[Known]) -> dict[Path, str]:
    """What should stand where."""
    found: dict[Path, str] = {}
    languages: tuple[Language, ...] = ("en", "zh")
    for language in languages:
        page = DOCS / language / "families.md"
        found[DOCS / "pictures" / ("map.svg" if language == "en" else "map.zh.svg")] = svg(rows, language)
        found[page] = BLOCK.sub(rf"\g<1>{tree(rows, language)}\n\2", page.read_text(encoding="utf-8"))
    return found


if __name__ == "__main__":
    sys.exit(settled(files([known(name) for name in learners()])))
