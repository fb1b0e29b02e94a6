"""Pieces of evidence for every sort of space, and what each says of an item: the truth that conditionals are held against."""
from __future__ import annotations

from collections.abc import Iterator, Sequence
from math import inf, prod

import torch
from torch import Tensor

from ..batch import Batch
from ..given import Begin, Between, Evidence, Fix, Held, Parts, Presence, Weigh, Within
from ..lift import Known, Same
from ..rng import Rng
from ..space import Discrete, Many, Maybe, Reals, Row, Space, inner
from ._spaces import Fixed

SLACK = 1e-9


def whole(space: Space, known: Known) -> Evidence:
    """What is known of the parts as evidence on the space itself."""
    found = Same(space).evidence(known)
    assert found is not None
    return found


def weight_of(space: Space, said: Evidence, batch: Batch) -> Tensor:
    """Nats that the evidence adds to each item, (n,): -inf for one that it rules out."""
    n = len(batch)
    zero, never = torch.zeros(n, dtype=torch.double), torch.tensor(-inf, dtype=torch.double)
    if isinstance(said, Parts):
        assert isinstance(space, Row)
        return torch.stack([weight_of(space.parts[k], e, batch.parts[k]) for k, e in said.of.items()]).sum(0)
    if isinstance(said, Presence):
        assert batch.seen is not None
        there = zero if said.of is None else weight_of(inner(space), said.of, batch)
        return (there + said.there).where(batch.seen, torch.tensor(said.missing, dtype=torch.double))
    if isinstance(said, Begin):
        k = len(said.elements)
        begins = (batch.lengths >= k) & (batch.padded(-1)[:, :k] == said.elements).all(1) if int(batch.lengths.max()) >= k else torch.zeros(n, dtype=torch.bool)
        return zero.where(begins, never)
    if isinstance(said, Between):
        stretches = [piece.tolist() for piece in said.stretches]
        tokens = batch.elements.tensor.split(batch.lengths.tolist())
        return zero.where(torch.tensor([_stands(item.tolist(), stretches) for item in tokens], dtype=torch.bool), never)
    x = batch.tensor.reshape(n, prod(batch.tensor.shape[1:]))
    if isinstance(said, Weigh):
        return sum((t.double()[x[:, i]] for i, t in said.tables.items()), zero)
    if isinstance(said, Held):
        mask = said.mask.flatten()
        return zero.where((x[:, mask] == said.values.flatten()[mask]).all(1), never)
    ranges = said.ranges if isinstance(said, Within) else {i: (v, v) for i, v in said.values.items()} if isinstance(said, Fix) else {}
    out = zero
    for i, (low, high) in ranges.items():
        out = out.where((x[:, i] >= low - SLACK * (1 + abs(low))) & (x[:, i] <= high + SLACK * (1 + abs(high))), never)
    return out


def _stands(item: list[int], stretches: Sequence[list[int]]) -> bool:
    """Whether the stretches stand in an item in their order, the first at its beginning and the last at its end."""
    first, *within, last = stretches
    stop = len(item) - len(last)
    at = len(first)
    if item[:at] != first or item[stop:] != last:
        return False
    for piece in within:
        at = next((i + len(piece) for i in range(at, stop - len(piece) + 1) if item[i:i + len(piece)] == piece), stop + 1)
    return at <= stop


def fixed_of(known: Known) -> Fixed:
    """The coordinates that have a known value, per part."""
    found = {}
    for name, said in known.items():
        of = said.of if isinstance(said, Presence) else said
        if isinstance(of, Fix):
            found[name] = dict(of.values)
    return found


def pieces(space: Space) -> Iterator[tuple[str, Known]]:
    """Evidence of every sort that the space has, with a name for messages."""
    if isinstance(space, Row):
        yield from _of_row(space)
    elif isinstance(space, Many) and isinstance(space.of, Discrete):
        for prefix in ([], [1], [2, 0], [0] * space.at_most):
            yield f"Begin({prefix})", {"": Begin(torch.tensor(prefix, dtype=torch.long))}
        for stretches in ([[1], [0]], [[0], [1], []]):
            yield f"Between({stretches})", {"": Between(tuple(torch.tensor(piece, dtype=torch.long) for piece in stretches))}
    else:
        yield from ((name, {"": said}) for name, said in _of_atom(space))


def _of_atom(space: Space) -> Iterator[tuple[str, Evidence]]:
    if isinstance(space, Reals):
        last = prod(space.shape) - 1
        yield "a kept number", Fix({0: 0.7})
        yield "a range", Within({0: (-1.0, 1.0)})
        yield "a range without end", Within({0: (0.0, inf)})
        yield "a range in the tail", Within({last: (1.0, inf)})
        if last:
            yield "another kept number", Fix({last: -0.4})
            yield "two ranges", Within({0: (-1.0, 1.0), last: (-inf, 0.0)})
            yield "every number", Fix({i: 0.1 * i for i in range(last + 1)})
    if isinstance(space, Discrete):
        sizes = space.each
        big = sizes.index(max(sizes))
        yield "one value", Weigh({big: _table(sizes[big], [0.0], -inf)})
        yield "zeros and weights", Weigh({big: _table(sizes[big], [-inf, 0.3], -0.7)})
        if len(sizes) > 1:
            other = min(i for i in range(len(sizes)) if i != big and (sizes[i] > 1 or len(sizes) == 1))
            yield "two places", Weigh({big: _table(sizes[big], [0.0, 0.0], -inf) if sizes[big] > 2 else _table(2, [0.0], -inf), other: _table(sizes[other], [-inf], 0.0)})
            yield "weights everywhere", Weigh({i: torch.linspace(-1, 1, s, dtype=torch.double) for i, s in enumerate(sizes)})
            mask, values = torch.zeros(len(sizes), dtype=torch.bool), torch.tensor([s - 1 for s in sizes])
            mask[[0, len(sizes) - 1]] = True
            yield "held places", Held(mask.reshape(space.shape), values.reshape(space.shape))


def _table(size: int, first: list[float], rest: float) -> Tensor:
    return torch.tensor([*first, *[rest] * size][:size], dtype=torch.double)


def _of_row(row: Row) -> Iterator[tuple[str, Known]]:
    firm: dict[str, Evidence] = {}
    for name, part in row.parts.items():
        for label, said in _of_part(part):
            firm.setdefault(name, said)
            yield f"{name}: {label}", {name: said}
    names = list(firm)
    yield "all parts", firm
    for one, other in zip(names, names[1:], strict=False):
        yield f"{one} and {other}", {one: firm[one], other: firm[other]}
    gone: Known = {name: Presence(-inf, 0.0) for name, part in row.parts.items() if isinstance(part, Maybe)}
    if gone:
        yield "all missing", gone


def _of_part(part: Space) -> Iterator[tuple[str, Evidence]]:
    atoms = list(_of_atom(inner(part)))
    if not isinstance(part, Maybe):
        yield from atoms
        return
    for label, said in atoms:
        yield f"there, {label}", Presence(0.0, -inf, said)
    yield "there", Presence(0.0, -inf)
    yield "missing", Presence(-inf, 0.0)
    yield "there or missing, weighed", Presence(-0.4, 0.9)
    yield f"missing or {atoms[1][0]}", Presence(0.2, -0.3, atoms[1][1])


def bent(space: Space, said: Evidence | None, batch: Batch, rng: Rng) -> Batch:
    """The batch changed where it must be to agree with the evidence; numbers of a range are spread over it."""
    if said is None:
        return batch
    if isinstance(said, Parts):
        assert isinstance(space, Row)
        return Batch({k: bent(space.parts[k], said.of.get(k), b, rng.child(k)) for k, b in batch.parts.items()})
    if isinstance(said, Presence):
        seen = rng.child("seen").pick(torch.tensor([said.missing, said.there]), len(batch)) > 0
        return Batch(bent(inner(space), said.of, batch, rng.child("of")).x, seen)
    if isinstance(said, Begin | Between):
        raise TypeError("an end is not bent to")
    x = batch.tensor.clone().reshape(len(batch), prod(batch.tensor.shape[1:]))
    if isinstance(said, Weigh):
        for i, table in said.tables.items():
            x[:, i] = rng.child(i).pick(table, len(x))
    elif isinstance(said, Fix):
        for i, value in said.values.items():
            x[:, i] = value
    elif isinstance(said, Within):
        for i, (low, high) in said.ranges.items():
            a, b = max(low, min(-1e3, high - 1e3)), min(high, max(1e3, low + 1e3))
            x[:, i] = (a + (b - a) * rng.child(i).uniform(len(x))).clamp(low, high)
    return Batch(x.reshape(batch.tensor.shape))
