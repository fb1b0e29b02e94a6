"""L1: 64 of OpenAI's own asynchronous clients stream 64 tokens each at once: from a transformer (real work), then from `echo:` as a chat (the protocol)."""
from __future__ import annotations

import asyncio
import json
import tempfile
import time
from pathlib import Path
from typing import Any

import httpx
from openai import AsyncOpenAI

from benchmarks.load._server import Running, serving, share
from benchmarks.load._texts import small

CLIENTS, TOKENS = 64, 64
LIMITS = {"running": CLIENTS, "queue": CLIENTS}


def load() -> dict[str, Any]:
    """Errors, what was wrong with streams, and times to the first token and of health checks."""
    with tempfile.TemporaryDirectory(prefix="ilk-streams-") as kept, serving(f"words={small(Path(kept) / 'words.ilk')}", "echo=echo:", limits=LIMITS) as server:
        server.ask("/v1/completions", {"model": "words", "prompt": "river ", "max_tokens": 1})
        done = asyncio.run(_all(server))
        apart = [server.ask("/v1/completions", _asked(seed))[1]["choices"][0]["text"] for seed in range(CLIENTS)]
    texts, waits, faults, health, seconds = done
    return {"clients": CLIENTS, "tokens": TOKENS, "errors": faults, "crossed": sum(a != b for a, b in zip(texts, apart, strict=True)), "different": len(set(texts)),
            "ttft": round(share(waits, 0.99), 4), "ttft_median": round(share(waits, 0.5), 4), "healthz": round(share(health, 0.99), 4), "health_checks": len(health),
            "tokens_per_second": round(CLIENTS * TOKENS / seconds, 1), "seconds": round(seconds, 2)}


def _asked(seed: int) -> dict[str, Any]:
    return {"model": "words", "prompt": "river ", "max_tokens": TOKENS, "seed": seed, "temperature": 1.0}


async def _all(server: Running) -> tuple[list[str], list[float], list[str], list[float], float]:
    client = AsyncOpenAI(base_url=server.url + "/v1", api_key=server.token, max_retries=0, timeout=120)
    health: list[float] = []
    watch = asyncio.create_task(_watched(server, health))
    start = time.monotonic()
    found = await asyncio.gather(*(_text(client, seed) for seed in range(CLIENTS)), return_exceptions=True)
    seconds = time.monotonic() - start
    chats = await asyncio.gather(*(_chat(client, i) for i in range(CLIENTS)), return_exceptions=True)
    watch.cancel()
    faults = [f"{type(f).__name__}: {f}"[:200] for f in (*found, *chats) if isinstance(f, BaseException)] + [f for f in chats if isinstance(f, str)]
    good = [f for f in found if isinstance(f, tuple)]
    return [f[0] if isinstance(f, tuple) else "" for f in found], [f[1] for f in good], faults, health, seconds


async def _text(client: AsyncOpenAI, seed: int) -> tuple[str, float]:
    """A completion as it comes, and how long its first piece took."""
    start, first, text = time.monotonic(), 0.0, ""
    async for chunk in await client.completions.create(**_asked(seed), stream=True):
        if chunk.choices and chunk.choices[0].text:
            first = first or time.monotonic() - start
            text += chunk.choices[0].text
    return text, first


async def _chat(client: AsyncOpenAI, number: int) -> str | None:
    """What is wrong with the stream of a chat: its role, its text, its end, its usage."""
    said = " ".join(f"w{number}-{i}" for i in range(TOKENS))
    roles, text, ends, used = 0, "", [], None
    stream = await client.chat.completions.create(model="echo", messages=[{"role": "user", "content": said}], stream=True, stream_options={"include_usage": True})
    async for chunk in stream:
        used = chunk.usage or used
        for choice in chunk.choices:
            roles += choice.delta.role is not None
            text += choice.delta.content or ""
            ends += [choice.finish_reason] if choice.finish_reason else []
    sums = used is not None and used.completion_tokens == TOKENS and used.total_tokens == used.prompt_tokens + TOKENS
    return None if (roles, text, ends, sums) == (1, said, ["stop"], True) else json.dumps([number, roles, text == said, ends, sums])


async def _watched(server: Running, into: list[float]) -> None:
    async with httpx.AsyncClient(base_url=server.url, timeout=30) as client:
        while True:
            start = time.monotonic()
            (await client.get("/healthz")).raise_for_status()
            into.append(time.monotonic() - start)
            await asyncio.sleep(0.02)
