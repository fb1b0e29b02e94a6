"""A function of ours in a process of its own, with little memory and a deadline: what others sent is opened there."""
from __future__ import annotations

import asyncio
import json
import os
import sys
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from ilk.errors import DataError, IlkError, ResourceError
from ilk.files import plain
from ilk.serve.files import TooLarge

MOST = 32 << 20   # bytes of an answer
_BOMBS = ("decompression_bomb", "TOO_LARGE", "MEMORY")


async def apart(module: str, asked: Mapping[str, Any], folder: Path, memory: int, seconds: float) -> dict[str, Any]:
    """What the module's `answer(asked)` gives, both as JSON. TooLarge (413) where it takes more memory or time; the errors it raises.

    The process is killed when nobody waits any more.
    """
    env = {**os.environ, "OMP_NUM_THREADS": "1", "POLARS_MAX_THREADS": "1", "PYTHONSAFEPATH": "1", "PYTHONIOENCODING": "utf-8"}
    process = await asyncio.create_subprocess_exec(sys.executable, "-m", module, str(memory), cwd=folder, env=env, stdin=asyncio.subprocess.PIPE,
                                                   stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.DEVNULL, limit=MOST)
    try:
        out, _ = await asyncio.wait_for(process.communicate(json.dumps(asked).encode()), seconds)
    except TimeoutError:
        raise TooLarge(f"to read this takes more than {seconds:g} s", code="read_seconds", param="file", remedy="send less of it") from None
    finally:
        with suppress(ProcessLookupError):
            process.kill()
        await process.wait()
    return _answered(out, process.returncode or 0)


def _answered(out: bytes, ended: int) -> dict[str, Any]:
    found: Any = None
    with suppress(ValueError):
        found = json.loads(out)
    if not isinstance(found, dict):
        raise TooLarge("to read this takes more memory than there is for it", code="MEMORY", param="file", remedy="send less of it") if ended else IlkError("no answer")
    if "error" in found:
        error = found["error"]
        if error["code"] in _BOMBS:
            raise TooLarge(error["message"], code=error["code"], param=error["param"])
        raise DataError(error["message"], code=error["code"], param=error["param"])
    return found


def main(answer: Callable[[dict[str, Any]], dict[str, Any]]) -> None:
    """The other side: limits itself, then answers once."""
    import resource

    most = int(sys.argv[1])
    resource.setrlimit(resource.RLIMIT_AS, (most, most))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    try:
        made = answer(json.load(sys.stdin))
    except MemoryError:
        made = ResourceError("to read this takes more memory than there is for it", code="MEMORY").as_json()
    except IlkError as why:
        made = why.as_json()
    sys.stdout.write(json.dumps(plain(made)))
    sys.stdout.flush()
