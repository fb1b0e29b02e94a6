"""Every route of the description, asked by schemathesis with all of its checks: what is described is what happens."""
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
from ilk.serve.place import Workspace
from ilk.serve.server import Server

pytest.importorskip("schemathesis")
OURS = "^/v1/(chat|completions|embeddings|responses|images|audio|moderations|fine_tuning)"
ILKS = "^/v1/(models|files|read|lines|libraries|ask|sample|score|edit|impute|vary|interpolate|steer|evaluate)"
# What a request may mean depends on the model and the data that it names, which no schema says: such a request is refused with 400 like one against the schema.
DEPENDS = """[checks.positive_data_acceptance]
expected-statuses = ["2xx", 400, 401, 403, 404, 409, 413, 415, 429, "5xx"]
[checks.negative_data_rejection]
expected-statuses = [400, 401, 403, 404, 405, 409, 413, 415, 429, 431]
"""


@pytest.fixture(scope="module")
def people(tmp_path_factory: pytest.TempPathFactory) -> str:
    at = tmp_path_factory.mktemp("models") / "people.ilk"
    return str(ilk.fit({"age": [20 + i % 40 for i in range(200)], "city": [("Lyon", "Paris")[i % 40 > 20] for i in range(200)]}, ilk.ChowLiu()).save(at))


@pytest.mark.slow
@pytest.mark.parametrize(("paths", "config"), [(OURS, ""), (ILKS, DEPENDS)])
def test_what_is_described_is_what_happens(paths: str, config: str, tmp_path: Path, listening: Callable[[Server], Any], people: str) -> None:
    from ilk.serve.guard import hashed

    places = {"echo": "echo:", "embedder": "echo:", "digits": "echo:", "people": people}
    server = Server(Here(places), Workspace.at(tmp_path / "workspace"), guard=Guard(True, hashed(b"secret-token")))
    (tmp_path / "schemathesis.toml").write_text(config)
    with listening(server) as (host, port):
        words = ["run", f"http://{host}:{port}/openapi.json", "--include-path-regex", paths, "-H", "Authorization: Bearer secret-token", "--max-examples", "60", "--checks", "all",
                 "--max-response-time", "5", "--seed", "1", "--generation-database", "none", "--request-timeout", "30"]
        done = subprocess.run([sys.executable, "-m", "schemathesis.cli", *words], capture_output=True, text=True, timeout=600, check=False, cwd=tmp_path)
    assert done.returncode == 0, json.dumps(done.stdout[-6000:])
