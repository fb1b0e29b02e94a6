"""What is known beside the items, as one vector per item for a network; and the law of labels, for when nobody gives one."""
from __future__ import annotations

from collections.abc import Mapping
from math import log, prod

import torch
from torch import Tensor, nn
from torch.nn.functional import one_hot

from ilk.batch import Batch
from ilk.captions import Reader
from ilk.errors import UsageError
from ilk.rng import Rng
from ilk.space import Discrete, Many, Maybe, Reals, Space, inner

MOST = 1000  # joint classes whose shares are counted
READ = 128   # numbers that a word is read into


class Context(nn.Module):
    """(B, width): labels one-hot, numbers standardised, sequences by how often each value is in them; a missing value zeros with a flag."""

    share: Tensor

    def __init__(self, about: Mapping[str, Space]) -> None:
        super().__init__()
        self.about = dict(about)
        for name, space in self.about.items():
            atom = inner(space)
            if isinstance(atom, Reals):
                self.register_buffer(f"center_{name}", torch.zeros(prod(atom.shape)))
                self.register_buffer(f"scale_{name}", torch.ones(prod(atom.shape)))
        self.width = sum(_width(s) for s in self.about.values())
        self.sizes, self.parts = _sizes(self.about), len(self.about)
        many = prod(self.sizes) if self.sizes is not None else 0
        self.register_buffer("share", torch.full((many,), -log(max(1, many))))

    @staticmethod
    def refuses(about: Mapping[str, Space]) -> str | None:
        """Why these can't be made a vector, or None if they can."""
        odd = [n for n, s in about.items() if isinstance(s, Many) or not _width(s)]
        return f"learns from labels and arrays of numbers beside the items, not from {', '.join(odd)}" if odd else None

    def prepare(self, few: Mapping[str, Batch]) -> None:
        """Scales of numbers and how common each joint label is, from some items."""
        for name, space in self.about.items():
            if isinstance(inner(space), Reals):
                x = _seen(few[name]).double()
                spread = x.std(0, correction=0)
                getattr(self, f"center_{name}").copy_(x.mean(0))
                getattr(self, f"scale_{name}").copy_(spread.where(spread > 1e-6 * (1 + x.mean(0).abs()), torch.ones_like(spread)))
        if self.sizes:
            count = torch.bincount(self._place(few), minlength=len(self.share)).double() + 0.5
            self.share.copy_((count / count.sum()).log())

    def forward(self, context: Mapping[str, Batch]) -> Tensor:
        """The vectors; every name of the context has to be there."""
        parts = [self._one(name, space, context[name]) for name, space in self.about.items()]
        return torch.cat(parts, 1)

    def draw(self, n: int, rng: Rng) -> dict[str, Batch]:
        """Labels by their shares in training; UsageError where there is more than labels to know."""
        if self.sizes is None:
            raise UsageError(f"this model makes items only when it is told {', '.join(self.about)}", code="GIVEN", param="given")
        return self.labels(rng.child("label").pick(self.share, n))

    def labels(self, place: Tensor) -> dict[str, Batch]:
        """The context of each joint label, by its place among all."""
        found: dict[str, Batch] = {}
        for size, (name, space) in reversed(list(zip(self.sizes or (), self.about.items(), strict=True))):
            value, place = place % size, place // size
            many = size - isinstance(space, Maybe)
            found[name] = Batch(value.clamp_max(many - 1), value < many) if isinstance(space, Maybe) else Batch(value)
        return dict(reversed(found.items()))

    def every(self, n: int) -> list[tuple[dict[str, Batch], float]]:
        """Each joint label as the context of n items, with the log of its share; UsageError where there is more than labels to know."""
        if self.sizes is None:
            raise UsageError(f"items can be scored only with {', '.join(self.about)}", code="CONTEXT")
        return [(self.labels(torch.full((n,), i)), share) for i, share in enumerate(self.share.double().tolist())]

    def kept(self, drop: float, n: int, rng: Rng) -> Tensor:
        """Which parts to tell of n items: none with chance `drop`; of several parts, each is also left out by itself as often."""
        alone = rng.child("part").uniform(n, self.parts) >= drop if self.parts > 1 else torch.ones(n, 1, dtype=torch.bool)
        return alone & (rng.uniform(n) >= drop)[:, None]

    def _place(self, few: Mapping[str, Batch]) -> Tensor:
        place = torch.zeros(len(next(iter(few.values()))), dtype=torch.long)
        for size, name in zip(self.sizes or (), self.about, strict=True):
            batch = few[name]
            value = batch.tensor if batch.seen is None else batch.tensor.where(batch.seen, torch.tensor(size - 1))
            place = place * size + value
        return place

    def _one(self, name: str, space: Space, batch: Batch) -> Tensor:
        atom = inner(space)
        if isinstance(atom, Many):
            x = _counted(batch, _width(atom))
        elif isinstance(atom, Discrete):
            x = one_hot(batch.tensor, atom.each[0]).float()
        else:
            x = ((batch.tensor.flatten(1) if batch.tensor.ndim > 1 else batch.tensor[:, None]) - getattr(self, f"center_{name}")) / getattr(self, f"scale_{name}")
            x = x.float()
        if batch.seen is None:
            return x
        seen = batch.seen[:, None].float()
        return torch.cat([x.where(batch.seen[:, None], torch.zeros_like(x)), seen], 1)


class Partly(Context):
    """The same with a flag for each part that is not told: zeros stand for it then.

    With `reads` > 0, a transformer of so many layers reads sequences in order, and what it makes of the whole takes the place of their counts.
    """

    def __init__(self, about: Mapping[str, Space], reads: int = 0) -> None:
        super().__init__(about)
        many = {name: space for name, space in self.about.items() if reads and isinstance(space, Many)}
        self.readers = nn.ModuleDict({name: Reader(_width(space), space.at_most, READ, reads) for name, space in many.items()})
        self.widths = {name: READ if name in self.readers else _width(space) for name, space in self.about.items()}
        self.width = sum(self.widths.values()) + self.parts

    @staticmethod
    def refuses(about: Mapping[str, Space]) -> str | None:
        """Why these can't be made a vector, or None if they can."""
        odd = [n for n, s in about.items() if not _width(s)]
        return f"learns from labels, captions and arrays of numbers beside the items, not from {', '.join(odd)}" if odd else None

    def told(self, context: Mapping[str, Batch], n: int, keep: Tensor | None = None) -> Tensor:
        """The vectors of n items; what the context lacks, and what `keep` (n, parts) is false for, is not told."""
        return self.said(context, n, keep)[0]

    def said(self, context: Mapping[str, Batch], n: int, keep: Tensor | None = None) -> tuple[Tensor, Tensor, Tensor]:
        """The vectors, and those of all that was read: (n, places, READ), and which places have a word, (n, places)."""
        there = torch.tensor([k in context for k in self.about], dtype=torch.bool, device=self.share.device).expand(n, -1)
        there = there if keep is None else there & keep.to(there.device)
        parts, words, marks = [], [torch.zeros(n, 0, READ, device=there.device)], [there[:, :0]]
        for i, (name, space) in enumerate(self.about.items()):
            if name in self.readers:
                read, mark = self.readers[name](context.get(name, _silent(n)), there[:, i])
                words, marks = [*words, read], [*marks, mark]
                parts.append(read[:, 0])
            else:
                parts.append(self._one(name, space, context[name]) if name in context else torch.zeros(n, self.widths[name], device=there.device))
        flags = there.float()
        return torch.cat([*(x * flags[:, i:i + 1] for i, x in enumerate(parts)), 1 - flags], 1), torch.cat(words, 1), torch.cat(marks, 1)


def _silent(n: int) -> Batch:
    """n sequences of nothing."""
    return Batch(Batch(torch.zeros(0, dtype=torch.long)), length=torch.zeros(n, dtype=torch.long))


def _counted(batch: Batch, size: int) -> Tensor:
    """How often each value is in each sequence, over the root of its length: a bag of words."""
    item = torch.arange(len(batch), device=batch.lengths.device).repeat_interleave(batch.lengths)
    found = torch.zeros(len(batch), size, device=batch.lengths.device)
    found.index_put_((item, batch.elements.tensor), torch.ones(len(item), device=found.device), accumulate=True)
    return found / batch.lengths.clamp_min(1).sqrt()[:, None]


def _single(space: Space) -> bool:
    return isinstance(space, Discrete) and space.shape == ()


def _width(space: Space) -> int:
    """How many numbers say a part; 0 for one that can't be said."""
    atom = inner(space)
    if isinstance(space, Many):
        return space.of.each[0] if isinstance(space.of, Discrete) and space.of.shape == () else 0
    flat = atom.each[0] if isinstance(atom, Discrete) and atom.shape == () else prod(atom.shape) if isinstance(atom, Reals) else 0
    return flat + isinstance(space, Maybe) if flat else 0


def _sizes(about: Mapping[str, Space]) -> tuple[int, ...] | None:
    """The size of each label, missing being one value more; None if there are numbers, or too many joint labels to count."""
    atoms = [inner(s) for s in about.values()]
    sizes = tuple(a.each[0] + isinstance(s, Maybe) for a, s in zip(atoms, about.values(), strict=True) if isinstance(a, Discrete))
    return sizes if len(sizes) == len(atoms) and prod(sizes) <= MOST else None


def _seen(batch: Batch) -> Tensor:
    x = batch.tensor.flatten(1) if batch.tensor.ndim > 1 else batch.tensor[:, None]
    return x if batch.seen is None or not bool(batch.seen.any()) else x[batch.seen]
