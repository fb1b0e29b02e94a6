"""Every route of ilk's own, asked by schemathesis with all of its checks over a small fitted model: what is described is what happens."""
from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import ilk
from ilk.serve.guard import Guard
from ilk.serve.here import Here
from ilk.serve.keys import hashed
from ilk.serve.place import Workspace
from ilk.serve.server import Server

pytest.importorskip("schemathesis")
PATHS = "^/v1/(models|files|read|lines|libraries|ask|sample|score|edit|impute|vary|interpolate|steer|evaluate)"
# What a request may mean depends on the model and the data that it names, which no schema says: such a request is refused with 400 like one against the schema.
CONFIG = """[checks.positive_data_acceptance]
expected-statuses = ["2xx", 400, 401, 403, 404, 409, 413, 415, 429, "5xx"]
[checks.negative_data_rejection]
expected-statuses = [400, 401, 403, 404, 405, 409, 413, 415, 429, 431]
"""


@pytest.mark.slow
def test_what_is_described_is_what_happens(tmp_path: Path, listening: Callable[[Server], Any]) -> None:
    people = ilk.fit({"age": [20 + i % 40 for i in range(200)], "city": [("Lyon", "Paris")[i % 40 > 20] for i in range(200)]}, ilk.ChowLiu()).save(tmp_path / "people.ilk")
    server = Server(Here({"echo": "echo:", "people": str(people)}), Workspace.at(tmp_path / "workspace"), guard=Guard(True, hashed(b"secret-token")))
    (tmp_path / "schemathesis.toml").write_text(CONFIG)
    with listening(server) as (host, port):
        words = ["run", f"http://{host}:{port}/openapi.json", "--include-path-regex", PATHS, "-H", "Authorization: Bearer secret-token", "--max-examples", "25",
                 "--checks", "all", "--max-response-time", "10", "--seed", "1", "--generation-database", "none", "--request-timeout", "30"]
        done = subprocess.run([str(Path(sys.executable).parent / "schemathesis"), *words], capture_output=True, text=True, timeout=600, check=False, cwd=tmp_path)
    assert done.returncode == 0, json.dumps(done.stdout[-6000:])
