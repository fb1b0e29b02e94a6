"""The process that holds one model and does what is asked of it: `python -m ilk.serve.engine.worker FD`, the other end of FD being the server."""
from __future__ import annotations

import os
import socket
import sys
import threading
from contextlib import suppress
from time import sleep
from typing import Any

from ilk.serve.engine.faults import told
from ilk.serve.engine.frames import Frame, packed, read
from ilk.serve.work import Ask

BEAT = 1.0            # seconds between signs of life
SLACK = 1 << 30       # bytes of address space beside what a model may take: stacks, arenas and libraries


class Line:
    """The way back to the server; from any thread."""

    def __init__(self, ours: socket.socket) -> None:
        self.ours, self.lock = ours, threading.Lock()

    def send(self, frame: Frame) -> None:
        """Sends a frame; where nobody is there any more, that is the end."""
        data = packed(frame)
        try:
            with self.lock:
                self.ours.sendall(data)
        except OSError:
            os._exit(0)


def main() -> None:
    """Holds the model until the server goes."""
    ours = socket.socket(fileno=int(sys.argv[1]))
    line, file = Line(ours), ours.makefile("rb")
    first = read(file)
    if first is None:
        return
    threading.Thread(target=_beat, args=(line,), daemon=True).start()
    _served(line, file, first.head)
    os._exit(0)   # no thread that is still at work is waited for


def _served(line: Line, file: Any, said: Any) -> None:
    from ilk.serve.engine.hold import about, hold
    from ilk.serve.engine.lanes import Lanes

    _limited(said["memory"])
    try:
        held = hold(said["name"], said["place"])
        line.send(Frame({"ready": about(held)}))
    except Exception as why:  # told to whoever asked for the model
        line.send(Frame({"failed": _named(told(why), said)}))
        return
    lanes = Lanes(held, line.send)
    while (frame := read(file)) is not None:
        match frame.head:
            case {"ask": int(number), "op": str(op), "body": dict(body)}:
                lanes.begin(number, Ask(op, body, frame.blobs))
            case {"cancel": int(number)}:
                lanes.stop(number)
            case {"took": int(number), "many": int(many)}:
                lanes.took(number, many)


def _named(fault: dict[str, Any], said: Any) -> dict[str, Any]:
    """The error by the name that clients know: where the model is on this machine is none of theirs."""
    whole = os.path.abspath(said["place"])
    return {k: v.replace(whole, said["name"]).replace(said["place"], said["name"]) if isinstance(v, str) else v for k, v in fault.items()}


def _beat(line: Line) -> None:
    while True:
        line.send(Frame({"beat": os.getpid()}))
        sleep(BEAT)


def _limited(memory: int | None) -> None:
    """A wall of address space: what asks for more is refused it."""
    if memory is None:
        return
    with suppress(ImportError, OSError, ValueError):
        import resource

        with open("/proc/self/statm", encoding="ascii") as file:
            used = int(file.read().split()[0]) * os.sysconf("SC_PAGE_SIZE")
        most = used + memory + SLACK
        resource.setrlimit(resource.RLIMIT_AS, (most, most))


if __name__ == "__main__":
    main()
