"""steps: items while they are made. What `sample` takes -> pieces {"step", "of", "items"} with blobs; about 20 at most, the last is what `sample` gives, with "met"."""
from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict

from ilk.serve.ops._asked import model_of, way_of, whole
from ilk.serve.ops._items import told
from ilk.serve.work import Ask, Held, Reply
from ilk.verbs.condition import BLOCK
from ilk.verbs.sample import parts
from ilk.verbs.steps import Step, steps

SHOWN = 20


def run(held: Held, ask: Ask) -> Iterator[Reply | None]:
    """The states of all that are made; those not shown are None."""
    n, seed = whole(ask.body, "n", 1, 1, BLOCK), whole(ask.body, "seed", 0, -(2**63), 2**63 - 1)
    model = model_of(held, ask.body)
    last: Step | None = None
    ahead = 0
    for last in steps(model, n, seed, way_of(model, ask.body)):
        if last.step >= ahead and last.step < last.of:
            ahead = last.step + min(max(1, last.step), 1 if last.of <= SHOWN else 2 * last.of // SHOWN)   # at first doubled: most texts end early
            yield _piece(model.modality, last)
        else:
            yield None
    if last is not None:
        piece = _piece(model.modality, last)
        yield Reply({**piece.body, "met": [asdict(given) for given in parts(model)]}, piece.blobs)


def _piece(modality: object, state: Step) -> Reply:
    said, blobs = told(modality, state.items)  # type: ignore[arg-type]
    return Reply({"step": state.step, "of": state.of, "items": said}, blobs)
