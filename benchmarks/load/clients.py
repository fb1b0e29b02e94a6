"""L12: real clients, unmodified, against a server: the package openai of 3.x with langchain-openai, and of 2.x with llama-index, each in an environment of its own."""
from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import numpy as np

HOME = Path(__file__).parent
VENVS = HOME.parents[1] / ".venv-clients"
SUITES = (("3", "openai_client.py"), ("3", "langchain_client.py"), ("2", "openai_client.py"), ("2", "llama_index_client.py"))
SCRIPT = [{"tool": "clock", "arguments": {"zone": "UTC"}}, "It is noon."]
LIMITS = {"running": 1, "queue": 0}   # so that a second request at once is refused


def load() -> dict[str, Any]:
    """How many checks passed, and what the others found."""
    from benchmarks.load._server import judged, serving

    for version in ("3", "2"):
        python(version)   # before the server starts: making one takes a minute
    with tempfile.TemporaryDirectory(prefix="ilk-clients-") as kept, broken() as url:
        script = Path(kept) / "script.json"
        script.write_text(json.dumps(SCRIPT))
        models = ("said=gguf:smollm2-135m-instruct", f"script=echo:?script={script}", "embedder=hf:all-minilm-l6-v2", f"digits={pictures(Path(kept) / 'digits.ilk')}",
                  f"broken=openai:x?url={url}")
        with serving(*models, limits=LIMITS) as server:
            found = {f"{version}/{name.removesuffix('.py')}": suite(version, name, server.url, server.token) for version, name in SUITES}
    faults = {f"{name}/{check}": why for name, checks in found.items() for check, why in checks.items() if why}
    return judged("clients", {"load": "clients", "checks": sum(map(len, found.values())), "failed": len(faults), "faults": faults})


def suite(version: str, name: str, url: str, token: str) -> dict[str, str | None]:
    """What each check of a script found wrong."""
    done = subprocess.run([str(python(version)), str(HOME / "scripts" / name), url, token], stdout=subprocess.PIPE, text=True, timeout=600, check=False)
    try:
        found: dict[str, str | None] = json.loads(done.stdout.splitlines()[-1])
    except (IndexError, ValueError):
        return {"ran": f"it ended with {done.returncode}"}
    return found


def python(version: str) -> Path:
    """The interpreter of that environment, which is made when it is missing."""
    home, listed = VENVS / version, (HOME / f"clients-{version}.txt").read_text()
    stamp = home / ".installed"
    if not stamp.exists() or stamp.read_text() != listed:
        if not (home / "bin" / "python").exists():
            subprocess.run([sys.executable, "-m", "venv", str(home)], check=True)
        asked = [str(home / "bin" / "python"), "-m", "pip", "install", "-q", "--only-binary", ":all:", "-r", str(HOME / f"clients-{version}.txt")]
        subprocess.run(asked, check=True, stdout=sys.stderr, timeout=300)
        stamp.write_text(listed)
    return home / "bin" / "python"


def pictures(to: Path) -> Path:
    """A small model of pictures, fitted to spots of light."""
    import ilk
    from ilk.families.vae import VAE

    y, x = np.mgrid[:12, :12]
    spots = [(3 + 6 * (i % 8) / 7, 3 + 6 * (i // 8) / 7) for i in range(64)]
    shown = np.stack([(255 * np.exp(-((y - a) ** 2 + (x - b) ** 2) / 8)).astype(np.uint8)[..., None] for a, b in spots])
    ilk.fit(shown, VAE(), budget=ilk.Steps(40)).save(to)
    return to


class _Breaks(BaseHTTPRequestHandler):
    """A server that says two words and then that it broke."""

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers.get("content-length", 0)))
        self.send_response(200)
        self.send_header("content-type", "text/event-stream")
        self.end_headers()
        for word in ("Good ", "day "):
            self.wfile.write(b"data: " + json.dumps({"choices": [{"index": 0, "delta": {"content": word}}]}).encode() + b"\n\n")
        self.wfile.write(b'data: {"error": {"message": "it broke"}}\n\n')

    def log_message(self, format: str, *args: object) -> None:
        """Nothing."""


@contextmanager
def broken() -> Iterator[str]:
    """The address of a server that breaks off in the middle of every answer."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Breaks)
    Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}/v1"
    finally:
        server.shutdown()
        server.server_close()
