"""Behind the commands: new items."""
from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from ilk.console._shared import Answer, Asked, handed, listed, met, printed, way_of, write_items
from ilk.constraints import as_constraints
from ilk.dataset import split_dataset
from ilk.errors import DataError, UsageError, printable
from ilk.progress import Progressing
from ilk.verbs._own import alike
from ilk.verbs._own import own as own_data
from ilk.verbs.impute import imputed
from ilk.verbs.sample import sample
from ilk.verbs.steps import steps


def sample_command(at: str, n: int, asked: Asked, how: str | None, options: Mapping[str, Any], seed: int, out: Path | None) -> Answer:
    """Draws, and writes or prints."""
    model = asked.of(at)
    found = sample(model, n, seed, way_of(model, how, options))
    said = "".join(f"{g.given}: {met(g.met)}"
                   f"{f', {g.share:.1%} of draws obey' if g.met == 'rejected' else ''}{f', effective sample size {g.ess:.0f}' if g.ess else ''}\n" for g in found.given)
    said += f"an item takes {found.cost:.3g} draws\n" if found.cost > 1 else ""
    return handed(model, found.items, out, {"n": found.n, "seed": seed, "how": found.how, "cost": found.cost, "given": [asdict(g) for g in found.given]}, said)


def obey_command(at: str, n: int, asked: Asked, obey: Sequence[str], data: str | None, how: str | None,
                 options: Mapping[str, Any], seed: int, out: Path | None) -> Answer:
    """Draws items that obey, and writes or prints."""
    from ilk.verbs.discover import discover  # not above: they take in scipy's optimisers
    from ilk.verbs.obey import obeying

    model = asked.of(at)
    known = own_data(model) if data is None else split_dataset(alike(model, data))
    if "discovered" in obey and known is None:
        raise DataError("the data that the model was fitted on can't be read or have changed", code="DATA_CHANGED", remedy="name them with --data", param="data")
    rules = [c for text in obey for c in (discover(known).constraints if text == "discovered" else as_constraints(text))]
    found = obeying(model, rules, known).sample(n, seed, way_of(model, how, options))
    answer = {"n": n, "seed": seed, "how": found.how, "obey": dict(found.share), "repaired": found.repaired, "moved": found.moved, "redrawn": found.redrawn,
              "fidelity": [asdict(f) for f in found.fidelity]}
    return handed(model, found.items, out, answer, f"{found}\n")


def discover_command(data: str) -> Answer:
    """Finds constraints."""
    from ilk.verbs.discover import discover

    found = discover(data)
    said = [{"constraint": str(f.constraint), "support": f.support, "log_chance": f.chance} for f in found.found]
    return {"data": data, "found": said}, printable(repr(found))


def impute_command(at: str, data: str, best: bool, n: int, asked: Asked, seed: int, out: Path | None) -> Answer:
    """Fills the missing cells, and writes or prints."""
    model = asked.of(at)
    with Progressing() as bar:
        found = imputed(model, alike(model, data).items, n, best, seed, (bar,))
    answer = {"n": len(found.items), "seed": seed, "best": best, "met": found.met, "ess": found.ess, "cells": found.cells, "left": list(found.left)}
    ess = "" if found.ess is None else f", effective sample size {found.ess:.0f} for half of the rows"
    left = f"; missing still, since the model knows nothing of them: {', '.join(found.left)}" if found.left else ""
    return handed(model, found.items, out, answer, f"{found.cells} cells filled; what is known is {met(found.met)}{ess}{left}\n")


def steps_command(at: str, n: int, place: tuple[int | None, int, int], asked: Asked, how: str | None, options: Mapping[str, Any], seed: int, out: Path | None) -> Answer:
    """Items while they are made, or continuations of one of their states: `place` is its step, how many of each item, and their seed."""
    model = asked.of(at)
    step, branches, own = place
    found = []
    for state in steps(model, n, seed, way_of(model, how, options)):
        if step == state.step:
            items = state.branch(branches, own).finish()
            return handed(model, items, out, {"n": n, "seed": seed, "at": step, "of": state.of, "branch": branches, "branch_seed": own})
        found.append(state)
    if step is not None:
        raise UsageError(f"there is no step {step}", code="OPTION", param="at", remedy=f"0 to {found[-1].step}")
    answer = {"n": n, "seed": seed, "of": found[-1].step}
    if out is None:
        return {**answer, "steps": [listed(s.items) for s in found]}, "\n".join(f"step {s.step}\n{printed(model, s.items)}" for s in found)
    for s in found:
        write_items(model, s.items, out.with_stem(f"{out.stem}-{s.step:03d}"), answer)
    return {**answer, "out": str(out)}, printable(f"{len(found)} steps, {out.stem}-000{out.suffix} and on")
