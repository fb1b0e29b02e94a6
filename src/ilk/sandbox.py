"""Where code of others is run: no environment, no network, no files but its own, and limits; where nothing can hold it, it is not run at all.

A limit of the process alone would leave files and network open, so that there is no way without Landlock and seccomp (sandlock) or namespaces (bubblewrap).
"""
from __future__ import annotations

import os
import re
import selectors
import shutil
import socket
import subprocess
import sys
import sysconfig
import tempfile
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated, Any, Literal, Protocol

from annotated_types import Interval

from .errors import PolicyError, UsageError

Reason = Literal["", "time", "memory", "processes", "output", "disk", "denied"]
MAIN = "main.py"
# Runs in the box before anything else: what a file may grow to, no dumps of memory, and the folder as the only place to import from.
_BEGIN = """import resource, runpy, sys
for what, most in zip(sys.argv[1::2], sys.argv[2::2]):
    resource.setrlimit(getattr(resource, 'RLIMIT_' + what), (int(most), int(most)))
sys.argv, sys.path[:0] = ['main.py'], ['.']
runpy.run_path('main.py', run_name='__main__')"""
# What Python says last when it runs into the box.
_SAID: tuple[tuple[str, Reason], ...] = (
    (r"MemoryError|Cannot allocate memory", "memory"), (r"BlockingIOError|can't start new thread|Resource temporarily unavailable", "processes"),
    (r"File too large|No space left", "disk"), (r"PermissionError|Read-only file system|Network is unreachable|Operation not permitted", "denied"))


@dataclass(frozen=True, kw_only=True)
class Limits:
    """What a run may take: seconds, bytes of memory, of output and on disk, and how many processes."""

    seconds: Annotated[float, Interval(gt=0, le=600)] = 5.0
    memory: Annotated[int, Interval(ge=1 << 24)] = 256 << 20
    processes: Annotated[int, Interval(ge=1, le=1000)] = 8
    output: Annotated[int, Interval(ge=1)] = 1 << 20
    disk: Annotated[int, Interval(ge=1)] = 64 << 20


@dataclass(frozen=True)
class Ran:
    """How a run ended: its exit code (None: it was ended), what it ran into ("" for nothing), what it wrote, and the seconds it took."""

    exit: int | None
    reason: Reason
    out: str
    err: str
    seconds: float


class Sandbox(Protocol):
    """Runs Python code with files beside it (name -> text) and nothing else to see."""

    def run(self, code: str, files: Mapping[str, str], limits: Limits) -> Ran: ...


@cache
def sandbox() -> Sandbox:
    """The first that proves on this machine that it holds; PolicyError where none does: then nothing is run.

    >>> sandbox().run("print(1 + 1)", {}, Limits()).out   # doctest: +SKIP
    '2\\n'
    """
    for kind in (Sandlock, Bubblewrap):
        if kind.there() and holds(found := kind()):
            return found
    raise PolicyError("there is nothing here that can hold code of others, so it is not run", code="NO_SANDBOX",
                      remedy='on Linux: pip install "ilk[sandbox]", or bubblewrap from the system\'s packages')


def holds(box: Sandbox) -> bool:
    """Whether code in it gets at neither a file outside, nor the environment, nor a port of this machine, and what is allowed works."""
    with tempfile.TemporaryDirectory() as at, socket.create_server(("127.0.0.1", 0)) as server:
        secret = Path(at) / "secret"
        secret.write_text("secret", encoding="utf-8")
        code = _PROBE.format(path=str(secret), port=server.getsockname()[1])
        with suppress(OSError, RuntimeError, ValueError):
            return box.run(code, {"beside.txt": "here"}, Limits()).out == "here held held 0\n"
    return False


_PROBE = """
import os, socket
def tried(what):
    try:
        what()
    except OSError:
        return 'held'
    return 'open'
print(open('beside.txt').read(), tried(lambda: open({path!r}).read()), tried(lambda: socket.create_connection(('127.0.0.1', {port}), 1)),
      len(set(os.environ) - {{'LC_CTYPE', 'PWD'}}))
"""


@dataclass(frozen=True)
class _Started:
    """A run under way: the ends of its pipes, how to end it, and how to learn its exit code (negative: it was ended)."""

    pipes: tuple[int, int]
    end: Callable[[], object]
    code: Callable[[], int]
    close: Callable[[], object]


class Sandlock:
    """Landlock and seccomp in a process of its own, without root or namespaces (the library sandlock)."""

    @staticmethod
    def there() -> bool:
        """Whether the library is installed, on a kernel that has Landlock."""
        if sys.platform != "linux" or find_spec("sandlock") is None:
            return False
        import sandlock

        return int(sandlock.landlock_abi_version()) >= int(sandlock.min_landlock_abi())

    def run(self, code: str, files: Mapping[str, str], limits: Limits) -> Ran:
        """What the code did."""
        return _boxed(self._start, code, files, limits)

    def _start(self, at: Path, limits: Limits) -> _Started:
        import sandlock

        box = sandlock.Sandbox(fs_readable=_read(), fs_writable=[str(at)], cwd=str(at), clean_env=True, env={}, max_memory=limits.memory,
                               max_processes=limits.processes, max_open_files=64, no_coredump=True)
        mode = sandlock.StdioMode
        run: Any = box.popen(_words(limits), stdin=mode.NULL, stdout=mode.PIPED, stderr=mode.PIPED)
        return _Started((run.stdout.fileno(), run.stderr.fileno()), run.kill, lambda: int(run.wait().exit_code), lambda: run.__exit__(None, None, None))


class Bubblewrap:
    """Namespaces of its own (the program bwrap), with limits of the process for memory and processes."""

    @staticmethod
    def there() -> bool:
        """Whether the program is installed, and this is not root, whom no limit of processes holds."""
        return sys.platform == "linux" and os.geteuid() != 0 and shutil.which("bwrap") is not None

    def run(self, code: str, files: Mapping[str, str], limits: Limits) -> Ran:
        """What the code did."""
        return _boxed(self._start, code, files, limits)

    def _start(self, at: Path, limits: Limits) -> _Started:
        seen = [word for place in _read() for word in ("--ro-bind", place, place)]
        words = [str(shutil.which("bwrap")), "--unshare-all", "--unshare-user", "--uid", "65534", "--gid", "65534", "--cap-drop", "ALL", "--die-with-parent", "--new-session",
                 "--clearenv", *seen, "--bind", str(at), "/box", "--chdir", "/box", *_words(limits, AS=limits.memory, NPROC=limits.processes)]
        run = subprocess.Popen(words, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env={}, start_new_session=True)
        return _Started((run.stdout.fileno(), run.stderr.fileno()), run.kill, run.wait, lambda: run.__exit__(None, None, None))  # type: ignore[union-attr]


def _read() -> list[str]:
    """Python and the libraries of the system, to read only: no packages of this installation."""
    home = sysconfig.get_paths(vars={"base": sys.base_prefix, "installed_base": sys.base_prefix, "platbase": sys.base_prefix})["stdlib"]
    own = [str(Path(sys.base_prefix).resolve() / part) for part in ("bin", "lib")] if sys.base_prefix != "/usr" else ["/usr/bin"]
    return [place for place in dict.fromkeys([*own, home, "/usr/lib", "/usr/lib64", "/lib", "/lib64"]) if os.path.exists(place)]


def _words(limits: Limits, **more: int) -> list[str]:
    most = {"FSIZE": limits.disk, "CORE": 0, **more}
    python = Path(sys.base_prefix).resolve() / "bin" / f"python{sys.version_info[0]}.{sys.version_info[1]}"
    return [str(python), "-I", "-S", "-B", "-X", "utf8", "-c", _BEGIN, *(word for name, n in most.items() for word in (name, str(n)))]


def _boxed(start: Callable[[Path, Limits], _Started], code: str, files: Mapping[str, str], limits: Limits) -> Ran:
    """A run in a private folder that is gone after it."""
    with tempfile.TemporaryDirectory(prefix="ilk-box-", ignore_cleanup_errors=True) as name:
        at = Path(name)
        for file, text in {**files, MAIN: code}.items():
            if not re.fullmatch(r"[\w-][\w.-]{0,99}", file):
                raise UsageError(f"{file[:40]!r} is no plain name of a file", code="FILE", param="files")
            (at / file).write_text(text, encoding="utf-8", errors="replace")
        begun = time.monotonic()
        run = start(at, limits)
        try:
            out, err, reason = _watched(run, at, begun + limits.seconds, limits)
            if reason:
                run.end()
            exit = run.code()
        finally:
            run.end()
            run.close()
        return _told(Ran(None if reason else exit, reason, out, err, time.monotonic() - begun))


def _watched(run: _Started, at: Path, until: float, limits: Limits) -> tuple[str, str, Reason]:
    """Reads what is written until both pipes end, or one limit is reached."""
    got: dict[int, bytearray] = {pipe: bytearray() for pipe in run.pipes}
    reason: Reason = ""
    with selectors.DefaultSelector() as pipes:
        for pipe in run.pipes:
            pipes.register(pipe, selectors.EVENT_READ)
        while pipes.get_map() and not reason:
            for key, _ in pipes.select(0.05):
                piece = os.read(key.fd, 1 << 16)
                got[key.fd] += piece
                if not piece:
                    pipes.unregister(key.fd)
            reason = _over(got, at, until, limits)
    out, err = (bytes(got[pipe][:limits.output]).decode("utf-8", "replace") for pipe in run.pipes)
    return out, err, reason


def _over(got: Mapping[int, bytearray], at: Path, until: float, limits: Limits) -> Reason:
    if sum(map(len, got.values())) > limits.output:
        return "output"
    if time.monotonic() > until:
        return "time"
    return "disk" if _size(at) > limits.disk else ""


def _size(at: Path) -> int:
    """Bytes under a folder; a file counts for one block at least, and links are not followed."""
    total, rest = 0, [str(at)]
    while rest:
        with suppress(OSError), os.scandir(rest.pop()) as found:
            for entry in found:
                with suppress(OSError):
                    total += max(4096, entry.stat(follow_symlinks=False).st_blocks * 512)
                    if entry.is_dir(follow_symlinks=False):
                        rest.append(entry.path)
    return total


def _told(ran: Ran) -> Ran:
    """With what it ran into: killed by nobody here is killed for memory, the rest stands in the last line of the traceback."""
    if ran.reason or ran.exit == 0:
        return ran
    last = next((line for line in reversed(ran.err.splitlines()) if line.strip()), "")
    reason: Reason = "memory" if ran.exit is None or ran.exit < 0 else next((what for said, what in _SAID if re.search(said, last)), "")
    return replace(ran, exit=None if ran.exit is not None and ran.exit < 0 else ran.exit, reason=reason)

