"""Every error says what was wrong, where, and what would work; its class fixes the exit code and the HTTP status."""
from __future__ import annotations

import re
from typing import Any, ClassVar

_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069]")


def printable(text: str) -> str:
    """The text without control characters, so that no file name or cell can steer a terminal.

    >>> printable("a\\x1b]52;c\\x07b")
    'a]52;cb'
    """
    return _CONTROL.sub("", text)


def _told(text: str) -> str:
    """Printable and on one line: only a line that is set in may follow, so that no name of a file can look like another error."""
    return re.sub(r"\n(?!  )", " ", printable(text))


class IlkError(Exception):
    """What went wrong, as data: a code, a message with the place in it, and what would work."""

    exit: ClassVar[int] = 1
    http: ClassVar[int] = 500
    kind: ClassVar[str] = "server_error"
    default: ClassVar[str] = "ERROR"

    def __init__(self, message: str, *, code: str | None = None, remedy: str | None = None, param: str | None = None) -> None:
        self.message, self.code, self.param = _told(message), code or self.default, param
        self.remedy = None if remedy is None else _told(remedy)
        super().__init__(self.message if self.remedy is None else f"{self.message}; {self.remedy}")

    def as_json(self) -> dict[str, Any]:
        """The error object that `--json` and HTTP answer with."""
        return {"error": {"message": str(self), "type": self.kind, "param": self.param, "code": self.code}}


class UsageError(IlkError, ValueError):
    """A call, option, rule or combination that can't be meant."""

    exit, http, kind, default = 2, 400, "invalid_request_error", "USAGE"


class DataError(IlkError, ValueError):
    """Data that can't be read or don't fit."""

    exit, http, kind, default = 3, 400, "invalid_request_error", "DATA"


class ModelError(IlkError, ValueError):
    """A model folder that is damaged, foreign or not to be trusted."""

    exit, http, kind, default = 4, 400, "invalid_request_error", "MODEL"


class ResourceError(IlkError, OSError):
    """Too little disk or memory."""

    exit, http, kind, default = 5, 507, "insufficient_storage", "RESOURCES"

    def __str__(self) -> str:
        return self.message if self.remedy is None else f"{self.message}; {self.remedy}"


class TrainingError(ResourceError):
    """A fit that diverged or made NaN; the last good state is kept."""

    default = "DIVERGED"


class PolicyError(IlkError):
    """Refused on purpose."""

    exit, http, kind, default = 6, 403, "permission_error", "POLICY"


class Stopped(IlkError):
    """A fit that was asked to stop and kept its checkpoint; `exit_code` is 130 for Ctrl-C, 143 for SIGTERM."""

    kind, default = "conflict", "STOPPED"

    def __init__(self, message: str, exit_code: int, remedy: str | None = None) -> None:
        super().__init__(message, remedy=remedy)
        self.exit_code = exit_code


def nearest(word: str, options: Any) -> str:
    """A "did you mean" tail for an unknown name, or the list of what there is.

    >>> nearest("gm", ["gmm", "made"])
    'did you mean gmm?'
    """
    from difflib import get_close_matches

    names = [str(o) for o in options]
    close = get_close_matches(word, names, n=1, cutoff=0.6)
    return f"did you mean {close[0]}?" if close else f"there are: {', '.join(names) or 'none'}"
