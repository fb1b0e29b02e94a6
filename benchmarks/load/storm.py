"""L2: 200 requests for 10,000 tokens, all given up after half a second; then one for ten, which has to be quick. Streams and whole answers."""
from __future__ import annotations

import asyncio
import tempfile
import time
from pathlib import Path
from typing import Any

from openai import APITimeoutError, AsyncOpenAI

from benchmarks.load._server import Running, serving
from benchmarks.load._texts import small

MANY, LONG, PATIENCE = 200, 10_000, 0.5
LIMITS = {"running": MANY, "queue": MANY}


def load() -> dict[str, Any]:
    """How both kinds ended, and what goes on after that."""
    with tempfile.TemporaryDirectory(prefix="ilk-storm-") as kept, serving(f"words={small(Path(kept) / 'words.ilk')}", limits=LIMITS) as server:
        server.ask("/v1/completions", {"model": "words", "prompt": "river ", "max_tokens": 1})
        rows = {kind: _stormed(server, stream) for kind, stream in (("whole", False), ("streamed", True))}
    return {f"{kind}_{key}": value for kind, row in rows.items() for key, value in row.items()}


def _stormed(server: Running, stream: bool) -> dict[str, Any]:
    gave_up, others, after = asyncio.run(_storm(server, stream))
    until = time.monotonic() + 10
    start = time.monotonic()
    while server.metric("requests_running") > 1 and time.monotonic() < until:   # the one that asks
        time.sleep(0.02)
    calm = time.monotonic() - start
    first = server.metric("completion_tokens_total")
    time.sleep(1)
    return {"timeouts": gave_up, "ended": MANY - gave_up - len(others), "others": others[:3], "others_many": len(others), "after": round(after, 3), "calm": round(calm, 3), "tokens_later": server.metric("completion_tokens_total") - first}


async def _storm(server: Running, stream: bool) -> tuple[int, list[str], float]:
    client = AsyncOpenAI(base_url=server.url + "/v1", api_key=server.token, max_retries=0)
    found = await asyncio.gather(*(_given_up(client, i, stream) for i in range(MANY)), return_exceptions=True)
    start = time.monotonic()
    await client.completions.create(model="words", prompt="river ", max_tokens=10, timeout=5)
    after = time.monotonic() - start
    return sum(isinstance(f, APITimeoutError | TimeoutError) for f in found), [repr(f)[:200] for f in found if not isinstance(f, APITimeoutError | TimeoutError | str)], after


async def _given_up(client: AsyncOpenAI, seed: int, stream: bool) -> str | None:
    """Half a second in all, whether pieces come or not. The text, of one that came to its own end before that."""
    async with asyncio.timeout(PATIENCE if stream else None):
        asked = client.completions.create(model="words", prompt="river ", max_tokens=LONG, seed=seed, stream=stream, timeout=None if stream else PATIENCE)
        answer: Any = await asked
        if stream:
            try:
                async for _ in answer:
                    pass
            finally:
                await answer.close()
            return ""
        return str(answer.choices[0].text) if answer.choices[0].finish_reason == "stop" else None
