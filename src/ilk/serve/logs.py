"""The log: one line of JSON for every request and every fault, without prompts, keys, bodies or paths that people wrote."""
from __future__ import annotations

import json
import logging
import re
import sys
import time
import traceback
from typing import Any, TextIO

LOG = logging.getLogger("ilk.serve")
_SECRET = re.compile(r"ilk-[A-Za-z0-9_\-]{16,}|(?i:bearer)\s+\S+|token=[^\s&\"']+")
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069]")


class Lines(logging.Formatter):
    """A record as a line: control characters are escaped, whatever looks like a key is left out, and of a fault its class and place are told, not its text
    (which may quote what somebody sent) unless `texts`."""

    def __init__(self, texts: bool = False) -> None:
        super().__init__()
        self._texts = texts

    def format(self, record: logging.LogRecord) -> str:
        """One line."""
        said: dict[str, Any] = {"at": _time(record.created), "level": record.levelname.lower(), "event": record.getMessage().strip(), **getattr(record, "facts", {})}
        if record.exc_info and record.exc_info[1] is not None:
            said["fault"] = _fault(record.exc_info[1], self._texts)
        return line(said)


def line(said: dict[str, Any]) -> str:
    """JSON on one line, in plain letters of any script.

    >>> line({"event": "a\\r\\nb\\x1b[31m", "key": "ilk-0123456789abcdefgh"})
    '{"event": "a\\\\r\\\\nb\\\\u001b[31m", "key": "[secret]"}'
    """
    text = _SECRET.sub("[secret]", json.dumps(said, ensure_ascii=False, default=str))
    return _CONTROL.sub(lambda c: f"\\u{ord(c[0]):04x}", text)


def start(level: str = "info", texts: bool = False, to: TextIO | None = None) -> None:
    """Lines from `level` on go to a file, by default standard error; those of the web server too."""
    handler = logging.StreamHandler(to or sys.stderr)
    handler.setFormatter(Lines(texts))
    for name in ("ilk.serve", "uvicorn", "uvicorn.error", "asyncio"):
        log = logging.getLogger(name)
        log.handlers, log.propagate = ([handler] if name != "uvicorn.error" else []), name == "uvicorn.error"
        log.setLevel(level.upper() if name == "ilk.serve" else logging.WARNING)
    logging.getLogger("uvicorn.access").disabled = True


def told(event: str, facts: dict[str, Any], level: int = logging.INFO, why: BaseException | None = None) -> None:
    """Writes a line."""
    LOG.log(level, event, extra={"facts": facts}, exc_info=why)


def _fault(why: BaseException, texts: bool) -> dict[str, Any]:
    places = [f"{frame.filename.rsplit('/', 1)[-1]}:{frame.lineno} {frame.name}" for frame in traceback.extract_tb(why.__traceback__)[-8:]]
    return {"class": type(why).__name__, "at": places, **({"text": str(why)[:500]} if texts else {})}


def _time(at: float) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(at)) + f".{int(at % 1 * 1000):03d}Z"
