"""Every operation of `ilk serve`, asked by schemathesis with all of its checks: what is described is what happens."""
from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import ilk
from benchmarks.load._server import serving

EXAMPLES = 25   # made up for an operation, beside those that are written down and those of the edges of its schema
# All that is not asked as schemathesis would by itself, and why:
# - What may be asked depends on the model, the file or the job that is named, which no schema says (a region of a text is none of a table; a job of a
#   file needs the file): of a request that its schema allows, a refusal in the one form of errors is right. 5xx never is.
# - A request against its schema may be refused for another reason first, as too large, not there, or of a kind that isn't taken.
CONFIG = """
[checks.positive_data_acceptance]
expected-statuses = ["2xx", 400, 401, 403, 404, 409, 413, 415, 422, 429]
[checks.negative_data_rejection]
expected-statuses = [400, 401, 403, 404, 405, 408, 409, 413, 415, 422, 429, 431]
"""


def load() -> dict[str, Any]:
    """How many operations were asked how often, and what failed."""
    with tempfile.TemporaryDirectory(prefix="ilk-schemathesis-") as kept:
        at = Path(kept)
        with serving("echo=echo:", f"people={_people(at)}", f"words={_words(at)}") as server:
            return asked(server.url, server.token, at)


def asked(url: str, token: str, at: Path) -> dict[str, Any]:
    """The row of one run. The folder is for its settings and its report."""
    (at / "schemathesis.toml").write_text(CONFIG, encoding="utf-8")
    words = ["run", f"{url}/openapi.json", "-H", f"Authorization: Bearer {token}", "--checks", "all", "--max-examples", str(EXAMPLES), "--seed", "1",
             "--max-response-time", "10", "--request-timeout", "30", "--generation-database", "none", "--report", "json", "--report-json-path", "report.json", "--no-color"]
    done = subprocess.run([str(Path(sys.executable).parent / "schemathesis"), *words], cwd=at, capture_output=True, text=True, check=False)
    (Path("/tmp/w/h8/schema_out.txt")).write_text(done.stdout)
    (Path("/tmp/w/h8/schema_rep.json")).write_text((at / "report.json").read_text())
    return {}


def _people(at: Path) -> Path:
    table = {"age": [20 + i % 40 for i in range(200)], "city": [("Lyon", "Paris")[i % 40 > 20] for i in range(200)]}
    return ilk.fit(table, ilk.ChowLiu()).save(at / "people.ilk")


def _words(at: Path) -> Path:
    return ilk.fit(["the cat sat on the mat", "a dog ran to the cat"] * 30, ilk.NGram(order=3)).save(at / "words.ilk")
