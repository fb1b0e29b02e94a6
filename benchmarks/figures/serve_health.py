"""The delay of `GET /healthz`, 99 times in 100 at most so much, while a server fits one model as a job and a client samples from another without a pause."""
from __future__ import annotations

import http.client
import json
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

import ilk
from benchmarks.load._server import Running, serving, share

SECONDS, PAUSE, CEILING = 30.0, 0.05, 0.25
ROWS = "a,b,c\n" + "".join(f"{i * 37 % 101 / 10},{i * i % 17},{'xyz'[i % 3]}\n" for i in range(2000))


def figure(seed: int) -> dict[str, Any]:
    """In seconds; every check by a connection of its own."""
    with tempfile.TemporaryDirectory() as kept:
        place = Path(kept)
        ilk.fit(ilk.read("digits"), ilk.Diffusion(), budget=ilk.Steps(100)).save(place / "models" / "digits.ilk")
        with serving(workspace=place, flags=["--no-auth"]) as server:
            _drawn(server, seed)   # it is loaded
            job = _fit(server)
            delays, drawn = _checked(server, seed)
            state = server.ask(f"/v1/jobs/{job}")[1]["state"]
            server.ask(f"/v1/jobs/{job}/cancel", {})
    if state != "running":
        raise SystemExit(f"the fit was {state} at the end")
    return {"unit": "seconds, p99", "value": share(delays, 0.99), "floor": None, "ceiling": CEILING, "n": len(delays), "median": share(delays, 0.5), "worst": max(delays), "draws": drawn,
            "protocol": f"ilk serve; a fit (made, 2000 rows) as a job and a client that draws 16 digits again and again from a diffusion, both all the time; "
                        f"GET /healthz for {SECONDS:.0f} s, {PAUSE} s after each answer, by a new connection; from the request to the whole answer"}


def _fit(server: Running) -> str:
    """The number of a fit that has begun and does not end by itself."""
    line = http.client.HTTPConnection(*server.host, timeout=60)
    head = b'--B\r\nContent-Disposition: form-data; name="file"; filename="data.csv"\r\n\r\n'
    line.request("POST", "/v1/files", head + ROWS.encode() + b"\r\n--B--\r\n", {"content-type": "multipart/form-data; boundary=B"})
    file = json.loads(line.getresponse().read())["id"]
    job = str(server.ask("/v1/jobs", {"kind": "fit", "params": {"file": file, "family": "made", "seconds": 3600}})[1]["id"])
    until = time.monotonic() + 60
    while not server.ask(f"/v1/jobs/{job}")[1]["progress"]:
        if time.monotonic() > until:
            raise SystemExit("the fit did not begin")
        time.sleep(0.2)
    return job


def _drawn(server: Running, seed: int) -> None:
    status, told = server.ask("/v1/sample", {"model": "digits", "n": 16, "seed": seed}, timeout=120)
    if status != 200:
        raise SystemExit(f"/v1/sample: {status} {str(told)[:200]}")


def _checked(server: Running, seed: int) -> tuple[list[float], int]:
    """The delays, and how many draws were made meanwhile."""
    stop, drawn = threading.Event(), [0]

    def drawing() -> None:
        while not stop.is_set():
            _drawn(server, seed + drawn[0])
            drawn[0] += 1

    beside = threading.Thread(target=drawing)
    beside.start()
    delays, until = [], time.monotonic() + SECONDS
    while time.monotonic() < until:
        begun = time.monotonic()
        if server.ask("/healthz")[0] != 200:
            raise SystemExit("/healthz failed")
        delays.append(time.monotonic() - begun)
        time.sleep(PAUSE)
    stop.set()
    beside.join()
    return delays, drawn[0]
