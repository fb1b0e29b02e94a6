"""L5: 64 requests at once where 2 run and 16 may wait. Exactly 18 are answered; the others are refused at once, unread, and come in when they ask again."""
from __future__ import annotations

import asyncio
import json
import re
import selectors
import socket
import time
from typing import Any

from benchmarks.load._server import Running, serving, share

REQUESTS, RUNNING, QUEUE = 64, 2, 16


def load() -> dict[str, Any]:
    """Statuses, times to refusal, and what OpenAI's client makes of it with 5 retries."""
    with serving("slow=echo:one two three four?pause=0.25", limits={"running": RUNNING, "queue": QUEUE}) as server:
        server.ask("/v1/chat/completions", _asked())   # the model is there
        before = server.metric("prompt_tokens_total")
        said = _at_once(server)
        refused = [seconds for status, seconds, _ in said if status == 429]
        row = {"value": sum(status == 200 for status, _, _ in said), "refused": len(refused), "other": sum(status not in (200, 429) for status, _, _ in said),
               "with_retry_after": sum(status == 429 and 1 <= int(after or 0) <= 60 for status, _, after in said), "median_refusal": round(share(refused, 0.5), 4),
               "slowest_refusal": round(max(refused), 4), "counted": server.metric('requests_rejected_total'),
               "read": (server.metric("prompt_tokens_total") - before) / 2, "left_running": server.metric("requests_running")}
        began = time.monotonic()
        row["after_retries"] = asyncio.run(_insisting(server))
        return {**row, "retries_seconds": round(time.monotonic() - began, 2), "n": REQUESTS,
                "protocol": f"{REQUESTS} chats at once, each on a connection of its own; running {RUNNING}, queue {QUEUE}; echo at 4 words a second"}


def _asked() -> dict[str, Any]:
    return {"model": "slow", "messages": [{"role": "user", "content": "x"}]}


def _at_once(server: Running) -> list[tuple[int, float, str | None]]:
    """Status, seconds and Retry-After of each; over sockets as they are, so that no client's own work is timed."""
    body = json.dumps(_asked()).encode()
    whole = (f"POST /v1/chat/completions HTTP/1.1\r\nhost: 127.0.0.1\r\nauthorization: Bearer {server.token}\r\ncontent-type: application/json\r\n"
             f"content-length: {len(body)}\r\n\r\n").encode() + body
    waiting, found = selectors.DefaultSelector(), []
    lines = [socket.create_connection(server.host) for _ in range(REQUESTS)]
    time.sleep(0.5)   # they are all taken: only the requests are timed
    for line in lines:
        line.sendall(whole)
        waiting.register(line, selectors.EVENT_READ, time.monotonic())
    while waiting.get_map():
        for key, _ in waiting.select(60):
            found.append(_told(key.fileobj, time.monotonic() - key.data))
            waiting.unregister(key.fileobj)
    return found


def _told(line: Any, seconds: float) -> tuple[int, float, str | None]:
    try:
        said = line.recv(65_536).decode("latin-1")
    except OSError:
        return 0, seconds, None
    finally:
        line.close()
    after = re.search(r"(?i)^retry-after: (\d+)", said, re.MULTILINE)
    return int(said.split(" ")[1]), seconds, after[1] if after else None


async def _insisting(server: Running) -> int:
    """How many of as many are answered by OpenAI's own client, which waits as long as it is told to and asks again, up to 5 times."""
    from openai import AsyncOpenAI, OpenAIError

    client = AsyncOpenAI(base_url=server.url + "/v1", api_key=server.token, max_retries=5, timeout=60)

    async def one() -> bool:
        try:
            said = await client.chat.completions.create(**_asked())
        except OpenAIError:
            return False
        return said.choices[0].message.content is not None
    return sum(await asyncio.gather(*(one() for _ in range(REQUESTS))))
