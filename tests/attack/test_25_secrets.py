"""Case 25: keys and budgets under pressure; and case 24, what goes into logs and headers."""
from __future__ import annotations

import asyncio
import io
import json
import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("fastapi")

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ilk.errors import UsageError
from ilk.serve import logs
from ilk.serve.admission import Admission
from ilk.serve.keys import Keys, Rates, hashed
from ilk.serve.limits import Limits
from ilk.serve.refusals import Spent
from ilk.serve.wire import header
from ilk.serve.work import Busy

from ._asgi import JSON, TOKEN, ask, bearer, chat, running, server

HOSTILE = ["\r\nx-evil: 1", "a\nb", "\x1b]52;c;aGk=\x07", "<img src=x onerror=alert(1)>", "\u2028\u202e", "\x00", "\u0085"]


@pytest.fixture
def log() -> Iterator[io.StringIO]:
    """What the server logs; afterwards it logs as before."""
    kept = {name: (list(found.handlers), found.propagate, found.level) for name in ("ilk.serve", "uvicorn", "uvicorn.error", "asyncio") if (found := logging.getLogger(name))}
    to = io.StringIO()
    logs.start("debug", to=to)
    yield to
    for name, (handlers, propagate, level) in kept.items():
        found = logging.getLogger(name)
        found.handlers, found.propagate = handlers, propagate
        found.setLevel(level)
    logging.getLogger("uvicorn.access").disabled = False


@settings(max_examples=6, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=8, max_size=60),
       st.text(st.characters(categories=["Lu", "Ll", "Lo", "Nd"]), min_size=6, max_size=40))
def test_no_token_and_no_prompt_is_ever_told(tmp_path_factory: pytest.TempPathFactory, log: io.StringIO, token: str, prompt: str) -> None:
    token, prompt = "!t-" + token, "\u00e9-" + prompt   # so that no number of the metrics is one by chance

    async def run() -> bytes:
        at, said = tmp_path_factory.mktemp("s"), b""
        async with running(server(at, {"echo": "echo:ok"}, token=hashed(token.encode()))) as app:
            mine = bearer(token)
            for method, path, headers, body in (("POST", "/v1/chat/completions", [mine, JSON], chat(prompt)), ("GET", f"/v1/models?token={token}", [], []),
                                                ("GET", "/v1/models/none", [mine], []), ("POST", "/v1/chat/completions", [mine, JSON], [b'{"' + prompt.encode() + b'": ']),
                                                ("POST", "/v1/chat/completions", [mine, JSON], chat(prompt, model="none")), ("GET", "/metrics", [], []),
                                                ("POST", "/v1/chat/completions", [bearer(token + "x"), JSON], chat(prompt))):
                answer = await ask(app, method, path, headers, body)
                said += answer.body + str(answer.headers).encode()
        return said
    log.truncate(0)
    everything = asyncio.run(run()).decode() + log.getvalue()
    assert token not in everything and prompt not in everything.replace('"echo"', "")


def test_a_fault_is_logged_by_its_place_and_not_by_its_text(tmp_path: Path, log: io.StringIO) -> None:
    async def run() -> Any:
        has = server(tmp_path)

        def broken(name: str, asked: Any) -> Any:
            raise RuntimeError("what somebody wrote " + TOKEN)
        has.engine.ask = broken
        async with running(has) as app:
            return await ask(app, "POST", "/v1/chat/completions", [bearer(TOKEN), JSON], chat())
    said = asyncio.run(run())
    fault = next(json.loads(line) for line in log.getvalue().splitlines() if '"fault"' in line)
    assert said.status == 500 and said.error["code"] == "INTERNAL" and fault["fault"]["class"] == "RuntimeError" and fault["request"] == said.headers["x-request-id"]
    assert "somebody" not in log.getvalue() + said.body.decode() and "Traceback" not in log.getvalue() + said.body.decode() and TOKEN not in log.getvalue()


@given(st.text())
def test_a_line_of_the_log_is_one_line_of_json(text: str) -> None:
    line = logs.line({"event": text})
    assert not any(c in line for c in "\r\n\x1b\x00\u2028\u202e\x85") and set(json.loads(line)) == {"event"}


@given(st.text())
def test_a_header_is_one_header(text: str) -> None:
    assert header(text).isascii() and header(text).isprintable()


def test_hostile_texts_make_no_header_and_no_line(tmp_path: Path, log: io.StringIO) -> None:
    async def run() -> None:
        async with running(server(tmp_path)) as app:
            for text in HOSTILE:
                for method, path, body in (("POST", "/v1/chat/completions", chat(model=text)), ("GET", "/v1/models/a?b=c", [])):
                    said = await ask(app, method, path, [bearer(TOKEN), JSON, (b"x-other", b"a\x1b[2J")], body)
                    assert 400 <= said.status < 500 and "x-evil" not in said.headers and not any(c in value for value in said.headers.values() for c in "\r\n\x1b")
    asyncio.run(run())
    assert all(json.loads(line) for line in log.getvalue().splitlines())


def test_answers_are_never_pages(tmp_path: Path) -> None:
    async def run() -> None:
        async with running(server(tmp_path)) as app:
            for path in ("/healthz", "/v1/models", "/nothing<script>", "/openapi.json"):
                headers = (await ask(app, "GET", path, [bearer(TOKEN)])).headers
                assert headers["x-content-type-options"] == "nosniff" and headers["content-security-policy"].startswith("default-src 'none'")
                assert headers["content-type"].startswith("application/json") and headers["cache-control"] == "no-store"
    asyncio.run(run())


@pytest.mark.parametrize("bound", [{"rpm": 1}, {"budget": 6}])
def test_one_of_eight_passes_on_what_is_for_one(tmp_path: Path, bound: dict[str, int]) -> None:
    async def run() -> list[Any]:
        has = server(tmp_path, {"echo": "echo:a b c d e?pause=0.02"})
        mine = [bearer(has.guard.keys.new("a", ["chat"], **bound)[1]), JSON]
        body = json.dumps({"model": "echo", "messages": [{"role": "user", "content": "x"}], "max_tokens": 5}).encode()
        async with running(has) as app:
            return await asyncio.gather(*(ask(app, "POST", "/v1/chat/completions", mine, [body]) for _ in range(8)))
    said = asyncio.run(run())
    assert sorted(s.status for s in said) == [200] + [429] * 7
    for one in said:
        if one.status == 429:
            retry = {"rpm": "retry-after", "budget": "x-should-retry"}[next(iter(bound))]
            assert one.headers[retry] in (("60", "false")) and one.error["code"] in ("rate_limit_exceeded", "insufficient_quota")


def test_a_budget_is_settled_by_what_was_used_and_an_answer_is_cut_to_it(tmp_path: Path) -> None:
    async def run() -> None:
        has = server(tmp_path, {"echo": "echo:" + " ".join("abcdefgh" * 10)})
        keys = has.guard.keys
        key, secret = keys.new("a", ["chat"], budget=60)
        async with running(has) as app:
            said = json.loads((await ask(app, "POST", "/v1/chat/completions", [bearer(secret), JSON], chat("x"))).body)
            used = said["usage"]["total_tokens"]
            assert said["choices"][0]["finish_reason"] == "length" and keys.all()[0].used == used <= 62, "but for the words that came around the prompt"
            assert (await ask(app, "POST", "/v1/chat/completions", [bearer(secret), JSON], chat("x " * 200))).status == 429
            assert keys.all()[0].used == used and keys.reserve(key.id, -9, 10**6) == 60 - used, "what was held for a request that was refused was given back"
    asyncio.run(run())


def test_reserving_is_one_transaction(tmp_path: Path) -> None:
    """Two stores of one file, as two processes have it: together they never hold more than there is."""
    one, other = Keys(tmp_path / "k.db"), Keys(tmp_path / "k.db")
    key, _ = one.new("a", budget=10)
    held = [store.reserve(key.id, 3, 3) for store in (one, other, one)]
    with pytest.raises(Spent):
        other.reserve(key.id, 3, 3)
    one.settle(key.id, 3, 1)
    assert held == [3, 3, 3] and other.reserve(key.id, 3, 9) == 3 and one.all()[0].used == 1
    one.begin()
    assert one.reserve(key.id, 1, 100) == 9


def test_a_thousand_keys_that_are_none_leave_nothing(tmp_path: Path) -> None:
    async def run() -> None:
        has = server(tmp_path)
        async with running(has) as app:
            await ask(app, "GET", "/v1/models", [bearer("none")])
            before, size = series(has), len(has.guard.rates._left)
            for i in range(1000):
                assert (await ask(app, "GET", f"/v1/models/{i}", [bearer(f"ilk-{i:043}")])).status == 401
            for i in range(50):
                await ask(app, "GET", f"/v1/models/none-{i}", [bearer(TOKEN)])
            assert {line for line in series(has) - before if "none-" in line or "route=" in line and "/v1/models/{name:path}" not in line} == set()
            assert len(has.guard.rates._left) == size == 0 and b"ilk_auth_failures_total 1001.0" in has.metrics.text()
    asyncio.run(run())


def series(has: Any) -> set[str]:
    return {line.rpartition(" ")[0] for line in has.metrics.text().decode().splitlines() if line.startswith("ilk_")}


def test_a_clock_that_is_set_back_revives_no_key_and_fills_no_rate(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    even = [1000.0]
    keys = Keys(tmp_path / "k.db", clock=lambda: even[0])
    _, secret = keys.new("a", days=1)
    assert keys.find(secret.encode()) is not None
    even[0] += 86_401
    monkeypatch.setattr("time.time", lambda: 0.0)
    assert keys.find(secret.encode()) is None
    assert Keys(tmp_path / "k.db", clock=lambda: even[0]).find(secret.encode()) is None, "another process whose clock is wrong finds it ended"
    rates = Rates(lambda: even[0])
    assert rates.take("a", 1) == 0 and rates.take("a", 1) == 60


def test_a_key_is_refused_with_what_would_work(tmp_path: Path) -> None:
    keys = Keys(tmp_path / "k.db")
    for wrong in ({"scopes": ["chta"]}, {"scopes": []}, {"rpm": 0}, {"budget": -1}, {"days": 0}):
        with pytest.raises(UsageError):
            keys.new("a", **wrong)
    assert keys.all() == []


def test_seats_are_counted_before_bodies_are_read(tmp_path: Path) -> None:
    """Of 24 at once 2 run and 4 wait; the others are refused unread, and told when to come again."""
    async def run() -> None:
        has = server(tmp_path, {"echo": "echo:a b c?pause=0.05"}, Limits(running=2, queue=4))
        read = []

        async def one(app: Any, i: int) -> Any:
            body = chat(f"number {i}")

            class Pieces(list):  # type: ignore[type-arg]
                def pop(self, at: int = -1) -> Any:
                    read.append(i)
                    return super().pop(at)
            return await ask(app, "POST", "/v1/chat/completions", [bearer(TOKEN), JSON], Pieces(body))
        async with running(has) as app:
            said = await asyncio.gather(*(one(app, i) for i in range(24)))
            assert [s.status for s in said] == [200] * 6 + [429] * 18 and has.admission.seated == has.admission.running == has.admission.waiting == 0
            assert all(s.error["code"] == "queue_full" and 1 <= int(s.headers["retry-after"]) <= 60 for s in said[6:])
            assert b'ilk_requests_rejected_total{reason="queue_full"} 18.0' in has.metrics.text()
            assert (await one(app, 25)).status == 200
    asyncio.run(run())


def test_the_urgent_go_first_and_keys_take_turns() -> None:
    async def run() -> list[str]:
        admission, order, free = Admission(Limits(running=1, queue=50)), [], asyncio.Event()

        async def work(key: str, kind: Any) -> None:
            with admission.seat(key, kind) as seat:
                async with admission.slot(seat, "m"):
                    order.append(f"{key}{kind[0]}")
                    await free.wait()
        first = asyncio.create_task(work("z", "other"))
        await asyncio.sleep(0)
        wanted = [*[("a", "chat")] * 4, ("b", "chat"), ("c", "sample"), ("a", "other"), ("d", "chat"), ("b", "chat")]
        waiting = [asyncio.create_task(work(key, kind)) for key, kind in wanted]
        await asyncio.sleep(0)
        free.set()
        await asyncio.gather(first, *waiting)
        return order
    assert asyncio.run(run()) == ["zo", "ac", "bc", "dc", "ac", "bc", "ac", "ac", "cs", "ao"]


def test_who_leaves_the_queue_makes_room() -> None:
    async def run() -> None:
        admission, free = Admission(Limits(running=1, queue=1)), asyncio.Event()

        async def work() -> None:
            with admission.seat("a", "chat") as seat:
                async with admission.slot(seat, "m"):
                    await free.wait()
        runs, waits = asyncio.create_task(work()), asyncio.create_task(work())
        await asyncio.sleep(0)
        with pytest.raises(Busy):
            await work()
        waits.cancel()
        await asyncio.gather(waits, return_exceptions=True)
        assert (admission.running, admission.waiting, admission.seated) == (1, 0, 1)
        next_ = asyncio.create_task(work())
        free.set()
        await asyncio.gather(runs, next_)
        assert (admission.running, admission.waiting, admission.seated) == (0, 0, 0)
    asyncio.run(run())


def test_a_client_that_leaves_stops_the_work(tmp_path: Path) -> None:
    async def run() -> None:
        has = server(tmp_path, {"echo": "echo:" + "a " * 100 + "?pause=0.02"})
        async with running(has) as app:
            said = await asyncio.wait_for(ask(app, "POST", "/v1/chat/completions", [bearer(TOKEN), JSON], chat(), leaves=True), 5)
            assert said.status == 0 and has.admission.running == has.admission.seated == 0 and b"ilk_requests_cancelled_total 1.0" in has.metrics.text()
    asyncio.run(run())


def test_a_request_has_an_end(tmp_path: Path) -> None:
    async def run() -> None:
        has = server(tmp_path, {"echo": "echo:" + "a " * 100 + "?pause=0.05"}, Limits(request_seconds=0.3))
        async with running(has) as app:
            said = await ask(app, "POST", "/v1/chat/completions", [bearer(TOKEN), JSON], chat())
            assert said.status == 503 and said.error["code"] == "timeout" and said.headers["x-should-retry"] == "false" and has.admission.running == 0
    asyncio.run(run())


@pytest.mark.parametrize(("headers", "body", "status"), [
    ([(b"content-length", b"3000000")], [b"{}"], 413), ([], [b" " * 1_000_000] * 3, 413), ([(b"content-encoding", b"gzip")], [b"x"], 415),
    ([(b"x-a", b"b" * 20_000)], [b"{}"], 431),
    ([(b"x-%d" % i, b"b") for i in range(70)], [b"{}"], 431), ([], [b"[" * 200_000], 400), ([], [b"{bad"], 400), ([], [b"null"], 400)])
def test_bodies_and_headers_have_bounds(tmp_path: Path, headers: list[tuple[bytes, bytes]], body: list[bytes], status: int) -> None:
    async def run() -> None:
        async with running(server(tmp_path)) as app:
            said = await ask(app, "POST", "/v1/chat/completions", [bearer(TOKEN), JSON, *headers], body)
            assert said.status == status and said.error
    asyncio.run(run())


def test_it_is_ready_when_it_is(tmp_path: Path) -> None:
    async def run() -> None:
        has = server(tmp_path)
        async with running(has) as app:
            assert (await ask(app, "GET", "/readyz", [bearer(TOKEN)])).status == 200
            has.life.draining = True
            gone, work = await ask(app, "GET", "/readyz", [bearer(TOKEN)]), await ask(app, "POST", "/v1/chat/completions", [bearer(TOKEN), JSON], chat())
            assert gone.status == work.status == 503 and gone.error["code"] == work.error["code"] == "draining"
            assert (await ask(app, "GET", "/healthz")).status == 200
            said = json.loads((await ask(app, "GET", "/v1/limits", [bearer(TOKEN)])).body)
            assert said["running"] == has.limits.running and set(said) == {"object", *Limits.model_fields}
    asyncio.run(run())
