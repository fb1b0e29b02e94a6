"""ms: against a server on this machine that answers as ModelScope does."""
from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from urllib.parse import parse_qs, urlsplit

import pytest

from ilk.backends.ms import MS
from ilk.errors import UsageError

FILES = {"config.json": b'{"architectures": ["LlamaForCausalLM"]}', "model.safetensors": b"weights", "pytorch_model.bin": b"pickle", "evil.py": b"code",
         "tokenizer.json": b"{}"}


class Hub(ThreadingHTTPServer):
    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Answers)
        self.files, self.damage, self.asked, self.strange = dict(FILES), "", list[str](), ""


class Answers(BaseHTTPRequestHandler):
    server: Hub

    def do_GET(self) -> None:
        at, query = urlsplit(self.path), parse_qs(urlsplit(self.path).query)
        if not at.path.startswith("/api/v1/models/org/tiny/repo"):
            self.send_error(404)
            return
        if at.path.endswith("/files"):
            listed = [{"Path": self.server.strange or n, "Size": len(d), "Sha256": hashlib.sha256(d).hexdigest(), "Type": "blob"} for n, d in self.server.files.items()]
            self._send(json.dumps({"Code": 200, "Data": {"Files": listed}}).encode())
            return
        name = query["FilePath"][0]
        self.server.asked.append(name)
        self._send(self.server.files[name][:-1] + b"X" if name == self.server.damage else self.server.files[name])

    def _send(self, data: bytes) -> None:
        self.send_response(200)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *said: object) -> None:
        pass


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Hub]:
    server = Hub()
    Thread(target=server.serve_forever, daemon=True).start()
    monkeypatch.setenv("MODELSCOPE_DOMAIN", f"http://127.0.0.1:{server.server_port}")
    monkeypatch.setenv("ILK_CACHE", str(tmp_path / "cache"))
    yield server
    server.shutdown()
    server.server_close()


def test_only_data_comes_and_only_once(hub: Hub) -> None:
    at = MS().pull("org/tiny")
    assert sorted(f.name for f in at.iterdir()) == [".whole", "config.json", "model.safetensors", "tokenizer.json"]
    assert hub.asked == ["config.json", "model.safetensors", "tokenizer.json"] and (at / "model.safetensors").read_bytes() == b"weights"
    hub.asked.clear()
    assert MS().pull("org/tiny") == at and hub.asked == []


def test_a_damaged_file_is_not_kept_and_comes_again(hub: Hub) -> None:
    hub.damage = "model.safetensors"
    with pytest.raises(UsageError, match="came damaged") as why:
        MS().pull("org/tiny")
    assert why.value.code == "DAMAGED"
    hub.damage = ""
    assert (MS().pull("org/tiny") / "model.safetensors").read_bytes() == b"weights"


@pytest.mark.parametrize("path", ["../../x.json", "/etc/x.json", "a/../x.json"])
def test_names_that_leave_the_folder(hub: Hub, path: str, tmp_path: Path) -> None:
    hub.files, hub.strange = {"model.safetensors": b"w"}, path.replace(".json", ".safetensors")
    with pytest.raises(UsageError, match="strange file"):
        MS().pull("org/tiny")


def test_what_there_is_not(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, code in (("org/none", "UNKNOWN_MODEL"), ("nothing", "UNKNOWN_MODEL"), ("../x", "UNKNOWN_MODEL"), ("", "UNKNOWN_MODEL")):
        with pytest.raises(UsageError) as why:
            MS().pull(name)
        assert why.value.code == code
    hub.files = {"pytorch_model.bin": b"pickle", "config.json": b"{}"}
    with pytest.raises(UsageError, match="no weights in safetensors"):
        MS().pull("org/tiny")
    monkeypatch.setenv("MODELSCOPE_DOMAIN", "http://127.0.0.1:9")
    with pytest.raises(UsageError) as why:
        MS().pull("org/tiny")
    assert why.value.code == "OFFLINE" and "MODELSCOPE_DOMAIN" in str(why.value)
    monkeypatch.setenv("MODELSCOPE_DOMAIN", "http://elsewhere.example")
    with pytest.raises(UsageError, match="not https"):
        MS().pull("org/tiny")
