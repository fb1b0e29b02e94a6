"""What the server refuses before, or beside, the work itself: each with its HTTP status and headers."""
from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from ilk.errors import IlkError, PolicyError, UsageError


class Refusal(IlkError):
    """Refused at the door; `reason` is its label among the metrics, `headers` go with the answer."""

    exit: ClassVar[int] = 2
    reason: ClassVar[str] = "other"

    def __init__(self, message: str, *, code: str | None = None, remedy: str | None = None, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(message, code=code, remedy=remedy)
        self.headers = dict(headers or {})


class Unknown(Refusal):
    """Nobody knows who asks."""

    exit, http, kind, default, reason = 6, 401, "authentication_error", "invalid_api_key", "auth"

    def __init__(self, message: str) -> None:
        super().__init__(message, remedy="the header Authorization: Bearer ilk-...", headers={"www-authenticate": 'Bearer realm="ilk"'})


class TooLarge(Refusal):
    """A body past its limit."""

    http, kind, default, reason = 413, "request_too_large", "request_too_large", "too_large"


class Unsupported(Refusal):
    """A body of a kind that is not taken."""

    http, kind, default, reason = 415, "unsupported_media_type", "unsupported_media_type", "media_type"


class Headers(Refusal):
    """Too many or too long headers."""

    http, kind, default, reason = 431, "invalid_request_error", "headers_too_large", "headers"


class Slow(Refusal):
    """A request that did not arrive in time."""

    http, kind, default, reason = 408, "invalid_request_error", "timeout", "slow"


class Limited(Refusal):
    """Too many requests of one key."""

    exit, http, kind, default, reason = 5, 429, "rate_limit_error", "rate_limit_exceeded", "rate"

    def __init__(self, message: str, after: float) -> None:
        super().__init__(message, remedy=f"try again in {after:.0f} s", headers={"retry-after": str(max(1, round(after)))})


class Spent(Refusal):
    """The budget of a key is used up: asking again won't help."""

    exit, http, kind, default, reason = 6, 429, "rate_limit_error", "insufficient_quota", "budget"

    def __init__(self, message: str) -> None:
        super().__init__(message, remedy="another key, or a larger budget", headers={"x-should-retry": "false"})


class Unavailable(Refusal):
    """Not now: the server is starting, or about to end."""

    exit, http, kind, default, reason = 5, 503, "unavailable", "unavailable", "unavailable"


class Late(Refusal):
    """A request that took too long."""

    exit, http, kind, default, reason = 5, 503, "unavailable", "timeout", "late"

    def __init__(self, seconds: float) -> None:
        super().__init__(f"the request took longer than {seconds:g} s", remedy="ask for less at once", headers={"x-should-retry": "false"})


class Nowhere(PolicyError):
    """Asked by a name, or from a page, that is not this server's."""

    reason = "origin"

    def __init__(self, message: str, code: str, remedy: str) -> None:
        super().__init__(message, code=code, remedy=remedy)


class Unclear(UsageError):
    """A path in a form in which nothing is served."""

    http, kind, default = 404, "not_found_error", "not_found"
