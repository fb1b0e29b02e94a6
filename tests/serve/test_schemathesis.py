"""Every operation of `ilk serve`, asked by schemathesis with all of its checks: what is described is what happens."""
from __future__ import annotations

import importlib
from pathlib import Path

import pytest

from ilk.serve.app import build
from ilk.serve.here import Here
from ilk.serve.place import Workspace
from ilk.serve.server import Server

ROOT = Path(__file__).parents[2]


@pytest.mark.slow
def test_what_is_described_is_what_happens(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("schemathesis")
    monkeypatch.syspath_prepend(str(ROOT))
    row = importlib.import_module("benchmarks.load.schemathesis").load()
    judged = importlib.import_module("benchmarks.load._server").judged("schemathesis", row)
    assert judged["passed"], (judged["missed"], row["said"])


def test_every_operation_tells_its_key_and_the_same_refusals(tmp_path: Path) -> None:
    said = build(Server(Here({"echo": "echo:"}), Workspace.at(tmp_path / "workspace"))).openapi()
    operations = {(method, path): one for path, methods in said["paths"].items() for method, one in methods.items()}
    refusals = {"400", "401", "403", "404", "405", "408", "409", "413", "415", "429", "431", "500", "503", "507"}
    for (_, path), one in operations.items():
        told = {status: answer for status, answer in one["responses"].items() if not status.startswith("2")}
        assert set(told) == refusals, path
        assert all(answer["content"]["application/json"]["schema"] == {"$ref": "#/components/schemas/ErrorAnswer"} for answer in told.values()), path
        assert one["security"] == {"/healthz": [], "/metrics": [{}, {"key": []}]}.get(path, [{"key": []}]), path
    assert len(operations) >= 51 and "HTTPValidationError" not in said["components"]["schemas"]
