"""The studio's files from a server, and answers of its API that are canned: what pages do is seen without any model. A browser that notes all that goes wrong."""
from __future__ import annotations

import base64
import io
import json
import shutil
import socket
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

import pytest

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or ""
Answer = Callable[[Mapping[str, Any], Mapping[str, str]], Any]


def png(size: int = 16, shade: int = 90) -> str:
    """A grey picture with a bright square, in base64."""
    from PIL import Image

    picture = Image.new("L", (size, size), shade)
    picture.paste(230, (size // 4, size // 4, size // 2, size // 2))
    held = io.BytesIO()
    picture.save(held, "PNG")
    return base64.b64encode(held.getvalue()).decode()


def picture(shade: int = 90) -> dict[str, str]:
    """A picture as the API has it."""
    return {"mime": "image/png", "b64": png(shade=shade)}


def model(id: str, **ilk: Any) -> dict[str, Any]:
    """A model as the list has it."""
    return {"id": id, "object": "model", "created": 0, "owned_by": "ilk", "ilk": {"state": "ready", "place": "given", **ilk}}


def events(*data: Any) -> str:
    """A stream of events."""
    return "".join(f"data: {json.dumps(d)}\n\n" for d in data) + "data: [DONE]\n\n"


def samples(items: list[Any], **more: Any) -> dict[str, Any]:
    """Items that were made, as the API has them."""
    return {"object": "ilk.samples", "n": len(items), "seed": 0, "items": items, "met": [], "line": {"python": "ilk.sample(...)", "cli": "ilk sample ..."}, **more}


@contextmanager
def serving(at: Path) -> Iterator[str]:
    """The address of a server of the studio, which ends with the block."""
    import uvicorn

    from ilk.serve.app import build
    from ilk.serve.here import Here
    from ilk.serve.place import Workspace
    from ilk.serve.server import Server

    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    server = uvicorn.Server(uvicorn.Config(build(Server(Here({"echo": "echo:"}), Workspace.at(at))), port=port, log_level="error"))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    until = time.monotonic() + 30
    while not server.started and time.monotonic() < until:
        time.sleep(0.05)
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        server.should_exit = True
        thread.join(10)


@dataclass
class Watched:
    """A page, and all that it did that it should not: errors it told of, dialogs, breaches of its policy, requests to elsewhere. `sent` is what it asked of the API."""

    page: Any
    base: str
    errors: list[str] = field(default_factory=list)
    dialogs: list[str] = field(default_factory=list)
    elsewhere: list[str] = field(default_factory=list)
    sent: list[tuple[str, Any]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.page.on("console", lambda m: self.errors.append(m.text) if m.type == "error" else None)
        self.page.on("pageerror", lambda e: self.errors.append(str(e)))
        self.page.on("dialog", lambda d: (self.dialogs.append(d.message), d.dismiss()))
        self.page.on("request", lambda r: None if r.url.startswith((self.base, "data:", "blob:", "about:")) else self.elsewhere.append(r.url))

    def answers(self, table: Mapping[str, Any]) -> None:
        """What "METHOD /v1/path" is answered with: JSON, a text (of events), or a function of the body and the query that gives these. Anything else is 404."""
        def handle(route: Any) -> None:
            request, at = route.request, urlsplit(route.request.url)
            asked = f"{request.method} {unquote(at.path)}"
            found = table.get(asked)
            held = request.post_data_buffer or b""
            body = json.loads(held) if held[:1] == b"{" else {"raw": held}
            self.sent.append((asked, body))
            if callable(found):
                found = found(body, {k: v[0] for k, v in parse_qs(at.query).items()})
            if found is None:
                route.fulfill(status=404, json={"error": {"message": "there is nothing there", "code": "not_found"}})
            elif isinstance(found, tuple):
                route.fulfill(status=found[0], json=found[1])
            elif isinstance(found, str):
                route.fulfill(status=200, content_type="text/event-stream" if found.startswith("data:") else "text/html", body=found)
            else:
                route.fulfill(status=200, json=found)

        self.page.route("**/v1/**", handle)

    def go(self, where: str) -> None:
        """Goes to a page of the studio."""
        self.page.goto("about:blank")
        self.page.goto(f"{self.base}/studio/#/{where}")
        self.page.locator("h1").wait_for()

    def wide(self) -> int:
        """By how many pixels the page is wider than its window."""
        return int(self.page.evaluate("document.documentElement.scrollWidth - innerWidth"))

    def well(self) -> None:
        """AssertionError where something went wrong."""
        __tracebackhide__ = True
        if self.errors or self.dialogs or self.elsewhere:
            pytest.fail(f"errors {self.errors}, dialogs {self.dialogs}, requests elsewhere {self.elsewhere}")


@contextmanager
def chromium() -> Iterator[Any]:
    """The browser; skips where there is none."""
    api = pytest.importorskip("playwright.sync_api")
    if not CHROMIUM:
        pytest.skip("there is no chromium")
    with api.sync_playwright() as play:
        opened = play.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        try:
            yield opened
        finally:
            opened.close()


@contextmanager
def paged(opened: Any, base: str, width: int = 1440, locale: str = "en-US", dark: bool = False) -> Iterator[Watched]:
    """A page of its own in the browser."""
    context = opened.new_context(viewport={"width": width, "height": 1000}, locale=locale, color_scheme="dark" if dark else "light")
    try:
        page = context.new_page()
        page.set_default_timeout(8000)
        yield Watched(page, base)
    finally:
        context.close()
