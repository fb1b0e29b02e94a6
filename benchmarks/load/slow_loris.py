"""L4: clients that send slowly, or not at all, or never read, are cut off in time; others do not notice, and a long answer is not cut."""
from __future__ import annotations

import json
import selectors
import socket
import threading
import time
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from benchmarks.load._server import Running, serving, share

DEADLINE, WRITE = 3.0, 6.0
HALF, TRICKLERS, READERS = 200, 50, 50
LONG = 4 * DEADLINE   # seconds that the long answer takes
WORDS = 500           # of 2,000 letters each, in an answer that is never read: more than lies in between


def load() -> dict[str, Any]:
    """When each sort of slow client was cut, what a usual request took meanwhile, and how the long answer ended."""
    limits = {"header_seconds": DEADLINE, "body_seconds": DEADLINE, "write_seconds": WRITE, "running": READERS + 10, "queue": 64}
    with TemporaryDirectory() as kept, serving(f"echo=echo:?script={_script(Path(kept))}", f"long=echo:{'word ' * 24}?pause={LONG / 24}", limits=limits) as server:
        server.ask("/v1/chat/completions", {**_asked("echo", "x"), "max_tokens": 1})
        start, found = server.rss(), {}
        long = threading.Thread(target=lambda: found.update(long=_stream(server)))
        usual = threading.Thread(target=lambda: found.update(usual=_usual(server, 2 * DEADLINE + WRITE)))
        long.start()
        usual.start()
        half = _cut(server, [b"POST /v1/chat/completions HTTP/1.1\r\nhost: 127.0.0.1\r\nx-a: "] * HALF, DEADLINE + 3, b"a")
        trickle = _cut(server, [_head(server, 10_000)] * TRICKLERS, DEADLINE + 3, b" ")
        body = json.dumps({**_asked("echo", "x"), "stream": True}).encode()
        readers, peak = _never_read(server, [_head(server, len(body)) + body] * READERS)
        usual.join()
        long.join()
        time.sleep(1)
        return {"value": max(half + trickle), "half_open_cut": len(half), "half_open_last": max(half, default=99.0), "tricklers_cut": len(trickle),
                "trickler_last": max(trickle, default=99.0), "readers_cut": len(readers), "reader_last": max(readers, default=99.0),
                "usual_median": round(share(found["usual"], 0.5), 4), "usual_slowest": round(max(found["usual"]), 4), "usual_n": len(found["usual"]),
                "long_words": found["long"], "grown_mib": round((peak - start) / (1 << 20), 1), "left_running": server.metric("requests_running"), "cancelled": server.metric("requests_cancelled_total"),
                "protocol": f"{HALF} half-open headers and {TRICKLERS} bodies at 2 bytes a second, deadline {DEADLINE} s; {READERS} streams never read, {WRITE} s to write"}


def _asked(model: str, text: str) -> dict[str, Any]:
    return {"model": model, "messages": [{"role": "user", "content": text}], "seed": 0}


def _script(folder: Path) -> Path:
    (folder / "says.json").write_text(json.dumps([f"{'w' * 2000} " * WORDS]))
    return folder / "says.json"


def _head(server: Running, length: int) -> bytes:
    return (f"POST /v1/chat/completions HTTP/1.1\r\nhost: 127.0.0.1\r\nauthorization: Bearer {server.token}\r\ncontent-type: application/json\r\n"
            f"content-length: {length}\r\n\r\n").encode()


def _cut(server: Running, begun: list[bytes], seconds: float, drop: bytes) -> list[float]:
    """Seconds until each of the connections that began so was closed by the server, while a byte came every half second."""
    waiting, times, began = selectors.DefaultSelector(), [], time.monotonic()
    for first in begun:
        one = socket.create_connection(server.host)
        one.sendall(first)
        one.setblocking(False)
        waiting.register(one, selectors.EVENT_READ, time.monotonic())
    drip = time.monotonic() + 0.5
    while waiting.get_map() and time.monotonic() < began + seconds + 2:
        for key, _ in waiting.select(0.05):
            _closed(key.fileobj, waiting, times, key.data)
        if time.monotonic() > drip:
            drip += 0.5
            for key in list(waiting.get_map().values()):
                _dripped(key.fileobj, drop)
    for key in list(waiting.get_map().values()):
        key.fileobj.close()  # type: ignore[union-attr]
    return [round(t, 2) for t in times]


def _closed(one: Any, waiting: selectors.BaseSelector, times: list[float], since: float) -> None:
    try:
        said = one.recv(65_536)
    except OSError:
        said = b""
    if not said:
        times.append(time.monotonic() - since)
        waiting.unregister(one)
        one.close()


def _dripped(one: Any, drop: bytes) -> None:
    try:
        one.send(drop)
    except OSError:
        return


def _never_read(server: Running, asked: list[bytes]) -> tuple[list[float], int]:
    """Seconds until the server had let go of each stream that nobody reads (a client that does not read can't see it), and the most memory that it took."""
    import psutil

    sockets = {}
    for whole in asked:
        one = socket.socket()
        one.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        one.connect(server.host)
        one.sendall(whole)
        sockets[one] = time.monotonic()
    times, peak, process, began = [], 0, psutil.Process(server.pid), time.monotonic()
    seen: set[int] = set()
    while len(times) < len(sockets) and time.monotonic() < began + 60:
        time.sleep(0.2)
        peak = max(peak, server.rss(children=False))
        held = {line.raddr.port for line in process.net_connections("tcp") if line.raddr}
        seen |= held
        for one, since in list(sockets.items()):
            if since and one.getsockname()[1] in seen - held:
                times.append(round(time.monotonic() - since, 2))
                sockets[one] = 0.0
    for one in sockets:
        one.close()
    return times, peak


def _usual(server: Running, seconds: float) -> list[float]:
    times, until = [], time.monotonic() + seconds
    while time.monotonic() < until:
        began = time.monotonic()
        if server.ask("/v1/models")[0] == 200:
            times.append(time.monotonic() - began)
        time.sleep(0.1)
    return times


def _stream(server: Running) -> int:
    """How many words of the long answer came, when it was asked for as a stream."""
    import http.client

    line = http.client.HTTPConnection(*server.host, timeout=60)
    line.request("POST", "/v1/chat/completions", json.dumps({**_asked("long", "x"), "stream": True}), server.headers)
    said = line.getresponse().read().decode()
    events = [json.loads(e.removeprefix("data: ")) for e in said.split("\n\n") if e.startswith("data: {")]
    return sum(bool(c["delta"].get("content")) for e in events for c in e.get("choices", []))
