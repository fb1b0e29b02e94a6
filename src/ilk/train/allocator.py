"""Keeping the memory that a training step frees for the next one, instead of giving it back to the system and asking again."""
from __future__ import annotations

import ctypes
import sys
from functools import cache

TRIM, PAD, MAP = -1, -2, -3   # M_TRIM_THRESHOLD, M_TOP_PAD and M_MMAP_THRESHOLD of glibc's malloc.h


@cache
def keep_freed() -> None:
    """Once a process, under glibc: fresh pages cost a tenth of a convolutional step. Elsewhere nothing."""
    if not sys.platform.startswith("linux"):
        return
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        for name, size in ((MAP, 1 << 30), (TRIM, (1 << 31) - 1), (PAD, 256 << 20)):
            mallopt(name, size)
