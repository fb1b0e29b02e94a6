"""A lock on a job's folder that its process and its runner hold together: while either lives nobody else works there."""
from __future__ import annotations

import os
from pathlib import Path

NAME = ".lock"


def taken(folder: Path) -> int | None:
    """The lock, as the number of an open file that a child may inherit; None while somebody else holds it."""
    number = os.open(folder / NAME, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        import fcntl

        fcntl.flock(number, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(number)
        return None
    except ImportError:   # a system without such locks
        pass
    return number
