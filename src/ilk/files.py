"""Files that are written whole or not at all, and JSON: strictly read, and values that it can hold."""
from __future__ import annotations

import errno
import json
import os
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from math import isfinite
from pathlib import Path
from typing import Any, BinaryIO, NoReturn

from .errors import ModelError, ResourceError

MOST_JSON = 32 << 20   # bytes


@contextmanager
def atomic(to: Path) -> Iterator[BinaryIO]:
    """A file to write that takes its name only when all is on disk; ResourceError when the disk is full or can't be written."""
    part = to.with_name(f".{to.name}.part")
    try:
        to.parent.mkdir(parents=True, exist_ok=True)
        with open(part, "wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        os.replace(part, to)
    except OSError as why:
        if isinstance(why, ResourceError):
            raise
        raise not_written(to, why) from None
    finally:
        with suppress(OSError):
            part.unlink()


def not_written(to: Path, why: OSError) -> ResourceError:
    """What kept a file from being written."""
    number = why.errno or int((re.search(r"os error (\d+)", str(why)) or ("", "0"))[1])  # libraries in Rust say it in words only
    code = "DISK_FULL" if number in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG) else "WRITE"
    return ResourceError(f"{to} can't be written: {os.strerror(number) if number else why}", code=code, remedy="free some space or choose another place")


def plain(value: Any) -> Any:
    """JSON without NaN or infinity (they become null)."""
    if isinstance(value, float):
        return value if isfinite(value) else None
    if isinstance(value, Mapping):
        return {str(k): plain(v) for k, v in value.items()}
    return [plain(v) for v in value] if isinstance(value, list | tuple) else value


def parse_json(data: bytes, name: str) -> Any:
    """Strict JSON: UTF-8, no doubled keys, no NaN, bounded size and depth; else ModelError."""
    if len(data) > MOST_JSON:
        raise ModelError(f"{name} is {len(data) >> 20} MiB of JSON; the limit is {MOST_JSON >> 20}", code="TOO_LARGE")
    try:
        return json.loads(data.decode("utf-8"), object_pairs_hook=_once, parse_constant=_no_constant, parse_float=_finite)
    except RecursionError:
        raise ModelError(f"{name} is nested too deep", code="TOO_LARGE") from None
    except ValueError as why:
        raise ModelError(f"{name} is not valid JSON: {why}", code="MODEL_DAMAGED") from None


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a key stands twice in one object")
    return found


def _no_constant(text: str) -> NoReturn:
    raise ValueError(f"{text} is not a JSON number")


def _finite(text: str) -> float:
    number = float(text)
    return number if isfinite(number) else _no_constant(text)
