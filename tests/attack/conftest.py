"""How attacks are run: in this process where nothing can die, forked from a warm process where something shall, anew where the process itself is tried."""
from __future__ import annotations

import hashlib
import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")
WARM = """
import json, os, sys
import ilk.cli, ilk.console.edit, ilk.console.judge, ilk.console.learn, ilk.console.make, ilk.console.keep
import ilk.families.gmm, ilk.families.made, ilk.families.ngram, ilk.catalogue
for line in sys.stdin:
    ask = json.loads(line)
    if not (pid := os.fork()):
        os.chdir(ask["at"]); os.environ.update(ask["env"])
        for n, name in ((0, os.devnull), (1, ask["out"]), (2, ask["err"])):
            os.dup2(os.open(name, os.O_RDONLY if n == 0 else os.O_WRONLY | os.O_CREAT | os.O_TRUNC), n)
        sys.stdin = open(0)
        exec(ask["before"])
        os._exit(ilk.cli.main(ask["words"]))
    print(pid, flush=True)
    print(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), flush=True)
"""


@dataclass(frozen=True)
class Ran:
    """What a command answered."""

    code: int
    out: str
    err: str

    def refused(self, exit: int, code: str, rule: bool = False) -> Ran:
        """It failed as every command must: this exit, one line with this code, no traceback, no control character."""
        said = f"exit {self.code}\n{self.err}\n{self.out}"
        first, *more = self.err.rstrip("\n").split("\n")
        assert self.code == exit and re.match(rf"ilk: error\[({code})\]: \S", first), said
        assert all(line.startswith("  ") for line in more) and len(more) == (2 if rule else 0), said
        assert "Traceback" not in self.err + self.out and not CONTROL.search(self.err + self.out), said
        assert not re.search(r"0x[0-9a-f]{6}", self.err), said
        return self


class Ilk:
    """The command, in a folder of its own."""

    def __init__(self, at: Path, capture: pytest.CaptureFixture[str], warm: Warm) -> None:
        self.at, self._capture, self._warm = at, capture, warm

    def __call__(self, *words: object) -> Ran:
        """Runs it in this process."""
        from ilk.cli import main

        self._capture.readouterr()
        pipe = signal.getsignal(signal.SIGPIPE)
        try:
            code = main([str(w) for w in words])
        except SystemExit as why:
            code = int(why.code or 0)
        finally:
            signal.signal(signal.SIGPIPE, pipe)
        got = self._capture.readouterr()
        return Ran(code, got.out, got.err)

    def ok(self, *words: object) -> Ran:
        """Runs it and wants no error."""
        ran = self(*words)
        assert ran.code == 0, ran.err
        return ran

    def refuses(self, exit: int, code: str, *words: object, rule: bool = False) -> Ran:
        """It is refused, as text and as JSON, and nothing in the folder is touched."""
        before = digest(self.at)
        ran = self(*words).refused(exit, code, rule)
        told = self(words[0], "--json", *words[1:]).refused(exit, code, rule)
        assert digest(self.at) == before, "something was written"
        error = json.loads(told.out)["error"]
        assert set(error) == {"message", "type", "param", "code"} and f"ilk: error[{error['code']}]: {error['message']}" == ran.err.rstrip("\n")
        return ran

    def start(self, *words: object, before: str = "", **env: str) -> Started:
        """A process of its own, forked from a warm one: it can be killed."""
        return self._warm.start(self.at, [str(w) for w in words], before, env)

    def process(self, *words: object, timeout: float = 120, **popen: Any) -> Ran:
        """A process of its own, begun anew."""
        done = subprocess.run([sys.executable, "-m", "ilk", *map(str, words)], cwd=self.at, capture_output=True, timeout=timeout, **popen)
        return Ran(done.returncode, done.stdout.decode(), done.stderr.decode())


@dataclass
class Started:
    """A command that runs."""

    warm: Warm
    at: Path
    pid: int

    def send(self, number: int) -> None:
        """A signal; nothing if it has ended (the warm process has not told yet, so the number is still its own or nobody's)."""
        with suppress(ProcessLookupError):
            os.kill(self.pid, number)

    def wait(self) -> Ran:
        """What it answered; a negative code is the signal that ended it."""
        code = int(self.warm.process.stdout.readline())
        return Ran(code, (self.at / ".out").read_text(), (self.at / ".err").read_text())


class Warm:
    """A process that has imported everything and forks on demand, one child at a time."""

    def __init__(self) -> None:
        self.process: Any = subprocess.Popen([sys.executable, "-c", WARM], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
                                             env={**os.environ, "OMP_NUM_THREADS": "1"})

    def start(self, at: Path, words: Sequence[str], before: str, env: Mapping[str, str]) -> Started:
        ask = {"at": str(at), "words": list(words), "before": before, "env": dict(env), "out": str(at / ".out"), "err": str(at / ".err")}
        self.process.stdin.write(json.dumps(ask) + "\n")
        self.process.stdin.flush()
        return Started(self, at, int(self.process.stdout.readline()))


def digest(folder: Path) -> dict[str, str]:
    """Every file below a folder and the hash of its bytes; what the command said is left out."""
    return {str(p.relative_to(folder)): hashlib.sha256(p.read_bytes()).hexdigest() if p.is_file() else "folder"
            for p in sorted(folder.rglob("*")) if p.name not in (".out", ".err")}


@pytest.fixture(scope="session")
def warm() -> Iterator[Warm]:
    found = Warm()
    yield found
    found.process.stdin.close()
    found.process.wait(30)
    found.process.stdout.close()


@pytest.fixture
def ilk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], warm: Warm) -> Ilk:
    monkeypatch.chdir(tmp_path)
    return Ilk(tmp_path, capsys, warm)


@pytest.fixture(name="digest")
def _digest() -> Any:
    return digest


def rows(n: int = 200) -> str:
    """A small table as CSV: a whole number, a category, a continuous number."""
    from math import sin

    return "a,b,c\n" + "".join(f"{i % 7},{'xyz'[i % 3]},{sin(i * 1.7) + sin(i * i):.12f}\n" for i in range(n))


@pytest.fixture(scope="session")
def fitted(tmp_path_factory: pytest.TempPathFactory, warm: Warm) -> Path:
    """A folder with a.csv and what was fitted on it: gmm.ilk and made.ilk. To be copied from, never changed."""
    at = tmp_path_factory.mktemp("fitted")
    (at / "a.csv").write_text(rows())
    for family, more in (("gmm", ["--components", "2", "--steps", "5"]), ("made", ["--width", "16", "--embed", "4", "--depth", "1", "--steps", "20"])):
        ran = warm.start(at, ["fit", "a.csv", "--family", family, *more, "-o", f"{family}.ilk"], "", {}).wait()
        assert ran.code == 0, ran.err
    return at


@pytest.fixture
def model(fitted: Path, tmp_path: Path) -> Path:
    """A copy of a fitted mixture, to be attacked; a.csv is beside it."""
    import shutil

    shutil.copytree(fitted, tmp_path, dirs_exist_ok=True)
    return tmp_path / "gmm.ilk"
