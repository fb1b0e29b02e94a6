"""Behind the commands: pretrained models fetched, and what there is of them."""
from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from ilk import registry
from ilk.backend import DEFAULT, EMBEDDER, backend
from ilk.catalogue import PRETRAINED, entry, names
from ilk.catalogue.fetching import fetched
from ilk.console._shared import Answer
from ilk.errors import DataError, printable

LANGUAGE = ("The default speaks English. A model that speaks Chinese, when online: `ilk pull hf:Qwen/Qwen2.5-0.5B-Instruct`, "
            "then `ilk chat --model hf:Qwen/Qwen2.5-0.5B-Instruct` (ms: in place of hf: fetches it from ModelScope).")


def pull_command(address: str, quiet: bool = False) -> Answer:
    """Fetches, and says where it is and how large."""
    found, name = backend(address)
    with _waiting(f"fetching {printable(address)}", quiet):
        at = found.pull(name)
    size = _size(at)
    return {"model": address, "at": str(at), "bytes": size}, printable(f"{address} is in {at} ({size / 1e6:,.1f} MB)")


@contextmanager
def _waiting(what: str, quiet: bool) -> Iterator[None]:
    """A bar with the time it takes, where someone looks."""
    if quiet or not sys.stderr.isatty():
        yield
        return
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

    with Progress(TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn(), console=Console(stderr=True), transient=True) as bar:
        bar.add_task(what, total=None)
        yield


def _size(at: Path) -> int:
    return at.stat().st_size if at.is_file() else sum(f.stat().st_size for f in at.rglob("*") if f.is_file())


def models_command() -> Answer:
    """All models that have a name, by address, and what is known of each."""
    rows = [_row(scheme, name) for scheme in registry.names("backends") for name in registry.get("backends", scheme)().names()]
    ways = [{"scheme": scheme, "summary": registry.summary("backends", scheme)} for scheme in registry.names("backends")]
    width = max(len(r["address"]) for r in rows)
    lines = [f"{r['address'].ljust(width)}  {_told(r)}" for r in rows]
    more = [f"{w['scheme']}: {w['summary'].partition(': ')[2]}" for w in ways]
    return {"models": rows, "schemes": ways, "default": DEFAULT, "embedder": EMBEDDER}, printable("\n".join([*lines, "", *more, "", LANGUAGE]))


def _row(scheme: str, name: str) -> dict[str, Any]:
    row: dict[str, Any] = {"address": f"{scheme}:{name}", "default": f"{scheme}:{name}" in (DEFAULT, EMBEDDER)}
    if name not in names(PRETRAINED):
        return row
    said = entry(name, PRETRAINED)
    return {**row, "summary": said.summary, "bytes": said.size, "licence": said.licence, "language": said.language, "here": _here(name)}


def _here(name: str) -> bool:
    try:
        return bool(fetched(entry(name, PRETRAINED), offline=True))
    except DataError:
        return False


def _told(row: dict[str, Any]) -> str:
    if "summary" not in row:
        return ""
    facts = [f"{row['bytes'] / 1e6:,.0f} MB", row["licence"], row["language"], "here" if row["here"] else "not here", *(["default"] if row["default"] else [])]
    return f"{row['summary']} ({', '.join(facts)})"
