"""No test writes into the home of who runs it: records of runs are off unless a test says where they go."""
from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

os.environ["ILK_RUNS"] = "off"


@pytest.fixture(scope="session")
def listening() -> Callable[[Any], Any]:
    """Serves a `Server` of ours on a free port for as long as a block runs, in a thread; gives (host, port)."""
    @contextmanager
    def serving(server: Any) -> Iterator[tuple[str, int]]:
        import uvicorn

        from ilk.serve.app import build
        from ilk.serve.protocol import patient

        runs = uvicorn.Server(uvicorn.Config(build(server), "127.0.0.1", 0, http=patient(server.limits), ws="none", lifespan="on", log_config=None, access_log=False,
                                             h11_max_incomplete_event_size=server.limits.header, timeout_graceful_shutdown=1))
        thread = threading.Thread(target=runs.run, daemon=True)
        thread.start()
        until = time.monotonic() + 20
        while not runs.started and thread.is_alive() and time.monotonic() < until:
            time.sleep(0.01)
        try:
            yield runs.servers[0].sockets[0].getsockname()[:2]
        finally:
            runs.should_exit = True
            thread.join(10)
    return serving
