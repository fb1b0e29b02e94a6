"""How a family learns and remembers: options, states, stopped and resumed fits, sums of statistics."""
from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, fields, replace
from pathlib import Path
from types import UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin, get_type_hints

import torch
from annotated_types import Interval

from .. import recipe as recipes
from ..batch import Batch
from ..distribution import Distribution, Family, HasBound, HasLogProb, HasStatistics, Samples
from ..errors import ModelError, Stopped, UsageError
from ..rng import Rng
from ..run import Run, Steps, Switch
from ..store import State, tensors_from_bytes, tensors_to_bytes
from ._fitted import STEPS, Fitted
from ._same import refused, require, same

NEAR = 1e-9


def check_options(recipe: Family) -> None:
    """Every option has a range, values outside it and unknown names are refused, and JSON brings the recipe back."""
    kind = type(recipe)
    hints = get_type_hints(kind, include_extras=True)
    require(len(fields(recipe)) <= 12, f"{kind.__name__} has more than 12 options")
    require(recipes.checked(recipe) == recipe, f"{kind.__name__}: checked() changes the recipe")
    with refused(UsageError, f"{kind.__name__} with an option that it has not"):
        recipes.made(kind, {"no_such_option": 1})
    for field in fields(recipe):
        for bad in _outside(hints[field.name], f"{kind.__name__}.{field.name}"):
            with refused(UsageError, f"{kind.__name__}({field.name}={bad!r})"):
                recipes.checked(replace(recipe, **{field.name: bad}))


def _outside(hint: Any, what: str) -> Iterator[Any]:
    """Values that an option must refuse."""
    origin = get_origin(hint)
    if origin is Annotated:
        inside, *marks = get_args(hint)
        ranges = [m for m in marks if isinstance(m, Interval)]
        require(bool(ranges) or inside not in (int, float), f"{what} has no range")
        for bound in ranges:
            yield from _beyond(bound)
            yield float("nan")
    elif origin in (Union, UnionType):
        for one in get_args(hint):
            yield from _outside(one, what)
    elif origin is Literal:
        yield "no such thing"
    else:
        require(hint not in (int, float), f"{what} has no range")


def _beyond(bound: Interval) -> Iterator[Any]:
    inside: tuple[Any, Any] = (bound.ge, bound.le)
    yield from (b for b in (bound.gt, bound.lt) if b is not None)
    yield from (b + step for b, step in zip(inside, (-1, 1), strict=True) if b is not None)


def check_restore(f: Fitted) -> None:
    """A state taken back by another build, through bytes and JSON, is the same distribution bit by bit."""
    state = f.body.state()
    data = tensors_to_bytes(state.tensors)
    other = f.again()
    other.restore(State(tensors_from_bytes(data), json.loads(json.dumps(dict(state.facts), allow_nan=False))))
    require(tensors_to_bytes(other.state().tensors) == data, f"{f.name}: the state changed on its way through restore")
    require(dict(other.state().facts) == json.loads(json.dumps(dict(state.facts))), f"{f.name}: the facts changed on their way through restore")
    if isinstance(f.body, Samples) and isinstance(other, Samples):
        require(same(f.body.sample(50, Rng(2)), other.sample(50, Rng(2))), f"{f.name}: a restored one samples other items")
    for a, b in zip(_scores(f.body, f.data.batch), _scores(other, f.data.batch), strict=True):
        require(torch.equal(a, b), f"{f.name}: a restored one scores otherwise")


def _scores(body: Distribution[Any], items: Batch) -> list[torch.Tensor]:
    found = [body.log_prob(items)] if isinstance(body, HasLogProb) else []
    return found + ([body.log_prob_bound(items, Rng(2))] if isinstance(body, HasBound) else [])


def check_strange_states(f: Fitted) -> None:
    """A state that lacks a tensor, or has one of another shape, is refused with ModelError; so is one of nothing."""
    state = f.body.state()
    for name, tensor in state.tensors.items():
        without = {k: t for k, t in state.tensors.items() if k != name}
        with refused(ModelError, f"{f.name}: a state without {name!r}"):
            f.again().restore(State(without, state.facts))
        for strange in (tensor[None].expand(2, *tensor.shape), torch.cat([tensor, tensor[:1]]) if tensor.ndim else tensor.repeat(3)):
            if strange.shape != tensor.shape:
                with refused(ModelError, f"{f.name}: a state whose {name!r} has shape {tuple(strange.shape)}"):
                    f.again().restore(State({**state.tensors, name: strange.contiguous()}, state.facts))
    with refused(ModelError, f"{f.name}: an empty state"):
        f.again().restore(State())


def check_same_fit(f: Fitted) -> None:
    """The same seed and data give the same bytes."""
    found = [_after(f, Run(seed=3, budget=Steps(6))) for _ in range(2)]
    require(found[0] == found[1], f"{f.name}: two fits with one seed differ")


def _after(f: Fitted, run: Run) -> bytes:
    body = f.again(1)
    body.fit(f.data, run, f.valid)
    return _bytes(body)


def _bytes(body: Distribution[Any]) -> bytes:
    state = body.state()
    return tensors_to_bytes(state.tensors) + json.dumps(dict(state.facts), sort_keys=True).encode()


@dataclass
class Fuse(Switch):
    """Asks to stop at the nth tick; counts them all."""

    at: int = 0
    ticks: int = 0

    def __getattribute__(self, name: str) -> Any:
        if name != "exit_code":
            return super().__getattribute__(name)
        self.ticks += 1
        return 130 if self.ticks == self.at else 0


def check_resume(f: Fitted) -> None:
    """A fit that is stopped and resumed from its checkpoint ends in the same bytes as one that was not."""
    steps = Steps(STEPS // 2)
    whole = Fuse()
    want = _after(f, Run(seed=2, budget=steps, switch=whole))
    require(whole.ticks > 0, f"{f.name}: fit never calls run.tick")
    for stop in sorted({1, whole.ticks // 2, whole.ticks - 1} - {0}):
        with tempfile.TemporaryDirectory() as folder:
            at = Path(folder) / "checkpoint"
            facts = {"what": "contract"}
            with refused(Stopped, f"{f.name}: a fit asked to stop at tick {stop}"):
                f.again(1).fit(f.data, Run(seed=2, budget=steps, switch=Fuse(at=stop), checkpoint=at, facts=facts), f.valid)
            body = f.again(1)
            body.fit(f.data, Run(seed=2, budget=steps, checkpoint=at, resume=True, facts=facts), f.valid)
            require(_bytes(body) == want, f"{f.name}: stopped at tick {stop} of {whole.ticks} and resumed, it ends elsewhere")


def check_statistics(f: Fitted) -> None:
    """Statistics of shards add up to those of the whole, and what absorbs them learns the same."""
    body = f.again()
    body.restore(f.body.state())
    if not isinstance(body, HasStatistics):
        return
    batch = f.data.batch
    whole = body.statistics(batch)
    cuts = [0, 7, 150, 151, len(batch)]
    shards = [body.statistics(batch.cut(a, b)) for a, b in zip(cuts, cuts[1:], strict=False)]
    summed = shards[0]
    for shard in shards[1:]:
        summed = body.add(summed, shard)
    _require_near(whole, summed, f"{f.name}: statistics of shards do not add up")
    learned = []
    for sums in (whole, summed):
        one = f.again()
        one.restore(f.body.state())
        assert isinstance(one, HasStatistics)
        one.absorb(sums)
        learned.append(one.state())
    _require_near(learned[0], learned[1], f"{f.name}: what absorbs the sum of shards learns otherwise")


def _require_near(one: State, other: State, what: str) -> None:
    require(one.tensors.keys() == other.tensors.keys() and dict(one.facts) == dict(other.facts), what)
    for name, tensor in one.tensors.items():
        found = other.tensors[name]
        require(tensor.shape == found.shape, f"{what}: {name} has another shape")
        a, b = tensor.double(), found.double()
        scale = float(a.abs().max()) if a.numel() else 0.0
        require(not a.numel() or float((a - b).abs().max()) <= NEAR * max(1.0, scale), f"{what}: {name}")
