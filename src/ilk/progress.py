"""Events for eyes and for files: a progress bar on stderr, and lines of JSON."""
from __future__ import annotations

import json
import sys
import time
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import IO, Any

from .files import not_written
from .run import Began, Ended, Event, Noted, Progress, Validated, as_facts


class Progressing:
    """A bar with rate, loss and time left where stderr is a terminal; else a line now and then."""

    def __init__(self) -> None:
        self.bar: Any = None
        self.task: Any = None
        self.total: int | None = None
        self.told = self.start = time.monotonic()
        self.valid = ""
        self.terminal = sys.stderr.isatty()

    def __enter__(self) -> Progressing:
        if self.terminal:
            from rich.console import Console
            from rich.progress import BarColumn, TextColumn, TimeElapsedColumn, TimeRemainingColumn
            from rich.progress import Progress as Bar

            self.bar = Bar(TextColumn("{task.description}"), BarColumn(), TextColumn("{task.fields[said]}"), TimeElapsedColumn(), TimeRemainingColumn(),
                           console=Console(stderr=True), transient=True)
            self.bar.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None) -> None:
        if self.bar is not None:
            self.bar.stop()

    def __call__(self, event: Event) -> None:
        if isinstance(event, Began):
            self.start, self.total = time.monotonic(), event.total
            if self.bar is not None:
                self.task = self.bar.add_task(event.what, total=1.0, said="")
        elif isinstance(event, Validated):
            self.valid = f"held-out {event.loss:z.4f}{'*' if event.best else ''}"
        elif isinstance(event, Noted):
            sys.stderr.write(f"{event.text}\n") if self.bar is None else self.bar.console.print(event.text)
        elif isinstance(event, Progress):
            self._progress(event)
        elif isinstance(event, Ended) and self.bar is not None and self.task is not None:
            self.bar.remove_task(self.task)
            self.task = None

    def _progress(self, event: Progress) -> None:
        seconds = max(1e-9, time.monotonic() - self.start)
        loss = "" if event.loss is None else f"loss {event.loss:z.4f} "
        said = f"{loss}{self.valid} {event.step / seconds:.1f}/s"
        if self.bar is not None and self.task is not None:
            self.bar.update(self.task, completed=min(1.0, event.fraction), said=said)
        elif not self.terminal and time.monotonic() - self.told > 10:
            self.told = time.monotonic()
            sys.stderr.write(f"{event.fraction:.0%} step {event.step} {said}\n")


class Log:
    """Every event as a line of JSON in a file."""

    def __init__(self, to: Path) -> None:
        self.to, self.file = to, _opened(to)

    def __enter__(self) -> Log:
        return self

    def __exit__(self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None) -> None:
        with suppress(OSError):  # what could not be written has been told
            self.file.close()

    def __call__(self, event: Event) -> None:
        try:
            self.file.write(json.dumps(as_facts(event)) + "\n")
            self.file.flush()
        except OSError as why:
            raise not_written(self.to, why) from None


def _opened(to: Path) -> IO[str]:
    try:
        return open(to, "a", encoding="utf-8")
    except OSError as why:
        raise not_written(to, why) from None
