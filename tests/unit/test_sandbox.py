"""Code of others in a box: what an attack gets at, what ends it, and how soon; and that nothing is run where nothing holds."""
from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from ilk import sandbox as boxes
from ilk.errors import PolicyError, UsageError
from ilk.sandbox import Bubblewrap, Limits, Ran, Sandbox, Sandlock, holds

LIMITS = Limits(seconds=1)
KINDS = [pytest.param(kind(), id=kind.__name__, marks=pytest.mark.skipif(not kind.there(), reason="not installed")) for kind in (Sandlock, Bubblewrap)]
# Each attack, and what may be told of it.
ATTACKS = {
    "loop": ("while 1: pass", {"time"}),
    "fork bomb": ("import os\nwhile 1:\n  os.fork()", {"processes", "time"}),
    "memory": ("x = bytearray(2 << 30); print(len(x))", {"memory"}),
    "big file": ("f = open('big', 'wb')\nfor i in range(10000): f.write(b'x' * (1 << 20))", {"disk"}),
    "many files": ("for i in range(10**6):\n  open(f'f{i}', 'w').close()", {"disk", "time"}),
    "print for ever": ("while 1: print('x' * 1000)", {"output"}),
    "socket": ("import socket; socket.create_connection(('127.0.0.1', 9), 1)", {"denied", ""}),
    "datagram": ("import socket; socket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendto(b'x', ('192.0.2.1', 53))", {"denied", ""}),
    "write outside": ("open('/usr/lib/x', 'w').write('x')", {"denied", ""}),
    "environment of another": ("import os; print(open('/proc/1/environ').read())", {"denied", ""}),
    "kill the parent": ("import os; p = os.getppid(); os.kill(p, 9) if p > 1 else os.kill(os.getpid() + 10**5, 9)", {"denied", ""}),
    "ptrace": ("import ctypes, os, sys; sys.exit(ctypes.CDLL(None).ptrace(16, os.getppid(), 0, 0) != -1 or 3)", {"denied", "", "time"}),
    "memory of another": ("import os; print(open(f'/proc/{os.getppid()}/mem', 'rb').read(1))", {"denied", ""}),
    "sitecustomize": ("import os, sys; open(os.path.join(sys.prefix, 'lib', 'sitecustomize.py'), 'w').write('x')", {"denied", ""}),
    "sleep in a child": ("import os, time\nif not os.fork():\n  os.setsid()\n  time.sleep(60)", {"time", ""}),
}


def ran(box: Sandbox, code: str, files: dict[str, str] | None = None, limits: Limits = LIMITS) -> Ran:
    begun = time.monotonic()
    found = box.run(code, files or {}, limits)
    assert time.monotonic() - begun < limits.seconds + 1
    return found


@pytest.mark.parametrize("box", KINDS)
def test_it_runs_what_it_is_given(box: Sandbox) -> None:
    found = ran(box, "import sys, beside\nprint(beside.x + len(open('a.txt').read()))\nprint('no', file=sys.stderr)\nsys.exit(3)", {"beside.py": "x = 40", "a.txt": "é2"})
    assert (found.exit, found.reason, found.out, found.err) == (3, "", "42\n", "no\n") and holds(box)


@pytest.mark.parametrize("name", ATTACKS)
@pytest.mark.parametrize("box", KINDS)
def test_attacks_are_held(box: Sandbox, name: str) -> None:
    code, reasons = ATTACKS[name]
    found = ran(box, code)
    assert found.reason in reasons and (found.exit != 0 or name == "sleep in a child"), found
    assert len(found.out) <= LIMITS.output


@pytest.mark.parametrize("box", KINDS)
def test_neither_environment_nor_files_are_seen(box: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOME_TOKEN", "hush-hush")
    (tmp_path / "secret").write_text("hush-hush")
    code = f"""
import os
os.symlink({str(tmp_path / "secret")!r}, 'link')
print(dict(os.environ))
for path in ({str(tmp_path / "secret")!r}, 'link', f'/proc/{{os.getppid()}}/environ', '/proc/1/environ', '/etc/shadow', {os.path.expanduser("~/.bashrc")!r}):
    try:
        print(path, open(path).read())
    except OSError:
        print('held')
"""
    found = ran(box, code)
    assert "hush" not in found.out + found.err and found.out.count("held") == 6


@pytest.mark.parametrize("box", KINDS)
def test_nothing_of_a_run_is_left(box: Sandbox) -> None:
    at = ran(box, "import os; open('kept', 'w').write('x'); print(os.path.exists('kept'), os.getcwd())").out
    assert at.startswith("True") and ran(box, "import os; print(sorted(os.listdir('.')))").out == "['main.py']\n"


@pytest.mark.parametrize("name", ["../x.py", "/x.py", "a/b.py", "", ".pth"])
def test_names_of_files_are_plain(name: str) -> None:
    with pytest.raises(UsageError, match="plain name"):
        Bubblewrap().run("", {name: ""}, LIMITS)


class Open:
    """No box at all: what a limit of time alone would be."""

    @staticmethod
    def there() -> bool:
        return True

    def run(self, code: str, files: dict[str, str], limits: Limits) -> Ran:
        return Ran(0, "", "here open open 30\n", "", 0.0)


def test_what_does_not_hold_is_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(boxes, "Sandlock", Open)
    monkeypatch.setattr(boxes, "Bubblewrap", Open)
    with pytest.raises(PolicyError, match="sandbox"):
        boxes.sandbox.__wrapped__()
