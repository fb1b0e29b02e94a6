"""Lack of memory is told as such, also where native code fails without a word; other faults are not taken for it."""
from __future__ import annotations

import resource
from typing import Any

import pytest

from ilk import cli

SILENT = SystemError("error return without exception set")


def failing(why: Exception, monkeypatch: pytest.MonkeyPatch, limit: int) -> int:
    def run(words: list[str]) -> Any:
        raise why

    monkeypatch.setattr(cli, "_run", run)
    monkeypatch.setattr(resource, "getrlimit", lambda what: (limit, resource.RLIM_INFINITY))
    return cli.main(["list", "families"])


@pytest.mark.parametrize("why, limit, code", [
    (MemoryError(), resource.RLIM_INFINITY, 5),
    (RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 9 bytes"), resource.RLIM_INFINITY, 5),
    (SILENT, 1 << 32, 5),
    (SILENT, resource.RLIM_INFINITY, 1),
    (SystemError("bad argument to internal function"), 1 << 32, 1),
])
def test_memory_and_nothing_else(why: Exception, limit: int, code: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    assert failing(why, monkeypatch, limit) == code
    assert ("error[MEMORY]" in capsys.readouterr().err) is (code == 5)
