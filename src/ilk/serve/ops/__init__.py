"""What can be asked of a model, done where the model is: each module has `run(held, ask)`. Adding one is one file."""
from __future__ import annotations

import pkgutil
from collections.abc import Hashable, Iterator, Sequence
from importlib import import_module
from typing import Any

from ilk.errors import UsageError, nearest
from ilk.serve.work import Ask, Held, Op, Reply, Together


def names() -> tuple[str, ...]:
    """The operations that there are."""
    return tuple(sorted(m.name for m in pkgutil.iter_modules(__path__) if not m.name.startswith("_")))


def run(held: Held, ask: Ask) -> Iterator[Reply | None]:
    """The pieces of an answer; UsageError (code OP) for an unknown operation."""
    yield from _op(ask).run(held, ask)


def alike(held: Held, ask: Ask) -> Hashable | None:
    """What asks that can be done at once have in common; None for one that is done by itself."""
    op = _op(ask) if ask.op in names() else None
    key = op.alike(held, ask) if isinstance(op, Together) else None
    return None if key is None else (ask.op, key)


def fitting(held: Held, asks: Sequence[Ask]) -> int:
    """How many asks that are alike, the first ones, go into one round."""
    op: Any = _op(asks[0]) if asks else None
    return 0 if op is None else int(op.fitting(held, asks))


def together(held: Held, asks: Sequence[Ask]) -> Iterator[Sequence[Reply] | None]:
    """The answers to asks that are alike."""
    op: Any = _op(asks[0])
    found: Iterator[Sequence[Reply] | None] = op.together(held, asks)
    return found


def _op(ask: Ask) -> Op:
    if ask.op not in names():
        raise UsageError(f"no operation {ask.op[:40]!r}", code="OP", param="op", remedy=nearest(ask.op, names()))
    found: Any = import_module(f"{__name__}.{ask.op}")
    op: Op = found
    return op
