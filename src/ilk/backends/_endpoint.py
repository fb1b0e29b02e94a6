"""A server that is asked over HTTP: time-outs, retries, budgets and limits, so that whatever it does ends in an answer or a clear error."""
from __future__ import annotations

import time
from collections.abc import Callable, Generator, Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass, field
from email.utils import parsedate_to_datetime
from functools import cached_property
from threading import Lock
from typing import TYPE_CHECKING, Any

from ..errors import IlkError, ModelError, PolicyError, UsageError
from ..files import parse_json
from ._sse import events

if TYPE_CHECKING:
    import httpx

MOST_BODY, MOST_STREAM, MOST_ERROR = 64 << 20, 256 << 20, 64 << 10   # bytes
LONGEST_WAIT = 60.0   # seconds that a server may ask for between tries
AGAIN = (408, 425, 429, 500, 502, 503, 504, 529)


@dataclass(frozen=True)
class Patience:
    """Seconds until a connection stands, until the next piece comes, and for all of it; how often a request is tried again."""

    connect: float
    first: float
    whole: float
    retries: int


@dataclass
class Purse:
    """What a process has spent on a server, beside what it may spend (None: no limit)."""

    requests: int = 0
    tokens: int = 0
    lock: Lock = field(default_factory=Lock, repr=False)

    def ask(self, requests: int | None, tokens: int | None) -> None:
        """One request more; PolicyError (code BUDGET) if it may not be."""
        with self.lock:
            for what, spent, most in (("requests", self.requests, requests), ("tokens", self.tokens, tokens)):
                if most is not None and spent >= most:
                    raise PolicyError(f"the budget of {most} {what} for this server is used up ({spent})", code="BUDGET", param=what, remedy=f"a larger {what}=")
            self.requests += 1

    def pay(self, tokens: int) -> None:
        """Tokens that were read and made."""
        with self.lock:
            self.tokens += tokens


class _Failed(Exception):
    """A try that failed, and after how many seconds another may be made (None: never)."""

    def __init__(self, failure: IlkError, wait: float | None = None) -> None:
        super().__init__()
        self.failure, self.wait = failure, wait


@dataclass(frozen=True)
class Endpoint:
    """A base URL, the key that is sent with requests and shown nowhere, and what `refused` makes of an error that a server tells."""

    url: str
    patience: Patience
    refused: Callable[[int, str], IlkError]
    pay: Callable[[], None] = lambda: None   # before every request
    key: str = field(default="", repr=False)

    def ask(self, path: str, body: Mapping[str, Any]) -> Generator[Any]:
        """The JSON that it answers with: of each event if it streams, and None where it says that this is all; else of the one body.

        Raises IlkError for all that goes wrong, with the key left out.
        """
        start = time.monotonic()
        try:
            with closing(self._sent(path, body, start)) as response:
                if "text/event-stream" in response.headers.get("content-type", ""):
                    yield from _until_done(events(self._bytes(response, MOST_STREAM, start)))
                else:
                    yield _parsed(b"".join(self._bytes(response, MOST_BODY, start)))
        except IlkError as why:
            raise self._masked(why) from None

    def _masked(self, why: IlkError) -> IlkError:
        if not self.key or self.key not in str(why):
            return why
        return type(why)(why.message.replace(self.key, "***"), code=why.code, remedy=why.remedy and why.remedy.replace(self.key, "***"), param=why.param)

    @cached_property
    def _client(self) -> httpx.Client:
        httpx = _httpx()
        patience = self.patience
        return httpx.Client(follow_redirects=False, timeout=httpx.Timeout(min(patience.first, patience.whole), connect=patience.connect), headers=self._headers())

    def _headers(self) -> dict[str, str]:
        return {"Accept-Encoding": "identity", "User-Agent": "ilk", **({"Authorization": f"Bearer {self.key}"} if self.key else {})}

    def _sent(self, path: str, body: Mapping[str, Any], start: float) -> httpx.Response:
        """The response whose head says that all is well, after as many tries as are allowed."""
        attempt = 0
        while True:
            self.pay()
            try:
                return self._tried(path, body, min(8.0, 0.5 * 2 ** attempt))
            except _Failed as why:
                late = why.wait is None or why.wait > LONGEST_WAIT or time.monotonic() + why.wait - start > self.patience.whole
                if why.wait is None or late or attempt == self.patience.retries:
                    raise why.failure from None
                time.sleep(why.wait)
            attempt += 1

    def _tried(self, path: str, body: Mapping[str, Any], wait: float) -> httpx.Response:
        httpx = _httpx()
        try:
            response: Any = self._client.send(self._client.build_request("POST", f"{self.url}/{path}", json=dict(body)), stream=True)
        except (httpx.NetworkError, httpx.ConnectTimeout, httpx.RemoteProtocolError, httpx.ProxyError) as why:
            raise _Failed(_down(self.url, why), wait) from None
        except httpx.TimeoutException:
            raise _Failed(self._slow()) from None
        except (httpx.HTTPError, httpx.InvalidURL, ValueError, OSError) as why:
            raise _Failed(_down(self.url, why)) from None
        if response.is_success:
            return response
        with closing(response):
            raise _Failed(self._told(response), _pause(response, wait) if response.status_code in AGAIN else None)

    def _told(self, response: httpx.Response) -> IlkError:
        if response.is_redirect:
            return ModelError(f"{self.url} sends on to {response.headers.get('location', '')[:200]!r}, which is not followed", code="REDIRECT",
                              remedy="name that address as url, if it is the right one")
        try:
            text = b"".join(self._bytes(response, MOST_ERROR, time.monotonic())).decode("utf-8", "replace")
        except IlkError:
            text = ""
        return self.refused(response.status_code, message_of(text))

    def _bytes(self, response: httpx.Response, most: int, start: float) -> Iterator[bytes]:
        httpx = _httpx()
        if response.headers.get("content-encoding", "identity") != "identity":
            raise ModelError("the server compresses its answer though it was asked not to", code="ENDPOINT_GARBAGE")
        seen = 0
        try:
            for chunk in response.iter_raw():
                seen += len(chunk)
                if seen > most:
                    raise ModelError(f"the server's answer is longer than {most / (1 << 20):g} MiB", code="TOO_LARGE")
                if time.monotonic() - start > self.patience.whole:
                    raise self._slow()
                yield chunk
        except httpx.TimeoutException:
            raise self._slow() from None
        except (httpx.HTTPError, httpx.StreamError, OSError) as why:
            raise ModelError(f"the answer broke off: {str(why)[:200] or type(why).__name__}", code="BROKEN_OFF", remedy="ask again") from None

    def _slow(self) -> ModelError:
        return ModelError(f"{self.url} did not answer in time ({self.patience.first:g} s to wait, {self.patience.whole:g} s in all)", code="ENDPOINT_SLOW",
                          remedy="ask for less, or allow more with first= and whole=")


def _httpx() -> Any:
    try:
        import httpx
    except ImportError:
        raise UsageError("servers are asked with httpx", code="EXTRA", param="model", remedy='pip install "ilk[llm]"') from None
    return httpx


def _down(url: str, why: Exception) -> ModelError:
    return ModelError(f"{url} can't be reached: {str(why)[:200] or type(why).__name__}", code="ENDPOINT_DOWN", remedy="is the server running, and the url right?")


def _until_done(data: Iterator[str]) -> Iterator[Any]:
    for text in data:
        if text.strip() == "[DONE]":
            yield None
            return
        yield _parsed(text.encode())


def _parsed(data: bytes) -> Any:
    try:
        return parse_json(data, "the server's answer")
    except ModelError as why:
        raise ModelError(why.message, code="ENDPOINT_GARBAGE" if why.code == "MODEL_DAMAGED" else why.code) from None


def message_of(text: str) -> str:
    """What an error says, in any of the forms that servers use; the text itself if it is none of them.

    >>> [message_of(t) for t in ('{"error": {"message": "a", "code": "x"}}', '{"error": "b"}', '{"detail": "c"}', '<html>')]
    ['a (x)', 'b', 'c', '<html>']
    """
    try:
        said = parse_json(text.encode("utf-8", "replace"), "")
    except ModelError:
        return text[:300]
    said = said[0] if isinstance(said, list) and said else said
    inner = next((said[k] for k in ("error", "detail", "message") if said.get(k)), said) if isinstance(said, dict) else said
    code = (inner.get("code") or inner.get("type")) if isinstance(inner, dict) else None
    message = inner.get("message", inner) if isinstance(inner, dict) else inner
    return str(message)[:500] + (f" ({code})" if isinstance(code, str) else "")


def _pause(response: httpx.Response, wait: float) -> float | None:
    """Seconds to wait, as the server asks for; None if it says that trying again is no use."""
    if response.headers.get("x-should-retry") == "false":
        return None
    asked = response.headers.get("retry-after", "")
    try:
        return max(0.0, float(asked))
    except ValueError:
        pass
    try:
        return max(0.0, parsedate_to_datetime(asked).timestamp() - time.time())
    except (ValueError, TypeError, OverflowError):
        return wait
