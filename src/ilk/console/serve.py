"""Behind the commands: the server."""
from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ilk import registry
from ilk.errors import UsageError


def serve_command(models: Sequence[str], host: str, port: int, workspace: Path | None, limit: Sequence[str]) -> None:
    """Runs until it is stopped."""
    try:
        import uvicorn

        from ilk.serve.app import build
    except ImportError:
        raise UsageError("the server needs fastapi and uvicorn", code="EXTRA", remedy='pip install "ilk[serve]"') from None
    from ilk.serve.engine import engine
    from ilk.serve.limits import Limits
    from ilk.serve.place import Workspace
    from ilk.serve.server import Server

    place, limits = Workspace.at(workspace), Limits.of(dict(_pair(word) for word in limit))
    server = Server(engine(named(models), place, limits), place, limits)
    uvicorn.run(build(server), host=host, port=port, log_level="warning")


def named(models: Sequence[str]) -> dict[str, str]:
    """Places by name: what is said before =, else a folder's name without its suffix, else an address without its scheme.

    >>> named(["people.ilk", "chat=echo:", "gguf:smollm2-135m-instruct"])
    {'people': 'people.ilk', 'chat': 'echo:', 'smollm2-135m-instruct': 'gguf:smollm2-135m-instruct'}
    """
    found: dict[str, str] = {}
    for word in models:
        name, equals, place = word.partition("=")
        if not equals or ":" in name or "/" in name:
            name, place = _name(word), word
        if name in found:
            raise UsageError(f"two models are named {name[:80]!r}", code="NAME", param="models", remedy="name them: one=PLACE two=PLACE")
        found[name] = place
    return found


def _name(place: str) -> str:
    scheme, colon, rest = place.partition(":")
    if colon and scheme in registry.names("backends"):
        return rest.partition("?")[0] or scheme
    return Path(place).stem


def _pair(word: str) -> tuple[str, Any]:
    name, equals, value = word.partition("=")
    if not equals:
        raise UsageError(f"{word[:80]!r} is no limit", code="LIMIT", param="limit", remedy="--limit NAME=VALUE; `ilk limits` lists them")
    return name, value
