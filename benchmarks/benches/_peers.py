"""The peers' own environment: made when it is missing, from the pinned list beside this."""
from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

HOME = Path(__file__).parent.parent
VENV = HOME.parent / ".venv-peers"


def python() -> Path:
    """The peers' interpreter."""
    stamp, listed = VENV / ".installed", (HOME / "peers.txt").read_text()
    if not stamp.exists() or stamp.read_text() != listed:
        if not (VENV / "bin" / "python").exists():
            subprocess.run([sys.executable, "-m", "venv", str(VENV)], check=True)
        first = next(line for line in listed.splitlines() if line.startswith("torch=="))
        for wanted in ([first], ["-r", str(HOME / "peers.txt")]):
            subprocess.run([str(VENV / "bin" / "python"), "-m", "pip", "install", "-q", *wanted], check=True, stdout=sys.stderr)
        stamp.write_text(listed)
    return VENV / "bin" / "python"


def run(script: str, *words: str) -> list[dict[str, Any]]:
    """The JSON lines that a peer's script prints."""
    done = subprocess.run([str(python()), str(HOME / "peers" / script), *words], check=True, stdout=subprocess.PIPE, text=True)
    return [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]
