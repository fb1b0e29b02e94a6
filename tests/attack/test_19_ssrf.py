"""Case 19: nothing that a request names is fetched. A server that listens on this machine, and counts, hears nothing."""
from __future__ import annotations

import json
import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

pytest.importorskip("fastapi")
from fastapi.testclient import TestClient

import ilk
from ilk.serve.app import build
from ilk.serve.here import Here
from ilk.serve.place import Workspace
from ilk.serve.server import Server
from ilk.serve.understood import answer

OTHERS = ("http://169.254.169.254/latest", "http://[::1]:{port}/", "http://0x7f000001:{port}/", "http://2130706433:{port}/", "http://a\\@127.0.0.1:{port}/", "http://allowed@127.0.0.1:{port}/",
          "http://localhost:{port}/", "file:///etc/passwd", "gopher://127.0.0.1:{port}/_x", "ftp://127.0.0.1:{port}/", "//127.0.0.1:{port}/", "data:,x", "HTTP://127.0.0.1:{port}/")


class Canary:
    """Counts who calls."""

    def __init__(self) -> None:
        self.heard, self.open = 0, socket.create_server(("127.0.0.1", 0))
        self.port = self.open.getsockname()[1]
        threading.Thread(target=self._listen, daemon=True).start()

    def _listen(self) -> None:
        while True:
            try:
                call, _ = self.open.accept()
            except OSError:
                return
            self.heard += 1
            call.close()


@pytest.fixture
def canary() -> Iterator[Canary]:
    found = Canary()
    yield found
    found.open.close()


@pytest.fixture
def client(tmp_path: Path) -> Iterator[TestClient]:
    import numpy as np

    bits = (np.indices((20, 8, 8)).sum(0) % 2).astype(np.uint8)[..., None] * 255
    at = ilk.fit(bits, ilk.ChowLiu()).save(tmp_path / "bits.ilk")
    with TestClient(build(Server(Here({"bits": str(at), "echo": "echo:"}), Workspace.at(tmp_path / "w"))), raise_server_exceptions=False) as made:
        yield made


def test_the_canary_hears(canary: Canary) -> None:
    socket.create_connection(("127.0.0.1", canary.port)).close()
    while not canary.heard:
        pass
    assert canary.heard == 1


def test_nothing_is_fetched(canary: Canary, client: TestClient) -> None:
    urls = [u.replace("{port}", str(canary.port)) for u in ("http://127.0.0.1:{port}/", *OTHERS)]
    for url in urls:
        for verb, asked in (("score", {"model": "bits", "items": [{"b64": url}]}), ("score", {"model": "bits", "items": [{"url": url}]}), ("score", {"model": "bits", "items": [url]}),
                            ("edit", {"model": "bits", "items": [{"b64": url}], "redo": {"mask": url}}), ("read", {"file": url}), ("sample", {"model": url}),
                            ("sample", {"model": "bits", "given": [f"Like('{url}', 1)"]}), ("sample", {"model": "bits", "prompt": url}), ("evaluate", {"model": "bits", "file": url}),
                            ("ask", {"library": url, "question": url}), ("ask", {"library": "x", "question": "?", "model": url}), ("libraries", {"name": url})):
            got = client.post(f"/v1/{verb}", json=asked)
            assert 400 <= got.status_code < 500, (verb, asked, got.text)
            assert "root:" not in got.text
        assert client.post("/v1/lines", json={"verb": "fit", "params": {"file": url}}).status_code == 200   # says it, does nothing
    assert canary.heard == 0


def test_addresses_inside_files_are_text(canary: Canary, tmp_path: Path) -> None:
    """What /v1/read does with a file, in this process, where the canary would be heard all the same."""
    url = f"http://127.0.0.1:{canary.port}/"
    page = f'<html><img src="{url}"><link rel=stylesheet href="{url}"><script src="{url}"></script><iframe src="{url}"></iframe>hello</html>'
    for name, text in (("a.csv", f"a,b\n{url},1\n{url},2\n"), ("a.html", page), ("a.jsonl", json.dumps({"text": url, "$ref": url}) + "\n")):
        (tmp_path / name).write_text(text * 3)
        assert answer({"path": str(tmp_path / name), "name": name})["problems"] is not None
    assert canary.heard == 0


def test_chat_fetches_no_pictures(canary: Canary, client: TestClient) -> None:
    for url in (f"http://127.0.0.1:{canary.port}/a.png", "file:///etc/passwd", "http://169.254.169.254/"):
        content = [{"type": "text", "text": "what is this?"}, {"type": "image_url", "image_url": {"url": url}}]
        got = client.post("/v1/chat/completions", json={"model": "echo", "messages": [{"role": "user", "content": content}]})
        assert got.status_code == 400 and got.json()["error"]["code"] in ("remote_url_disabled", "invalid_request")
    assert canary.heard == 0
