"""Every route of OpenAI's, asked by schemathesis with all of its checks: what is described is what happens. The engine answers anything as the operations do."""
from __future__ import annotations

import struct
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Sequence
from io import BytesIO
from pathlib import Path
from typing import Any

import PIL.Image as pil
import pytest

from ilk.serve.guard import Guard
from ilk.serve.keys import hashed
from ilk.serve.place import Workspace
from ilk.serve.server import Server
from ilk.serve.work import Ask, Reply, Served

pytest.importorskip("schemathesis")
NAMES = ("smollm2-135m-instruct", "all-minilm-l6-v2", "digits")   # those of the examples
# What a schema can't say: a size that is the model's own, a tool that is chosen and not sent, the size of vectors, more than this server's limits, files that are pictures.
CONFIG = """
[[operations]]
include-path-regex = "^/v1/(images|chat|responses|completions|embeddings)"
checks.positive_data_acceptance.expected-statuses = ["2xx", "400", "401", "403", "404", "413", "429"]
"""


def picture() -> bytes:
    out = BytesIO()
    pil.new("RGB", (6, 8)).save(out, "PNG")
    return out.getvalue()


class Anything:
    """An engine that answers whatever is asked."""

    def served(self) -> Sequence[Served]:
        return tuple(Served(name, "", "ready") for name in NAMES)

    async def ask(self, name: str, ask: Ask) -> AsyncIterator[Reply]:
        n = len(ask.body.get("texts", ())) or ask.body.get("n", 1)
        told = {"about": Reply({"kind": "image", "shape": [8, 6, 3], "labels": [], "givens": [{"type": "prompt"}]}), "count": Reply({"tokens": 1, "window": 9}),
                "embed": Reply({"n": n, "size": 2, "tokens": None}, (struct.pack("<2f", 0.6, 0.8) * n,)), "weigh": Reply({"tokens": [{"text": "a", "nats": -0.1, "others": []}]})}
        if ask.op in ("chat", "continue_"):
            yield Reply({"text": "a", "tokens": [{"text": "a", "nats": -0.1, "others": [("b", -2.0)]}]})
            yield Reply({"end": {"why": "stop", "read": 1, "made": 1}})
        else:
            yield told.get(ask.op) or Reply({"items": [{"mime": "image/png", "blob": i} for i in range(n)]}, tuple(picture() for _ in range(n)))

    async def load(self, name: str) -> None: ...
    async def unload(self, name: str) -> None: ...
    async def close(self) -> None: ...


@pytest.mark.slow
def test_what_is_described_is_what_happens(tmp_path: Path, listening: Callable[[Server], Any]) -> None:
    server = Server(Anything(), Workspace.at(tmp_path / "workspace"), guard=Guard(True, hashed(b"secret-token")))
    (tmp_path / "schemathesis.toml").write_text(CONFIG)
    with listening(server) as (host, port):
        words = ["run", f"http://{host}:{port}/openapi.json", "--include-path-regex", "^/v1/(chat|completions|embeddings|responses|images)", "-H", "Authorization: Bearer secret-token",
                 "--max-examples", "50", "--checks", "all", "--max-response-time", "5", "--seed", "1", "--request-timeout", "30"]
        done = subprocess.run([str(Path(sys.executable).parent / "schemathesis"), *words], capture_output=True, text=True, timeout=600, check=False, cwd=tmp_path)
    assert done.returncode == 0, done.stdout[-8000:]
