"""The studio: a web page in which everything can be done without writing code. Plain files, sent as they are (`files`)."""
from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

HOME = Path(__file__).parent / "static"
TYPES = {".html": "text/html; charset=utf-8", ".css": "text/css; charset=utf-8", ".js": "text/javascript; charset=utf-8", ".json": "application/json",
         ".svg": "image/svg+xml", ".csv": "text/csv; charset=utf-8", ".png": "image/png"}


@dataclass(frozen=True)
class File:
    """What is sent of a file: its bytes, what they are, and a mark by which a browser knows whether it has them."""

    body: bytes
    type: str
    mark: str


@cache
def files() -> Mapping[str, File]:
    """Every file of the studio by its path, read once. What is not among them can't be asked for, whatever the path says."""
    return {path.relative_to(HOME).as_posix(): _read(path) for path in sorted(HOME.rglob("*")) if path.suffix in TYPES}


def _read(path: Path) -> File:
    body = path.read_bytes()
    return File(body, TYPES[path.suffix], f'"{hashlib.sha256(body).hexdigest()[:20]}"')
