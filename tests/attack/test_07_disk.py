"""Case 7: a full disk, a folder that can't be written, too little memory. One line, exit 5, and what was there stays whole."""
from __future__ import annotations

import errno
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ilk import cli

FULL = "import resource; resource.setrlimit(resource.RLIMIT_FSIZE, (%d, resource.RLIM_INFINITY))"
SCANT = """
import os, resource
used = int(open("/proc/self/statm").read().split()[0]) * os.sysconf("SC_PAGE_SIZE")
resource.setrlimit(resource.RLIMIT_AS, (used + (%d << 20), resource.RLIM_INFINITY))
"""
MADE = ("fit", "a.csv", "--family", "made", "--width", "64", "--steps", "100000", "-o", "m.ilk")


def names(folder: Path) -> set[str]:
    return {p.name for p in folder.iterdir()} - {".out", ".err"}


def test_full_while_saving(ilk: Any, model: Path, digest: Any) -> None:
    before = digest(ilk.at)
    said = ilk.start("fit", "a.csv", "--family", "gmm", "--components", "8", "--steps", "2", "-o", "gmm.ilk", before=FULL % 1500).wait().refused(5, "DISK_FULL")
    assert "needs" in said.err and "free" in said.err
    assert digest(ilk.at) == before
    ilk.ok("show", "gmm.ilk")
    ilk.start("fit", "a.csv", "--family", "gmm", "--components", "8", "--steps", "2", "-o", "new.ilk", before=FULL % 1500).wait().refused(5, "DISK_FULL")
    assert digest(ilk.at) == before


def test_full_while_keeping_a_checkpoint(ilk: Any, model: Path, digest: Any) -> None:
    """The checkpoint of before is whole, and the fit goes on from it once there is room."""
    run = ilk.start(*MADE, ILK_CHECKPOINT_SECONDS="0")
    until = time.monotonic() + 20
    while not Path("m.ilk.ckpt").exists() and time.monotonic() < until:
        time.sleep(0.01)
    run.send(signal.SIGTERM)
    run.wait().refused(143, "STOPPED")
    before = digest(ilk.at)
    ilk.start(*MADE, "--resume", before=FULL % 3000, ILK_CHECKPOINT_SECONDS="0").wait().refused(5, "DISK_FULL")
    assert digest(ilk.at) == before
    again = ilk.start(*MADE, "--resume", before="import ilk.run, ilk.train.loop as t; t.Loop.fraction = property(lambda s: 1.0)").wait()
    assert again.code == 0, again.err


@pytest.mark.parametrize("suffix", ["csv", "tsv", "jsonl", "parquet", "arrow"])
def test_full_while_writing_samples(ilk: Any, model: Path, digest: Any, suffix: str) -> None:
    Path(f"new.{suffix}").write_text("what was there")
    before = digest(ilk.at)
    ilk.start("sample", "gmm.ilk", "-n", "20000", "--out", f"new.{suffix}", before=FULL % 20_000).wait().refused(5, "DISK_FULL")
    assert digest(ilk.at) == before


def test_full_while_logging(ilk: Any, model: Path) -> None:
    ilk.start("fit", "a.csv", "--family", "gmm", "--components", "1", "--log", "log.jsonl", "-o", "m.ilk", before=FULL % 100).wait().refused(5, "DISK_FULL|WRITE")
    assert not Path("m.ilk").exists()


@pytest.fixture
def tiny_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 3 MB."""
    at = tmp_path / "disk"
    at.mkdir()
    if os.geteuid() or not shutil.which("mount") or subprocess.run(["mount", "-t", "tmpfs", "-o", "size=3m", "tmpfs", str(at)], capture_output=True).returncode:
        pytest.skip("no right to mount")
    yield at
    subprocess.run(["umount", "-l", str(at)], check=True)


def test_a_disk_of_three_megabytes(ilk: Any, model: Path, tiny_disk: Path, digest: Any) -> None:
    shutil.copytree(model, tiny_disk / "m.ilk")
    before = digest(tiny_disk)
    large = ("fit", "a.csv", "--family", "made", "--width", "512", "--depth", "5", "--steps", "3", "--batch", "8", "-o", tiny_disk / "m.ilk")
    ilk.refuses(5, "DISK_FULL", *large)
    ilk.start(*large, ILK_CHECKPOINT_SECONDS="0").wait().refused(5, "DISK_FULL")
    ilk.refuses(5, "DISK_FULL", "sample", model, "-n", "300000", "--out", tiny_disk / "new.csv")
    assert digest(tiny_disk) == before
    ilk.ok("show", tiny_disk / "m.ilk")


def test_no_right_to_write(ilk: Any, model: Path) -> None:
    """/proc takes no folders, not even from root."""
    ilk.refuses(5, "WRITE", "fit", "a.csv", "--family", "gmm", "--components", "1", "--steps", "1", "-o", "/proc/m.ilk")
    ilk.refuses(5, "WRITE", "sample", model, "--out", "/proc/new.csv")
    ilk.refuses(5, "WRITE", "sample", model, "--out", "a.csv/new.csv")
    ilk.refuses(5, "WRITE", "fit", "a.csv", "--log", "/proc/log")
    Path("new.csv").mkdir()
    ilk.refuses(5, "WRITE", "sample", model, "--out", "new.csv")


@pytest.mark.skipif(os.geteuid() == 0, reason="root writes everywhere")
def test_read_only_folder(ilk: Any, model: Path) -> None:
    Path("closed").mkdir(mode=0o555)
    ilk.refuses(5, "WRITE", "fit", "a.csv", "--family", "gmm", "--components", "1", "--steps", "1", "-o", "closed/m.ilk")


HUNGRY = {"network": ("--family", "made", "--width", "8192", "--depth", "16"), "mixture": ("--family", "gmm", "--components", "4096", "--steps", "1")}


@pytest.mark.parametrize("name", HUNGRY)
def test_too_little_memory_to_fit(ilk: Any, model: Path, digest: Any, name: str) -> None:
    Path("w.csv").write_text(",".join(f"c{i}" for i in range(120)) + "\n" + "".join(",".join(str((i * j) % 97 / 7) for j in range(120)) + "\n" for i in range(60)))
    before = digest(ilk.at)
    ilk.start("fit", "w.csv", *HUNGRY[name], "-o", "m.ilk", before=SCANT % 300).wait().refused(5, "MEMORY")
    assert digest(ilk.at) == before


@pytest.mark.parametrize("n", ["1000000001", "-1", "99999999999999999999"])
def test_absurd_numbers_of_items(ilk: Any, model: Path, n: str) -> None:
    ilk.refuses(2, "OPTION", "sample", model, "-n", n)


def test_more_items_than_memory(ilk: Any, model: Path) -> None:
    """Refused when the first block says how large an item is, not after an hour."""
    start = time.monotonic()
    ilk.start("sample", "gmm.ilk", "-n", "1000000000", "--out", "new.csv", before=SCANT % 1000).wait().refused(5, "MEMORY")
    assert time.monotonic() - start < 10 and not Path("new.csv").exists()


def test_a_full_disk_that_nobody_expected_is_told(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    def full(words: list[str]) -> int:
        raise OSError(errno.ENOSPC, "No space left on device", "curve.jsonl")

    monkeypatch.setattr(cli, "_run", full)
    assert cli.main(["fit", "iris"]) == 5
    assert "error[DISK_FULL]: curve.jsonl can't be written" in capsys.readouterr().err
