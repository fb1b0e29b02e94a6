"""Machines and meters: seconds and memory against what was surely spent, energy against counters of a made-up machine."""
from __future__ import annotations

import mmap
import sys
import time
from pathlib import Path

import pytest

from ilk import machine as module
from ilk.machine import WATTS, Meter, machine

LINUX = pytest.mark.skipif(sys.platform != "linux", reason="peaks can be set back on Linux only")


def zone(at: Path, name: str, kind: str, energy: int, most: int = 10**12) -> None:
    (at / name).mkdir(parents=True, exist_ok=True)
    for file, text in (("name", kind), ("energy_uj", energy), ("max_energy_range_uj", most)):
        (at / name / file).write_text(f"{text}\n")


def take(many: int) -> None:
    """Takes memory of the system and gives it back, past any allocator that keeps what is freed."""
    with mmap.mmap(-1, many) as memory:
        for at in range(0, many, mmap.PAGESIZE):
            memory[at] = 1


def test_machine() -> None:
    found = machine()
    assert found["cores"] >= 1 and found["memory"] > 1 << 28 and found["processor"] and found["torch"][0].isdigit()


def test_seconds_and_the_processors_own() -> None:
    with Meter() as slept:
        time.sleep(0.2)
    with Meter() as worked:
        until = time.process_time() + 0.2
        while time.process_time() < until:
            pass
    assert 0.2 <= slept.seconds < 2 and slept.cpu_seconds < 0.1
    assert worked.cpu_seconds >= 0.18 and worked.seconds >= 0.18


@LINUX
def test_peaks_of_work_inside_work() -> None:
    """Each meter sees what was resident while it ran; an inner one takes nothing from the outer."""
    many = 160 << 20
    with Meter() as outer:
        take(many)
        with Meter() as inner:
            pass
        with Meter() as last:
            take(many // 2)
    assert outer.peak - inner.peak > 0.8 * many and 0.3 * many < last.peak - inner.peak < 0.8 * many


def test_energy_by_counters(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Packages add up; their parts and psys are in them already; one that went round is put right."""
    monkeypatch.setattr(module, "POWER", tmp_path)
    zone(tmp_path, "intel-rapl:0", "package-0", 5_000_000)
    zone(tmp_path, "intel-rapl:1", "package-1", 999_999_000_000, most=10**12 - 1)
    zone(tmp_path, "intel-rapl:2", "psys", 0)
    zone(tmp_path, "intel-rapl:0:0", "core", 0)
    with Meter() as meter:
        zone(tmp_path, "intel-rapl:0", "package-0", 8_000_000)
        zone(tmp_path, "intel-rapl:1", "package-1", 500_000, most=10**12 - 1)
        zone(tmp_path, "intel-rapl:2", "psys", 70_000_000)
        zone(tmp_path, "intel-rapl:0:0", "core", 70_000_000)
    assert meter.joules == pytest.approx(3 + 1.5) and "RAPL" in meter.how


@pytest.mark.parametrize("most", [None, 1])
def test_energy_without_counters_that_can_be_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, most: int | None) -> None:
    """None at all, or one that may have gone round twice: seconds of the processor times watts, and it says so."""
    monkeypatch.setattr(module, "POWER", tmp_path)
    if most is not None:
        zone(tmp_path, "intel-rapl:0", "package-0", 0, most)
    with Meter() as meter:
        sum(range(10**5))
    assert meter.joules == WATTS * meter.cpu_seconds and "assumed" in meter.how
