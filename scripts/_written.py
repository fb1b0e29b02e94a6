"""What the programs that write files share: they write what should stand there, or with --check say what does not."""
from __future__ import annotations

import sys
from collections.abc import Mapping
from difflib import unified_diff
from itertools import islice
from pathlib import Path

SHOWN = 40   # lines of a difference


def settled(wanted: Mapping[Path, str]) -> int:
    """Writes every file; with --check writes none, shows how they differ, and gives 1 if any does."""
    if "--check" not in sys.argv[1:]:
        for at, text in wanted.items():
            at.write_text(text, encoding="utf-8")
        return 0
    stale = {at: text for at, text in wanted.items() if not at.exists() or at.read_text(encoding="utf-8") != text}
    for at, text in stale.items():
        there = at.read_text(encoding="utf-8") if at.exists() else ""
        sys.stderr.writelines(islice(unified_diff(there.splitlines(True), text.splitlines(True), at.name, "wanted"), SHOWN))
    return 1 if stale else 0
