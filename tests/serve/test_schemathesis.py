"""Every route of the description, asked by schemathesis with all of its checks: what is described is what happens."""
from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ilk.serve.guard import Guard
from ilk.serve.here import Here
from ilk.serve.place import Workspace
from ilk.serve.server import Server

pytest.importorskip("schemathesis")
OURS = "^/v1/(chat|completions|embeddings|responses|images|audio|moderations|fine_tuning)"


@pytest.mark.slow
@pytest.mark.parametrize("paths", [OURS])
def test_what_is_described_is_what_happens(paths: str, tmp_path: Path, listening: Callable[[Server], Any]) -> None:
    from ilk.serve.guard import hashed

    server = Server(Here({"echo": "echo:", "embedder": "echo:", "digits": "echo:"}), Workspace.at(tmp_path / "workspace"), guard=Guard(True, hashed(b"secret-token")))
    with listening(server) as (host, port):
        words = ["run", f"http://{host}:{port}/openapi.json", "--include-path-regex", paths, "-H", "Authorization: Bearer secret-token", "--max-examples", "60", "--checks", "all",
                 "--max-response-time", "5", "--seed", "1", "--generation-database", "none", "--request-timeout", "30"]
        done = subprocess.run([sys.executable, "-m", "schemathesis.cli", *words], capture_output=True, text=True, timeout=600, check=False, cwd=tmp_path)
    assert done.returncode == 0, json.dumps(done.stdout[-6000:])
