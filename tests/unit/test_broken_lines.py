"""A line that breaks off is an error that is told: the command leaves the signal of broken pipes as Python has it, since servers and clients run in its process."""
from __future__ import annotations

import signal

import pytest

from ilk.cli import main


@pytest.mark.skipif(not hasattr(signal, "SIGPIPE"), reason="no such signal here")
def test_a_command_changes_no_signals(capsys: pytest.CaptureFixture[str]) -> None:
    before = signal.getsignal(signal.SIGPIPE)
    assert main(["list", "families"]) == 0 and capsys.readouterr().out
    assert signal.getsignal(signal.SIGPIPE) is before
