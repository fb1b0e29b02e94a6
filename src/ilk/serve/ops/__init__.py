"""What can be asked of a model, done where the model is: each module has `run(held, ask)`. Adding one is one file."""
from __future__ import annotations

import pkgutil
from collections.abc import Iterator
from importlib import import_module

from ilk.errors import UsageError, nearest
from ilk.serve.work import Ask, Held, Reply


def names() -> tuple[str, ...]:
    """The operations that there are."""
    return tuple(sorted(m.name for m in pkgutil.iter_modules(__path__) if not m.name.startswith("_")))


def run(held: Held, ask: Ask) -> Iterator[Reply]:
    """The pieces of an answer; UsageError (code OP) for an unknown operation."""
    if ask.op not in names():
        raise UsageError(f"no operation {ask.op[:40]!r}", code="OP", param="op", remedy=nearest(ask.op, names()))
    found: Iterator[Reply] = import_module(f"{__name__}.{ask.op}").run(held, ask)
    return found
