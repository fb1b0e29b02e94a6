"""Case 13: every route, every method, every way not to have a key. Made from the routes themselves, so that a new one can't be forgotten."""
from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("fastapi")

from ilk.serve.guard import is_loopback
from ilk.serve.keys import Keys

from ._asgi import JSON, TOKEN, Said, ask, bearer, chat, running, server

METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "PROPFIND")
WRONG = [[], [(b"authorization", b"")], [(b"authorization", b"Bearer")], [(b"authorization", b"Bearer ")], [bearer("wrong")], [bearer(TOKEN.upper())],
         [bearer(TOKEN + "x")], [bearer(TOKEN[:-1])], [(b"authorization", b"bearer " + TOKEN.encode())], [(b"authorization", b"Basic " + TOKEN.encode())],
         [(b"authorization", TOKEN.encode())], [bearer("x" * 10_000)], [(b"authorization", "Bearer \u00fc\u4e2d".encode())], [(b"authorization", b"Bearer \xff\x00")],
         [bearer("wrong"), bearer(TOKEN)], [(b"x-api-key", TOKEN.encode())], [(b"cookie", b"token=" + TOKEN.encode())]]
ODD = ["//v1/models", "/V1/models", "/v1/../v1/models", "/v1/./models", "/v1/models/", "/%2e%2e/v1/models", "/v1/%2e%2e/v1/models", "/v1%2fmodels", "/./v1/models",
       "/healthz/../v1/models", "/studio/../v1/models", "/studio/%2e%2e/v1/models", "/studio/..%2fv1/models", "/studio/..;/v1/models", "/studio\\..\\v1\\models",
       "/studio/%2e%2e%2fv1%2fmodels", "/v1/models%00", "/healthz/", "//healthz", "/HEALTHZ", "/healthz%2f..%2fv1/models", "/v1/models;a=b", "/\\v1/models",
       "http://127.0.0.1/v1/models", "*", "/v1/models#a", "/studio//../v1/models"]

OTHERS = ["evil.example", "127.0.0.1.evil.example", "localhost.evil.example", "127.0.0.1@evil.example", "", "[::1", "evil.example:8000", "169.254.169.254"]
OWN = ["127.0.0.1", "127.0.0.1:8000", "localhost:9", "LOCALHOST", "[::1]:8000", "localhost."]


def paths(app: Any) -> Iterator[tuple[str, frozenset[str]]]:
    for _, path, methods in app.state.table.rows:
        yield re.sub(r"\{[^}]*\}", "a", path), methods


def unknown(said: Said) -> None:
    assert said.status == 401 and said.headers["www-authenticate"].startswith("Bearer") and said.headers["x-request-id"].startswith("req_")
    assert said.body == b"" or said.error["type"] == "authentication_error"


def is_open(path: str, method: str) -> bool:
    return path in ("/healthz", "/metrics") or (path.startswith("/studio") and method in ("GET", "HEAD"))


def test_every_route_and_method_wants_a_key(tmp_path: Path) -> None:
    async def run() -> int:
        async with running(server(tmp_path)) as app:
            tried = 0
            for path, methods in paths(app):
                for method in {*methods, "GET", "POST", "DELETE", "OPTIONS"}:
                    if not is_open(path, method):
                        for headers in WRONG:
                            unknown(await ask(app, method, path, headers, [b"{}"] if method == "POST" else []))
                            tried += 1
            return tried
    assert asyncio.run(run()) > 500


def test_every_method_wants_a_key_and_no_address_holds_one(tmp_path: Path) -> None:
    async def run() -> None:
        async with running(server(tmp_path)) as app:
            for method in METHODS:
                unknown(await ask(app, method, "/v1/models"))
                unknown(await ask(app, method, f"/v1/models?token={TOKEN}&key={TOKEN}&access_token={TOKEN}"))
            assert (await ask(app, "GET", "/healthz")).status == 200 and (await ask(app, "GET", "/v1/models", [bearer(TOKEN)])).status == 200
    asyncio.run(run())


def test_odd_spellings_are_no_way_around(tmp_path: Path) -> None:
    async def run() -> None:
        async with running(server(tmp_path)) as app:
            for path in ODD:
                without, with_ = await ask(app, "GET", path), await ask(app, "GET", path, [bearer(TOKEN)])
                assert without.status in (401, 404) and b'"data"' not in without.body, path
                assert with_.status == 404 or (path == "/v1%2fmodels" and with_.status == 200), path
    asyncio.run(run())


def test_metrics_are_open_on_this_machine_only_and_not_behind_a_proxy(tmp_path: Path) -> None:
    async def run() -> None:
        async with running(server(tmp_path / "near")) as app:
            assert (await ask(app, "GET", "/metrics")).status == 200
            unknown(await ask(app, "GET", "/metrics", [(b"x-forwarded-for", b"1.2.3.4")]))
        async with running(server(tmp_path / "far", loopback=False)) as app:
            unknown(await ask(app, "GET", "/metrics"))
    asyncio.run(run())


def test_a_key_does_what_its_scopes_say(tmp_path: Path) -> None:
    """Every route below /v1 but the limits refuses some scope: none was written without one."""
    async def run() -> None:
        has = server(tmp_path)
        keys = {scope: has.guard.keys.new(scope, [scope])[1] for scope in ("chat", "jobs", "files")}
        async with running(has) as app:
            for path, methods in paths(app):
                for method in methods - {"HEAD", "OPTIONS"}:
                    if path.startswith("/v1/") and path != "/v1/limits":
                        said = [await ask(app, method, path, [bearer(key), JSON], [b"{}"]) for key in keys.values()]
                        assert 403 in [s.status for s in said], (method, path)
            for method, path in (("GET", "/v1/keys"), ("POST", "/v1/keys"), ("DELETE", "/v1/keys/a")):
                assert {(await ask(app, method, path, [bearer(key), JSON], [b"{}"])).status for key in keys.values()} == {403}
    asyncio.run(run())


def test_keys_are_made_and_ended_over_http(tmp_path: Path) -> None:
    async def run() -> None:
        has = server(tmp_path)
        async with running(has) as app:
            made = json.loads((await ask(app, "POST", "/v1/keys", [bearer(TOKEN), JSON], [b'{"name": "a", "scopes": ["chat"], "rpm": 100}'])).body)
            mine = [bearer(made["secret"]), JSON]
            assert (await ask(app, "POST", "/v1/chat/completions", mine, chat())).status == 200
            told = await ask(app, "GET", "/v1/keys", [bearer(TOKEN)])
            assert made["id"].encode() in told.body and made["secret"].encode() not in told.body
            assert (await ask(app, "DELETE", f"/v1/keys/{made['id']}", [bearer(TOKEN)])).status == 200
            unknown(await ask(app, "POST", "/v1/chat/completions", mine, chat()))
            for wrong in (b'{"name": ""}', b'{"name": "a", "scopes": ["root"]}', b'{"name": "a", "rpm": 0}', b'{"name": "a", "days": -1}', b'{"name": "a", "id": "b"}', b"[]"):
                assert (await ask(app, "POST", "/v1/keys", [bearer(TOKEN), JSON], [wrong])).status == 400
    asyncio.run(run())
    assert made_before(tmp_path)


def made_before(at: Path) -> bool:
    """What is on disk: hashes, and a file that nobody else reads."""
    file = at / "workspace" / "keys" / "keys.db"
    return file.stat().st_mode & 0o077 == 0 and b"ilk-" not in file.read_bytes() and [k.ended for k in Keys(file).all()] == [True]


def test_it_is_asked_by_its_own_names_only(tmp_path: Path) -> None:
    async def run() -> None:
        async with running(server(tmp_path)) as app:
            for host in OTHERS:
                for path in ("/v1/models", "/healthz", "/studio/"):
                    said = await ask(app, "GET", path, [(b"host", host.encode()), bearer(TOKEN)])
                    assert said.status == 403 and said.error["code"] == "HOST", host
            for host in OWN:
                assert (await ask(app, "GET", "/v1/models", [(b"host", host.encode()), bearer(TOKEN)])).status == 200, host
    asyncio.run(run())


def test_pages_of_other_sites_may_not_ask(tmp_path: Path) -> None:
    async def run() -> None:
        async with running(server(tmp_path, origins=frozenset(["https://good.example"]))) as app:
            for origin in ("https://evil.example", "null", "http://127.0.0.1:9999", "file://", "https://good.example.evil", "http://good.example", "http://[", "data:"):
                said = await ask(app, "POST", "/v1/chat/completions", [(b"origin", origin.encode()), bearer(TOKEN), JSON], chat())
                assert said.status == 403 and said.error["code"] == "ORIGIN" and "access-control-allow-origin" not in said.headers
            own = await ask(app, "POST", "/v1/chat/completions", [(b"origin", b"http://127.0.0.1"), bearer(TOKEN), JSON], chat())
            assert own.status == 200 and "access-control-allow-origin" not in own.headers
            before = await ask(app, "OPTIONS", "/v1/models", [(b"origin", b"https://good.example"), (b"access-control-request-method", b"POST")])
            assert before.status == 204 and before.headers["access-control-allow-origin"] == "https://good.example"
            unknown(await ask(app, "POST", "/v1/chat/completions", [(b"origin", b"https://good.example"), JSON], chat()))
            good = await ask(app, "POST", "/v1/chat/completions", [(b"origin", b"https://good.example"), bearer(TOKEN), JSON], chat())
            assert good.status == 200 and good.headers["access-control-allow-origin"] == "https://good.example" and "access-control-allow-credentials" not in good.headers
    asyncio.run(run())


def test_what_a_form_can_send_is_not_taken(tmp_path: Path) -> None:
    async def run() -> None:
        async with running(server(tmp_path)) as app:
            for kind in ("text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=a", "application/jsonp", "", "text/json"):
                said = await ask(app, "POST", "/v1/chat/completions", [bearer(TOKEN), (b"content-type", kind.encode()), (b"content-length", b"9")], chat())
                assert said.status == 415 and said.error["type"] == "unsupported_media_type", kind
    asyncio.run(run())


def test_loopback_is_told_from_the_rest() -> None:
    assert [is_loopback(h) for h in ("127.0.0.1", "::1", "localhost", "0.0.0.0", "::", "10.0.0.1", "localhost.evil", "")] == [True] * 3 + [False] * 5


@pytest.mark.parametrize(("words", "exit", "code"), [
    (["--host", "0.0.0.0"], 6, "NO_KEY"), (["--host", "::"], 6, "NO_KEY"), (["--host", "0.0.0.0", "--no-auth"], 6, "NO_AUTH"),
    (["--host", "0.0.0.0", "--token", "short"], 6, "WEAK_TOKEN"), (["--no-auth", "--token", "a" * 30], 6, "NO_AUTH"), (["--token", "a", "--token-file", "b"], 2, "TOKEN"),
    (["--token-file", "none"], 2, "TOKEN"), (["--limit", "body=0"], 2, "LIMIT"), (["--limit", "boddy=1"], 2, "LIMIT"), (["--limit", "body"], 2, "LIMIT"),
    (["nomodel.ilk"], 4, "NOT_FOUND"), (["eecho:a"], 2, "UNKNOWN_BACKENDS"), (["a=echo:", "a=echo:b"], 2, "NAME"), (["--memory-limit", "much"], 2, "SIZE"),
    (["--port", "99999"], 2, "PORT"), (["--host", "no such host"], 6, "NO_KEY"), (["--host", "no such host", "--token", "a" * 30], 5, "PORT")])
def test_it_does_not_start(ilk: Any, words: list[str], exit: int, code: str) -> None:
    ilk("serve", *words, "--workspace", "w").refused(exit, code)
