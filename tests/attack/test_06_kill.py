"""Case 6: a fit that is killed, and taken up again, ends in the same bytes; what is on disk is whole at every moment."""
from __future__ import annotations

import hashlib
import shutil
import signal
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from ilk.rng import Rng
from ilk.store import load_state

FITS = {"made": ("--family", "made", "--width", "32", "--embed", "4", "--orders", "2", "--batch", "64"), "gmm": ("--family", "gmm", "--components", "6", "--tolerance", "0"),
        "vae": ("--family", "vae", "--batch", "64")}
STEPS = ("--steps", "150")
OFTEN = {"ILK_CHECKPOINT_SECONDS": "0"}
CKPT = Path("m.ilk.ckpt")


def _table(n: int = 1500) -> None:
    x = Rng(1).normal(n, 3).tolist()
    Path("d.csv").write_text("a,b,c\n" + "".join(f"{p + q:.6f},{q * r:.6f},{'xyz'[int(abs(r) * 2) % 3]}\n" for p, q, r in x))


def _sha(out: str = "m.ilk") -> str:
    return hashlib.sha256(Path(out, "model.safetensors").read_bytes()).hexdigest()


def _whole() -> bool:
    """Whether there is a checkpoint; it loads if there is one."""
    if not CKPT.exists() and not Path("m.ilk.ckpt.old").exists():
        return False
    return bool(load_state(CKPT).tensors)


def _reference(ilk: Any, family: str) -> str:
    assert ilk.start("fit", "d.csv", *FITS[family], *STEPS, "-o", "whole.ilk").wait().code == 0
    return _sha("whole.ilk")


def _saved() -> int:
    """When the last checkpoint was kept."""
    try:
        return (CKPT / "state.json").stat().st_mtime_ns
    except FileNotFoundError:
        return 0


def _killed(ilk: Any, family: str, moments: Sequence[float]) -> int:
    """Kills a fit so many seconds after it has kept a checkpoint, and goes on from there, again and again; how many kills hit."""
    hit = 0
    for moment in moments:
        before = _saved()
        run = ilk.start("fit", "d.csv", *FITS[family], *STEPS, "-o", "m.ilk", "--resume", **OFTEN)
        until = time.monotonic() + 10
        while _saved() in (0, before) and not Path("m.ilk").exists() and time.monotonic() < until:
            time.sleep(0.002)
        time.sleep(moment)
        run.send(signal.SIGKILL)
        ended = run.wait()
        assert ended.code in (-signal.SIGKILL, 0), ended.err
        hit += ended.code != 0 and _whole()
    return hit


def _finished(ilk: Any, family: str, sha: str) -> None:
    done = ilk.start("fit", "d.csv", *FITS[family], *STEPS, "-o", "m.ilk", "--resume").wait()
    assert done.code == 0, done.err
    assert _sha() == sha
    assert not list(Path().glob("m.ilk.ckpt*")) and not list(Path().glob("m.ilk.*"))


@pytest.mark.parametrize("family", ["made", "gmm"])
def test_three_kills(ilk: Any, family: str) -> None:
    _table()
    sha = _reference(ilk, family)
    assert _killed(ilk, family, [0.15, 0.033, 0.081]) == 3
    _finished(ilk, family, sha)


@pytest.mark.slow
@pytest.mark.parametrize("family", FITS)
def test_sixty_kills(ilk: Any, family: str) -> None:
    _table()
    sha = _reference(ilk, family)
    moments, hit = (0.2 * Rng(6).child(family).uniform(60)).tolist(), 0
    for some in range(0, 60, 4):
        hit += _killed(ilk, family, moments[some:some + 4])
        _finished(ilk, family, sha)
        shutil.rmtree("m.ilk")
    assert hit >= 50


DIES = """
import os
left = [%d]
def deadly(name):
    real = getattr(os, name)
    def call(*args, **more):
        left[0] -= 1
        if left[0] < 0: os.kill(os.getpid(), 9)
        return real(*args, **more)
    setattr(os, name, call)
for name in ("fsync", "rename", "mkdir", "rmdir", "unlink"): deadly(name)
"""


def test_a_save_killed_at_every_step(ilk: Any) -> None:
    """Whatever call of a save is the last one, the folder holds the old model or the new one, whole."""
    _table(100)
    words = ("fit", "d.csv", "--family", "gmm", "--components", "1", "--steps", "2", "-o", "m.ilk")
    assert ilk.start(*words, "--seed", "1").wait().code == 0
    shutil.copytree("m.ilk", "kept")
    old, seen, step = _sha(), set(), 0
    while (ended := ilk.start(*words, "--seed", "2", before=DIES % step).wait()).code:
        assert ended.code == -signal.SIGKILL, ended.err
        seen.add('"seed": 1' in ilk.ok("show", "m.ilk", "--json").out)
        if Path("m.ilk").exists() and _sha() != old:   # what is left beside it stays, for the next save to deal with
            shutil.rmtree("m.ilk")
            shutil.copytree("kept", "m.ilk")
        step += 1
    assert seen == {True, False} and step >= 8 and _sha() != old
    assert {p.name for p in Path().iterdir()} == {"d.csv", "kept", "m.ilk", ".out", ".err"}


def _stopped(ilk: Any, *numbers: int, family: str = "made", **env: str) -> Any:
    run = ilk.start("fit", "d.csv", *FITS[family], "--steps", "100000", "-o", "m.ilk", **{**OFTEN, **env})
    until = time.monotonic() + 20
    while not CKPT.exists() and time.monotonic() < until:
        time.sleep(0.01)
    for number in numbers:
        run.send(number)
    return run.wait()


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_asked_to_stop(ilk: Any, number: int, code: int) -> None:
    _table(300)
    ran = _stopped(ilk, number).refused(code, "STOPPED")
    assert "--resume" in ran.err and _whole() and not Path("m.ilk").exists()


SLOW = """
import time, ilk.train.loop as loop
step = loop.Loop._step
def slow(self, fraction):
    found = step(self, fraction)
    if self.step == 5:
        open("asleep", "w").close()
        time.sleep(30)
    return found
loop.Loop._step = slow
"""


def test_ctrl_c_twice(ilk: Any) -> None:
    """The second one does not wait for the step to end."""
    _table(300)
    run = ilk.start("fit", "d.csv", *FITS["made"], *STEPS, "-o", "m.ilk", before=SLOW, **OFTEN)
    until = time.monotonic() + 20
    while not Path("asleep").exists() and time.monotonic() < until:
        time.sleep(0.01)
    run.send(signal.SIGINT)
    time.sleep(0.2)
    start = time.monotonic()
    run.send(signal.SIGINT)
    run.wait().refused(130, "STOPPED")
    assert time.monotonic() - start < 5 and load_state(CKPT).facts["state"]["step"] == 5


def test_ctrl_c_before_anything(ilk: Any) -> None:
    _table(300)
    before = ("import os, signal, time, ilk.verbs.read, ilk.console.learn as c; signal.signal(2, signal.default_int_handler); "   # a runner's own shell may ignore it
              "c.read = lambda *a: (os.kill(os.getpid(), signal.SIGINT), time.sleep(9))")
    ran = ilk.start("fit", "d.csv", before=before).wait()
    assert ran.code == 130 and "Traceback" not in ran.err and not Path("d.ilk").exists()


OTHERS = {"option": ("--width", "40"), "seed": ("--seed", "1"), "batch": ("--batch", "32"), "steps": ("--steps", "99"), "rate": ("--rate", ".1"),
    "family": ("--family", "vae")}


def test_resume_of_another_fit(ilk: Any) -> None:
    _table(300)
    _stopped(ilk, signal.SIGTERM)
    same = ("fit", "d.csv", "-o", "m.ilk", "--resume", *FITS["made"], "--steps", "100000")
    for name, words in OTHERS.items():
        cut = [w for i, w in enumerate(same) if words[0] not in (w, same[i - 1])] if name != "family" else ["fit", "d.csv", "-o", "m.ilk", "--resume", "--steps", "100000"]
        ilk.refuses(3, "CHECKPOINT", *cut, *words)
    data = Path("d.csv").read_text()
    Path("d.csv").write_text(data + "1.5,2.5,x\n")
    ilk.refuses(3, "CHECKPOINT", *same)
    Path("d.csv").write_text(data)
    for name in ("state.safetensors", "state.json", "SHA256SUMS"):
        whole = (CKPT / name).read_bytes()
        (CKPT / name).write_bytes(whole[:len(whole) // 2])
        ilk.refuses(4, "MODEL_DAMAGED", *same)
        (CKPT / name).write_bytes(whole)
