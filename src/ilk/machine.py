"""The machine that work runs on, and what the work takes of it: seconds, memory, energy."""
from __future__ import annotations

import os
import platform
import time
from contextlib import suppress
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from types import TracebackType
from typing import Any

WATTS = 10.0      # a busy core with its share of memory and losses, where no counter can be read
MOST_WATTS = 500  # of a package: after range / so many seconds its counter may have gone round more than once
POWER = Path("/sys/class/powercap")


def machine() -> dict[str, Any]:
    """What this machine is: processor, cores that this process may use, bytes of memory, system, versions.

    >>> sorted(machine())
    ['cores', 'memory', 'processor', 'python', 'system', 'torch']
    """
    return {"processor": _processor(), "cores": _cores(), "memory": _memory(), "system": f"{platform.system()} {platform.machine()}",
            "python": platform.python_version(), "torch": _torch()}


def _processor() -> str:
    with suppress(OSError):
        for line in Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _memory() -> int | None:
    try:
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (AttributeError, OSError, ValueError):
        return None


def _torch() -> str | None:
    try:
        return version("torch")
    except PackageNotFoundError:
        return None


class Meter:
    """What the work inside a `with` takes: `seconds`, `cpu_seconds` (of this process and its ended children), `peak` resident bytes
    of this process (what it keeps from before included), `joules` and `how` they are known. Meters may lie in each other.

    >>> with Meter() as meter:
    ...     _ = sum(range(1000))
    >>> sorted(meter.facts())
    ['cpu_seconds', 'how', 'joules', 'peak', 'seconds']
    """

    _on: list[Meter] = []

    def __init__(self) -> None:
        self.seconds = self.cpu_seconds = self.joules = 0.0
        self.peak: int | None = None
        self.how = ""

    def __enter__(self) -> Meter:
        for other in self._on:
            other.peak = _larger(other.peak, _peak())
        _forget_peak()
        self._on.append(self)
        self._start, self._cpu, self._energy = time.monotonic(), _cpu(), _counters()
        return self

    def __exit__(self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None) -> None:
        self.read()
        self._on.remove(self)

    def read(self) -> Meter:
        """What was taken until now."""
        self.seconds, self.cpu_seconds = time.monotonic() - self._start, _cpu() - self._cpu
        self.peak = _larger(self.peak, _peak())
        counted = _counted(self._energy, _counters(), self.seconds)
        self.joules = WATTS * self.cpu_seconds if counted is None else counted
        self.how = f"{WATTS:g} W a busy core assumed, processor only" if counted is None else "RAPL counters, all that runs on the processor"
        return self

    def facts(self) -> dict[str, Any]:
        """The same as JSON has it."""
        return {"seconds": round(self.seconds, 3), "cpu_seconds": round(self.cpu_seconds, 3), "peak": self.peak, "joules": round(self.joules, 2), "how": self.how}


def _cpu() -> float:
    spent = os.times()
    return spent.user + spent.system + spent.children_user + spent.children_system


def _peak() -> int | None:
    """The most memory that was resident since `_forget_peak`; since the process began where that does nothing."""
    with suppress(OSError, ValueError, IndexError):
        text = Path("/proc/self/status").read_text(encoding="ascii", errors="replace")
        return int(text.partition("VmHWM:")[2].split()[0]) << 10
    try:
        import resource
    except ImportError:
        return None
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if platform.system() == "Darwin" else 1024)


def _forget_peak() -> None:
    with suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5", encoding="ascii")


def _larger(one: int | None, other: int | None) -> int | None:
    return other if one is None else one if other is None else max(one, other)


def _counters() -> dict[str, tuple[int, int]]:
    """Microjoules so far and the range of the counter, of every package (its parts are in it; psys would count it twice)."""
    found = {}
    for zone in POWER.glob("*-rapl:?") if POWER.is_dir() else ():
        with suppress(OSError, ValueError):
            if (zone / "name").read_text(encoding="ascii").startswith("package"):
                found[zone.name] = (int((zone / "energy_uj").read_text(encoding="ascii")), int((zone / "max_energy_range_uj").read_text(encoding="ascii")))
    return found


def _counted(before: dict[str, tuple[int, int]], after: dict[str, tuple[int, int]], seconds: float) -> float | None:
    """Joules between two readings, a counter that went round once put right; None if nothing can be read or it may have gone round twice."""
    if not before or before.keys() != after.keys() or any(seconds * MOST_WATTS * 1e6 > most for _, most in before.values()):
        return None
    return sum((after[zone][0] - was) % (most + 1) for zone, (was, most) in before.items()) / 1e6
