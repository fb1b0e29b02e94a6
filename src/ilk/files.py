"""Files that are written whole or not at all."""
from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from .errors import ResourceError


@contextmanager
def atomic(to: Path) -> Iterator[BinaryIO]:
    """A file to write that takes its name only when all is on disk; ResourceError when the disk is full or can't be written."""
    part = to.with_name(f".{to.name}.part")
    try:
        to.parent.mkdir(parents=True, exist_ok=True)
        with open(part, "wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        os.replace(part, to)
    except OSError as why:
        if isinstance(why, ResourceError):
            raise
        code = "DISK_FULL" if why.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG) else "WRITE"
        raise ResourceError(f"{to} can't be written: {why.strerror or why}", code=code, remedy="choose another place with --out") from None
    finally:
        with suppress(OSError):
            part.unlink()
