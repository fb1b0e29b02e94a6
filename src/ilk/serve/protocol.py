"""HTTP with an end to patience: what uvicorn's protocol waits for without a bound (Kludex/uvicorn#157) has a deadline here.

A connection that sends nothing, headers or a body that trickle, and a client that does not read its answer are cut off. An answer that takes long is not.
"""
from __future__ import annotations

import asyncio
import json
import secrets
from http import HTTPStatus
from typing import Any

import h11
from uvicorn.config import Config
from uvicorn.protocols.http.h11_impl import H11Protocol
from uvicorn.server import ServerState

from ilk.errors import IlkError, UsageError
from ilk.serve.limits import Limits
from ilk.serve.refusals import Headers, Slow
from ilk.serve.wire import said

_LAST = b"HTTP/1.1 %d %s\r\nx-request-id: req_%s\r\ncontent-type: application/json\r\ncontent-length: %d\r\nconnection: close\r\n\r\n%s"
LINGER = 2.0   # seconds in which the rest of a body that was refused is thrown away, so that the refusal is not lost by a reset


class Patience(H11Protocol):
    """One connection. `limits` is set by `patient`."""

    limits = Limits()

    def __init__(self, config: Config, server_state: ServerState, app_state: dict[str, Any], _loop: asyncio.AbstractEventLoop | None = None) -> None:
        super().__init__(config, server_state, app_state, _loop)
        self._waits: asyncio.TimerHandle | None = None
        self._stuck: asyncio.TimerHandle | None = None
        self._phase, self._began, self._taken = "", 0.0, 0

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """A client is here: its headers are due."""
        super().connection_made(transport)
        transport.set_write_buffer_limits(high=self.limits.buffer // 4)
        self._enter("headers")

    def connection_lost(self, exc: Exception | None) -> None:
        """It has left."""
        self._enter("")
        self._unstick()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """A piece of a request."""
        if not self._phase and self.conn.their_state is h11.IDLE:
            self._enter("headers")
        self._taken += len(data)
        super().data_received(data)

    def handle_events(self) -> None:
        """What the pieces amount to, and what is due next."""
        super().handle_events()
        theirs = self.conn.their_state
        if theirs is h11.SEND_BODY:
            if self._phase == "headers":
                self._enter("body")
        elif theirs is not h11.IDLE or self._phase in ("body", "rest"):
            self._enter("")

    def on_response_complete(self) -> None:
        """An answer is out: the rest of a body that nobody wants any more has little time."""
        super().on_response_complete()
        if self.conn.their_state is h11.SEND_BODY and self.conn.our_state is not h11.SEND_RESPONSE:
            self._enter("rest")

    def pause_writing(self) -> None:
        """The client does not read as fast as it is told: it has to catch up in time."""
        super().pause_writing()
        self._unstick()
        self._stuck = self.loop.call_later(self.limits.write_seconds, self.transport.abort)

    def resume_writing(self) -> None:
        """It has."""
        self._unstick()
        super().resume_writing()

    def timeout_keep_alive_handler(self) -> None:
        """Nothing more is asked: the connection is closed, and cut if what was said last is never read."""
        super().timeout_keep_alive_handler()
        self.loop.call_later(self.limits.write_seconds, self.transport.abort)

    def send_400_response(self, msg: str) -> None:
        """A request that is none, as the errors of all others are told."""
        long = self._phase == "headers" and self._taken > self.limits.header
        self._answer(Headers("the headers are too long", remedy=f"at most {self.limits.header} bytes together") if long
                     else UsageError("that is no HTTP request", code="http"))

    def _answer(self, why: IlkError) -> None:
        """Says that, if nothing is being said, and closes."""
        if self.cycle is None or self.cycle.response_complete:
            status, body = said(why)
            text = json.dumps(body).encode()
            self.transport.write(_LAST % (status, HTTPStatus(status).phrase.encode(), secrets.token_hex(12).encode(), len(text), text))
            self.transport.close()
        else:
            self.transport.abort()

    def _enter(self, phase: str) -> None:
        """What is waited for from now on: headers, a body, the rest of one, or nothing."""
        if self._waits is not None:
            self._waits.cancel()
        self._waits, self._phase = None, phase
        if phase:
            self._began, self._taken = self.loop.time(), 0
            self._waits = self.loop.call_later(self._patience(), self._over)

    def _patience(self) -> float:
        """Seconds from the beginning of the phase: for a body more, the more of it there is."""
        return {"headers": self.limits.header_seconds, "body": self.limits.body_seconds + self._taken / self.limits.body_rate, "rest": LINGER}[self._phase]

    def _over(self) -> None:
        left = self._began + self._patience() - self.loop.time()
        if left > 0 or self.flow.read_paused:   # it came on well, or it is us who don't read
            self._waits = self.loop.call_later(max(left, 1.0), self._over)
            return
        rest = self._phase == "rest"
        self._enter("")
        if rest:
            self.transport.close()
        else:
            self._answer(Slow("the request did not arrive in time"))

    def _unstick(self) -> None:
        if self._stuck is not None:
            self._stuck.cancel()
        self._stuck = None


def patient(limits: Limits) -> type[Patience]:
    """The protocol with these limits, for `http=` of uvicorn; give it h11_max_incomplete_event_size=limits.header as well."""
    return type("Patience", (Patience,), {"limits": limits})
