"""docs/help.txt is what the command says."""
from __future__ import annotations

import subprocess
import sys

from ._pages import ROOT, environment


def test_help_is_as_committed() -> None:
    found = subprocess.run([sys.executable, "scripts/make_help.py", "--print"], cwd=ROOT, env=environment(), capture_output=True, text=True, check=True).stdout
    assert found == (ROOT / "docs" / "help.txt").read_text(encoding="utf-8"), "run python scripts/make_help.py"
