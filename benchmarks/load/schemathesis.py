"""Every operation of `ilk serve`, asked by schemathesis with all of its checks: what is described is what happens."""
from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import httpx
import numpy as np

import ilk
from benchmarks.load._server import Running, serving
from ilk.rng import Rng

EXAMPLES = 30   # made up for an operation, beside those that are written down and those at the edges of its schema
# All that is not asked as schemathesis would by itself, and why:
# - What may be asked depends on the model, the file or the job that is named, which no schema says (a box is no part of a row; a job of a file needs one): of a
#   request that its schema allows, a refusal in the one form of errors is right. 5xx never is.
# - A request against its schema may be refused for something else first: as too large, as of a kind that isn't taken, as one of what is not there.
# - A form has no types: where its schema says text, null and 7 are sent as the words null and 7, which are texts. Such requests are no violation of
#   three routes that take forms; all other checks hold there (and tests/attack/test_18_uploads.py breaks forms by hand).
CHECKS = """
[checks.positive_data_acceptance]
expected-statuses = ["2xx", 400, 401, 403, 404, 409, 413, 415, 422, 429]
[checks.negative_data_rejection]
expected-statuses = [400, 401, 403, 404, 405, 408, 409, 413, 415, 422, 429, 431]
[[operations]]
include-path-regex = "^/v1/(files|images/(edits|variations))$"
include-method = "POST"
checks.negative_data_rejection.expected-statuses = ["2xx", 400, 401, 403, 404, 405, 408, 409, 413, 415, 422, 429, 431]
"""
# Names of what there is, so that requests get as far as the models, files and jobs; the rest are made up.
SHARE, READS = 0.9, 0.2   # of requests; each that reads a file starts a process, which takes seconds
TALKS = "smollm2-135m-instruct"   # so called in the examples of the description
BODIES = {"model": "models", "file": "files", "library": "libraries"}
PATHS = {"/v1/models": "models", "/v1/files": "files", "/v1/jobs": "jobs", "/v1/libraries": "libraries"}


def load() -> dict[str, Any]:
    """How many operations were asked how often, and what failed."""
    with tempfile.TemporaryDirectory(prefix="ilk-schemathesis-") as kept:
        at = Path(kept)
        with serving("echo=echo:", f"{TALKS}=echo:", *(f"{name}={place}" for name, place in _models(at).items()), workspace=at / "workspace") as server:
            return asked(server, at, _filled(server))


def asked(server: Running, at: Path, names: Mapping[str, list[str]]) -> dict[str, Any]:
    """The row of one run. The folder is for its settings and its report."""
    (at / "schemathesis.toml").write_text(CHECKS + _bound(names), encoding="utf-8")
    words = ["run", f"{server.url}/openapi.json", "-H", f"Authorization: Bearer {server.token}", "--checks", "all", "--max-examples", str(EXAMPLES), "--seed", "1",
             "--max-response-time", "30", "--request-timeout", "60", "--generation-database", "none", "--report", "json", "--report-json-path", "report.json"]
    done = subprocess.run([str(Path(sys.executable).parent / "schemathesis"), *words], cwd=at, capture_output=True, text=True, check=False)
    try:
        said = json.loads((at / "report.json").read_text(encoding="utf-8"))
    except OSError:
        raise RuntimeError(f"schemathesis ended with {done.returncode}: {(done.stdout + done.stderr)[-2000:]}") from None
    rates = said["valid_rates"].values()
    accepted = sum(phase["accepted"] for rate in rates for phase in rate.values())
    return {"operations": said["operations"]["tested"], "left_out": said["operations"]["total"] - said["operations"]["tested"], "cases": said["test_cases"]["generated"],
            "accepted": accepted, "failures": said["test_cases"]["unique_failures"], "errors": len(said["errors"]), "complete": said["complete"], "exit": done.returncode,
            "said": "" if done.returncode == 0 else done.stdout[-20_000:], "seconds": round(said["running_time"], 1)}


def _bound(names: Mapping[str, list[str]]) -> str:
    """Where those names stand in requests."""
    lists = [f"[dictionaries.{what}]\nvalues = {json.dumps(some)}\n" for what, some in names.items()]
    bodies = [f'"body.{field}" = {{ dictionary = "{what}", probability = {SHARE} }}' for field, what in BODIES.items()]
    paths = [f'[[operations]]\ninclude-path-regex = "^{path}/"\nexclude-method = "DELETE"\n[operations.parameters]\n'
             f'"path.{"name" if what in ("models", "libraries") else "id"}" = {{ dictionary = "{what}", probability = {SHARE} }}\n' for path, what in PATHS.items()]
    read = f'[[operations]]\ninclude-path = "/v1/read"\n[operations.parameters]\n"body.file" = {{ dictionary = "files", probability = {READS} }}\n'
    return "\n".join([*lists, "[parameters]", *bodies, *paths, read])


def _models(at: Path) -> dict[str, Path]:
    """A small one of rows, of texts and of pictures; and one in the workspace."""
    table = {"age": [20 + i % 40 for i in range(200)], "city": [("Lyon", "Paris")[i % 40 > 20] for i in range(200)]}
    dots = (Rng(0).child("dots").uniform(60, 64).numpy().reshape(60, 8, 8, 1) < 0.4).astype(np.uint8) * 255
    made = {"people": ilk.fit(table, ilk.ChowLiu()), "words": ilk.fit(["the cat sat on the mat", "a dog ran to the cat"] * 30, ilk.NGram(order=3)),
            "digits": ilk.fit(dots, ilk.ChowLiu())}
    made["people"].save(at / "workspace" / "models" / "own.ilk")
    return {name: model.save(at / f"{name}.ilk") for name, model in made.items()}


def _filled(server: Running) -> dict[str, list[str]]:
    """A file, a library and a job that is done; and the names of all that there is."""
    with httpx.Client(base_url=server.url + "/v1", headers={"authorization": f"Bearer {server.token}"}, timeout=60) as client:
        rows = "age,city\n" + "".join(f"{20 + i % 40},{('Lyon', 'Paris')[i % 3 > 1]}\n" for i in range(60))
        file = client.post("/files", files={"file": ("people.csv", rows.encode())}).raise_for_status().json()["id"]
        client.post("/libraries", json={"name": "notes"}).raise_for_status()
        job = client.post("/jobs", json={"kind": "evaluate", "params": {"model": "people", "file": file}}).raise_for_status().json()["id"]
        until = time.monotonic() + 60
        while client.get(f"/jobs/{job}").json()["state"] in ("queued", "running") and time.monotonic() < until:
            time.sleep(0.2)
    return {"models": ["people", "words", "digits", "echo", TALKS, "own"], "files": [file], "jobs": [job], "libraries": ["notes"]}
