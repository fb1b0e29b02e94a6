"""Behind the commands: the server, its limits and its keys."""
from __future__ import annotations

import os
import re
import signal
import socket
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Any

from ilk import registry
from ilk.errors import IlkError, PolicyError, ResourceError, UsageError, printable

if TYPE_CHECKING:
    from ilk.serve.guard import Guard
    from ilk.serve.keys import Key, Keys
    from ilk.serve.place import Workspace
    from ilk.serve.server import Server

Answer = tuple[dict[str, Any], str]
_UNITS = {"": 1, "kib": 1 << 10, "mib": 1 << 20, "gib": 1 << 30, "kb": 10**3, "mb": 10**6, "gb": 10**9}
SHORTEST = 20   # letters of a token of one's own, where others can reach the server


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """What the flags of `ilk serve` say."""

    models: Sequence[str] = ()
    host: str = "127.0.0.1"
    port: int = 8000
    token: str | None = None
    auth: bool = True
    hosts: Sequence[str] = ()
    origins: Sequence[str] = ()
    workspace: Path | None = None
    limit: Sequence[str] = ()
    memory: str | None = None
    jobs: int | None = None
    studio: bool = True
    opens: bool = False
    level: str = "info"
    prompts: bool = False


def serve_command(wanted: Wanted, say: Callable[[Answer], None]) -> None:
    """Runs until it is stopped, then ends the process: 130 after Ctrl-C, 143 after SIGTERM. `say` gets what is told once it listens."""
    _needed()
    from ilk.serve import logs
    from ilk.serve.place import Workspace

    limits, places, memory = _limits(wanted), checked(named(wanted.models)), None if wanted.memory is None else size(wanted.memory)
    with ExitStack() as stack:
        place = stack.enter_context(Workspace.at(wanted.workspace).alone())
        guard, token = _guard(wanted, place)
        listening = _bound(wanted.host, wanted.port)
        stack.callback(listening.close)
        logs.start(wanted.level, wanted.prompts)
        from ilk.serve.server import Server

        server = Server(_engine(places, place, limits, memory), place, limits, guard, parts=_parts(wanted), log_prompts=wanted.prompts, studio=wanted.studio)
        url = f"http://{_shown(wanted.host)}:{listening.getsockname()[1]}"
        code = _run(server, listening, lambda: _told(wanted, server, url, token, say))
    sys.exit(code)


def limits_command() -> Answer:
    """Every limit, its value and what it bounds."""
    from ilk.serve.limits import Limits

    rows = {name: (field.default, field.description or "") for name, field in Limits.model_fields.items()}
    width = max(map(len, rows))
    return ({"limits": {name: {"value": value, "what": what} for name, (value, what) in rows.items()}},
            "".join(f"{name:{width}}  {value:>12}  {what}\n" for name, (value, what) in rows.items()))


def new_key(name: str, scopes: Sequence[str], bounds: Mapping[str, Any], workspace: Path | None) -> Answer:
    """A key and its secret; `bounds` are rpm, budget, days."""
    key, secret = _keys(workspace).new(name, scopes or ("chat",), **bounds)
    return {**key.as_json(), "secret": secret}, f"{secret}\n{_row(key)}\nThe first line is the key. It is not kept, and not shown again."


def list_keys(workspace: Path | None) -> Answer:
    """Every key, without its secret."""
    found = _keys(workspace).all()
    return {"keys": [key.as_json() for key in found]}, "\n".join(map(_row, found)) or "no keys"


def remove_key(id: str, workspace: Path | None) -> Answer:
    """Ends a key."""
    _keys(workspace).end(id)
    return {"id": id, "ended": True}, f"{id} has ended"


def named(models: Sequence[str]) -> dict[str, str]:
    """Places by name: what is said before =, else a folder's name without its suffix, else an address without its scheme.

    >>> named(["people.ilk", "chat=echo:", "gguf:smollm2-135m-instruct"])
    {'people': 'people.ilk', 'chat': 'echo:', 'smollm2-135m-instruct': 'gguf:smollm2-135m-instruct'}
    """
    found: dict[str, str] = {}
    for word in models:
        name, equals, place = word.partition("=")
        if not equals or re.search(r"[:/\\?]", name):
            name, place = _name(word), word
        if name in found:
            raise UsageError(f"two models are named {name[:80]!r}", code="NAME", param="models", remedy="name them: one=PLACE two=PLACE")
        if not name or not name.isprintable() or len(name) > 200:
            raise UsageError(f"{name[:80]!r} is no name of a model", code="NAME", param="models", remedy="name it: NAME=PLACE")
        found[name] = place
    return found


def checked(places: Mapping[str, str]) -> Mapping[str, str]:
    """The places, if each is a model's folder or an address that can be; else what the command says of one that is not."""
    from ilk.backend import backend
    from ilk.store import read_folder

    for place in places.values():
        if ":" in place and not os.path.exists(place):
            backend(place)
        else:
            read_folder(Path(place), ("ilk.json",))
    return places


def size(said: str) -> int:
    """Bytes.

    >>> size("4GiB"), size("500 MB"), size("1024")
    (4294967296, 500000000, 1024)
    """
    found = re.fullmatch(r"(\d{1,15})\s*([A-Za-z]*)", said.strip())
    if found is None or found[2].lower() not in _UNITS or not int(found[1]):
        raise UsageError(f"{said[:40]!r} is no size", code="SIZE", param="memory-limit", remedy="such as 4GiB or 500MB")
    return int(found[1]) * _UNITS[found[2].lower()]


def _needed() -> None:
    try:
        import fastapi  # noqa: F401
        import prometheus_client  # noqa: F401
        import uvicorn  # noqa: F401
    except ImportError as why:
        raise UsageError(f"the server needs {why.name}", code="EXTRA", remedy='pip install "ilk[serve]"') from None


def _limits(wanted: Wanted) -> Any:
    from ilk.serve.limits import Limits

    said = dict(_pair(word) for word in wanted.limit)
    return Limits.of(said if not wanted.jobs else {"jobs": wanted.jobs, **said})


def _engine(places: Mapping[str, str], place: Workspace, limits: Any, memory: int | None) -> Any:
    from ilk.serve.engine import engine

    return engine(places, place, limits, memory)


def _parts(wanted: Wanted) -> tuple[Any, ...]:
    """What runs beside the routes. With --jobs 0 jobs are kept, and run by nobody here."""
    return ()


def _guard(wanted: Wanted, place: Workspace) -> tuple[Guard, str | None]:
    """Who is let in, and the token to print: one's own, or, where only this machine can ask, one that is made for this run."""
    from ilk.serve.guard import LOOPBACK, Guard, is_loopback
    from ilk.serve.keys import Keys, hashed, secret

    near, keys, token = is_loopback(wanted.host), Keys.of(place), wanted.token
    keys.begin()
    hosts, origins = frozenset((*LOOPBACK, wanted.host, *(h.lower() for h in wanted.hosts))), frozenset(o.rstrip("/").lower() for o in wanted.origins)
    if not wanted.auth and (not near or token is not None):
        raise PolicyError("without keys anybody could ask" if not near else "--no-auth and --token contradict each other", code="NO_AUTH",
                          remedy="--no-auth works on this machine only (--host 127.0.0.1)")
    if not wanted.auth:
        return Guard(keys=keys, hosts=hosts, origins=origins), None
    if not near and token is None and not any(not key.ended for key in keys.all()):
        raise PolicyError(f"{wanted.host} can be reached by others, and there is no key", code="NO_KEY", remedy="`ilk keys new NAME` first, or --token-file FILE")
    if not near and token is not None and len(token) < SHORTEST:
        raise PolicyError(f"a token of {len(token)} letters can be guessed", code="WEAK_TOKEN", remedy=f"{SHORTEST} or more, or `ilk keys new NAME`")
    token = secret() if near and token is None else token
    return Guard(True, None if token is None else hashed(token.encode()), keys, hosts, origins, near), token


def _told(wanted: Wanted, server: Server, url: str, token: str | None, say: Callable[[Answer], None]) -> None:
    models, tail = server.engine.served(), "" if token is None else f"#token={token}"
    page = f"{url}/studio/{tail}" if wanted.studio else None
    lines = [f"{len(models)} model{'s' * (len(models) != 1)} at {url}/v1", *(f"  {m.name:20} {m.place}" for m in models[:20])]
    lines += [f"studio: {page}"] if page else [f"token: {token}"] if token else []
    lines += [f"kept in {server.place.root}", "Ctrl-C ends it"]
    say(({"url": url, "studio": page, "token": token, "models": [m.name for m in models], "workspace": str(server.place.root), "pid": os.getpid()},
         printable("\n".join(lines))))
    if wanted.opens and page:
        import webbrowser

        webbrowser.open(page)


def _run(server: Server, listening: socket.socket, told: Callable[[], None]) -> int:
    """Serves until a signal, then until what runs is done; what to exit with."""
    import uvicorn

    from ilk.serve.app import build
    from ilk.serve.protocol import patient

    class Runs(uvicorn.Server):
        """Ends in two steps: after the first signal it takes no new work and waits for what runs, after the second it ends at once."""

        signal, until = 0, 0.0

        async def startup(self, sockets: list[socket.socket] | None = None) -> None:
            await super().startup(sockets)
            told()

        def handle_exit(self, sig: int, frame: FrameType | None) -> None:
            if self.signal:
                self.should_exit = self.force_exit = True
            else:
                self.signal, self.until, server.life.draining = sig, time.monotonic() + server.limits.drain_seconds, True

        async def on_tick(self, counter: int) -> bool:
            over = bool(self.signal) and (not server.admission.seated or time.monotonic() > self.until)
            return await super().on_tick(counter) or over

    config = uvicorn.Config(build(server), http=patient(server.limits), ws="none", lifespan="on", log_config=None, access_log=False, server_header=False,
                            proxy_headers=False, h11_max_incomplete_event_size=server.limits.header, timeout_graceful_shutdown=2, limit_concurrency=_files())
    runs = Runs(config)
    try:
        runs.run(sockets=[listening])
    except SystemExit:
        raise IlkError("the server could not start", code="START", remedy="its log says why") from None
    return 128 + (runs.signal or signal.SIGTERM)


def _bound(host: str, port: int) -> socket.socket:
    """A socket that listens there. What it sends waits in little memory, so that a client that never reads is noticed."""
    listening = None
    try:
        family, kind, _, _, where = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[0]
        listening = socket.socket(family, kind)
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 128 * 1024)
        listening.bind(where)
        listening.listen(1024)
        listening.setblocking(False)
    except (OSError, OverflowError, UnicodeError) as why:
        if listening is not None:
            listening.close()
        raise ResourceError(f"{host[:80]} port {port} can't be had: {getattr(why, 'strerror', None) or why}", code="PORT",
                            remedy="another --port, or --port 0 for any that is free") from None
    return listening


def _files() -> int:
    """As many connections as there can be open files, some kept back for the files themselves."""
    import resource

    most = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    return max(64, min(most, 65_536) - 256)


def _shown(host: str) -> str:
    return f"[{host}]" if ":" in host else host


def _keys(workspace: Path | None) -> Keys:
    _needed()
    from ilk.serve.keys import Keys
    from ilk.serve.place import Workspace

    return Keys.of(Workspace.at(workspace))


def _row(key: Key) -> str:
    bounds = [f"{key.rpm} a minute"] * (key.rpm is not None) + [f"{key.used} of {key.budget} tokens"] * (key.budget is not None) + ["ended"] * key.ended
    until = [] if key.expires is None else [time.strftime("until %Y-%m-%d", time.gmtime(key.expires))]
    return printable(f"{key.id}  {key.name}  {' '.join(sorted(key.scopes))}  {', '.join(bounds + until)}".rstrip())


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
