"""What a shell does to a command: pipes that break, outputs that are closed or full, odd locales, no home, impatience."""
from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

HEAVY = ("torch", "numpy", "polars", "sklearn", "scipy", "matplotlib", "pydantic")


def _shell(line: str, **env: str | None) -> subprocess.CompletedProcess[bytes]:
    """A line of bash in which `ilk` is the command."""
    whole = {k: v for k, v in {**os.environ, "OMP_NUM_THREADS": "1", **env}.items() if v is not None}
    return subprocess.run(["bash", "-c", f'ilk() {{ "{sys.executable}" -m ilk "$@"; }}; {line}'], capture_output=True, env=whole, timeout=120)


def test_broken_pipe(ilk: Any, model: Path) -> None:
    done = _shell("ilk sample gmm.ilk -n 100000 | head -1; ilk list families | true")
    assert done.stdout == b"a,b,c\n" and done.stderr == b""


@pytest.mark.parametrize(("line", "code"), [("ilk list families >&-", 5), ("ilk list families > /dev/full", 5), ("ilk list families 2>&-", 0),
    ("ilk list familes > /dev/full", 2),
                                            ("ilk list families --json > /dev/full", 5), ("ilk list familes 2> /dev/full", 2), ("ilk list families <&-", 0)])
def test_closed_or_full(ilk: Any, line: str, code: int) -> None:
    done = _shell(line)
    assert done.returncode == code, done.stderr
    assert b"Traceback" not in done.stderr and b"Exception ignored" not in done.stderr and done.stderr.count(b"\n") <= 1


@pytest.fixture
def chinese(ilk: Any) -> None:
    """A model whose every name is Chinese."""
    Path("d.csv").write_text("城市,n\n" + "北京,1\n上海,2\n" * 20, "utf-8")
    ilk.ok("fit", "d.csv", "--family", "gmm", "--components", "1", "--steps", "2", "-o", "m.ilk")


@pytest.mark.parametrize("env", [{"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}, {"PYTHONIOENCODING": "ascii", "LC_ALL": "POSIX"}])
def test_locales(ilk: Any, chinese: None, env: dict[str, str]) -> None:
    """Whatever the locale says, what is printed is UTF-8, and what can't be is escaped."""
    done = _shell("ilk sample m.ilk; ilk list 城市", **env)
    assert "城市,n\n" in done.stdout.decode("utf-8") and "上海" in done.stdout.decode("utf-8") and b"Traceback" not in done.stderr
    assert done.returncode == 2 and done.stderr.startswith(b"ilk: error[USAGE]") and done.stderr.count(b"\n") == 1, done.stderr


def test_names_that_are_no_text(ilk: Any) -> None:
    """A file may be named by any bytes."""
    name = os.fsdecode(b"d\xff\xfe.csv")
    Path(name).write_text("a,b\n" + "".join(f"{i % 9},{i % 4}\n" for i in range(90)))
    ilk.ok("fit", name, "--family", "gmm", "--components", "1", "--steps", "2", "-o", os.fsdecode(b"m\xff.ilk"))
    ilk.ok("sample", os.fsdecode(b"m\xff.ilk"), "--out", os.fsdecode(b"n\xff.csv"))
    ilk.ok("evaluate", os.fsdecode(b"m\xff.ilk"), "--metric", "nats")


def test_homes(ilk: Any, chinese: None) -> None:
    """None, and one that can't be written."""
    done = _shell("ilk list data > /dev/null && ilk sample m.ilk -n 1 && HOME=/proc ilk fit d.csv --family gmm --components 1 --steps 1 -o new.ilk",
                  HOME=None, XDG_CACHE_HOME=None, XDG_DATA_HOME=None, ILK_CACHE=None, MPLCONFIGDIR=None)
    assert done.returncode == 0 and done.stderr == b"", done.stderr


def test_a_folder_that_is_gone(ilk: Any, model: Path) -> None:
    done = _shell(f"mkdir gone; cd gone; rmdir ../gone; ilk list families > /dev/null && ilk fit {ilk.at}/a.csv --family gmm --components 1 --steps 1; echo $?")
    assert b"Traceback" not in done.stderr and done.stdout in (b"2\n", b"5\n"), done


@pytest.mark.parametrize("words", [("-c", "import ilk"), ("-m", "ilk", "--help"), ("-m", "ilk", "list", "families"), ("-m", "ilk", "--version")])
def test_quick_and_light(words: tuple[str, ...]) -> None:
    """0.4 s on a quiet machine; twice that is allowed on a noisy one."""
    told = subprocess.run([sys.executable, "-X", "importtime", *words], capture_output=True, text=True, check=True)
    loaded = {line.rsplit("|", 1)[-1].strip().split(".")[0] for line in told.stderr.splitlines()}
    assert loaded.isdisjoint(HEAVY), loaded & set(HEAVY)
    spent = []
    for _ in range(3):
        start = time.monotonic()
        subprocess.run([sys.executable, *words], capture_output=True, check=True)
        spent.append(time.monotonic() - start)
    assert min(spent) <= 0.8, spent


def test_words_without_a_command(ilk: Any) -> None:
    assert "fit" in ilk.ok().out and "fit" in ilk.ok("--help").out and ilk.ok("--version").out.strip()
    ilk("").refused(2, "USAGE")
    ilk("--json").refused(2, "USAGE") if ilk("--json").code else None
    ilk("fit", "--\x00").refused(2, "USAGE")


def test_debug_shows_where(ilk: Any) -> None:
    ran = ilk("show", "no.ilk", "--debug")
    assert ran.code == 4 and "Traceback" in ran.err and ran.err.rstrip().split("\n")[-1].startswith("ilk: error[NOT_FOUND]")
