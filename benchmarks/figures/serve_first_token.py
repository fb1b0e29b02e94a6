"""Seconds from the start of `ilk serve` with the embedded model to the first token of an answer, in a new process each time."""
from __future__ import annotations

import json
import socket
import subprocess
import sys
import tempfile
import time
from contextlib import suppress
from typing import Any

import httpx

MODEL, TIMES, CEILING = "gguf:smollm2-135m-instruct", 3, 5.0
ASKED = {"model": "smollm2-135m-instruct", "messages": [{"role": "user", "content": "Hello"}], "max_tokens": 8, "stream": True}


def figure(seed: int) -> dict[str, Any]:
    """The median; the model's file is on disk already."""
    del seed
    found = sorted(_once() for _ in range(TIMES))
    return {"unit": "seconds", "value": found[TIMES // 2], "floor": None, "ceiling": CEILING, "n": TIMES, "seconds": found,
            "protocol": "ilk serve begun, asked every 50 ms until it answers, then one streamed chat: until the first text is there"}


def _once() -> float:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    with tempfile.TemporaryDirectory() as folder:
        begun = time.monotonic()
        words = [sys.executable, "-m", "ilk", "serve", MODEL, "--port", str(port), "--workspace", folder, "--no-auth"]
        server = subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            return _first(f"http://127.0.0.1:{port}", server) - begun
        finally:
            server.terminate()
            server.wait()


def _first(address: str, server: subprocess.Popen[bytes]) -> float:
    """When the first text came."""
    while server.poll() is None:
        with suppress(httpx.TransportError), httpx.stream("POST", f"{address}/v1/chat/completions", json=ASKED, timeout=60) as answer:
            for line in answer.iter_lines():
                if line.startswith("data: {") and any(c["delta"].get("content") for c in json.loads(line[6:])["choices"]):
                    return time.monotonic()
        time.sleep(0.05)
    raise SystemExit("the server ended")
