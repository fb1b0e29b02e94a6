"""The part of a server that runs jobs."""
from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ilk.serve.server import Server

EVERY = 2.0   # seconds between counts for the metrics


class Working:
    """Runs jobs for as long as the server does. At its end they are stopped at their checkpoints, and go on when one starts again."""

    async def start(self, server: Server) -> None:
        """Begins."""
        self._server = server
        await asyncio.to_thread(lambda: server.runner.start())
        self._counting = asyncio.create_task(self._count())

    async def stop(self) -> None:
        """Ends, once all processes have."""
        self._counting.cancel()
        await asyncio.to_thread(self._server.runner.stop, self._server.limits.drain_seconds)
        self._server.jobs.close()

    async def _count(self) -> None:
        known: dict[tuple[str, str], int] = {}
        while True:
            known = {**dict.fromkeys(known, 0), **await asyncio.to_thread(self._server.jobs.counts)}
            for (kind, state), n in known.items():
                self._server.metrics.jobs.labels(kind, state).set(n)
            await asyncio.sleep(EVERY)
