"""A server of models that are none, in this process."""
from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from fastapi.testclient import TestClient

from ilk.serve.app import build
from ilk.serve.here import Here
from ilk.serve.place import Workspace
from ilk.serve.server import Server


@pytest.fixture
def client(tmp_path: Path) -> Iterator[TestClient]:
    server = Server(Here({"echo": "echo:", "polite": "echo:Good day to you"}), Workspace.at(tmp_path / "workspace"))
    with TestClient(build(server), raise_server_exceptions=False) as found:
        yield found
