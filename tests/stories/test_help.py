"""docs/help.txt is what the command says."""
from __future__ import annotations

import subprocess
import sys

from ._pages import ROOT, environment


def test_help_is_as_committed() -> None:
    ran = subprocess.run([sys.executable, "scripts/make_help.py", "--check"], cwd=ROOT, env=environment(), capture_output=True, text=True, check=False)
    assert ran.returncode == 0, f"run python scripts/make_help.py\n{ran.stderr}"
