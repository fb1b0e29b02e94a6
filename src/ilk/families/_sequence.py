"""What next-token models of sequences share: whole items scored and drawn token by token, beginnings and contexts met exactly."""
from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Protocol, TypeVar, runtime_checkable

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy

from ..batch import Batch
from ..decoding._contract import Searches
from ..decoding._draw import Drawing
from ..distribution import Cache, Family, How, Neural, Unfinished
from ..errors import UsageError
from ..given import Evidence
from ..nets._context import Context
from ..rng import Rng
from ..space import Discrete, Many, Space
from ._sequence_given import Told

NOTHING = torch.zeros(0, dtype=torch.long)
Known = Mapping[str, Batch]
F = TypeVar("F", bound=Family)


class Standing(Cache, Protocol):
    """Where several sequences stand: their lengths, which have ended, and the log weights of the next token, (B, size + 1)."""

    length: Tensor
    ended: Tensor
    law: Tensor
    longest: int
    stopped: bool

    def push(self, token: Tensor) -> None: ...


@runtime_checkable
class Tellable(Protocol):
    """A context of which parts may go untold."""

    partly: bool
    sizes: tuple[int, ...] | None


class Sequences(Neural[F]):
    """p(item) = prod_t p(token t | those before it), the end of the item being the last token.

    Token number `size` ends an item and stands before its first. `beside` is the network of what is known beside the items, if anything is.
    """

    beside: Context | None

    def __init__(self, family: F, space: Space, rng: Rng, about: Mapping[str, Space]) -> None:
        if not isinstance(space, Many) or not isinstance(space.of, Discrete):
            raise TypeError(f"{type(family).__name__} models a Many of Discrete")
        self.size, self.at_most, self.fixed = space.of.each[0], space.at_most, space.fixed
        super().__init__(family, space, rng, about)

    @abstractmethod
    def begin(self, prompt: Batch) -> Standing:
        """Where sequences that begin so stand; those of a model with a context need theirs."""

    @abstractmethod
    def told(self, batch: Batch, first: int, end: bool) -> Tensor:
        """Log mass of each item from its element `first` on, given those before and its context, (B,); `end`: its end included."""

    def log_prob(self, batch: Batch) -> Tensor:
        """Log mass of whole items, their end included, (B,) float64; -inf for those longer than `at_most`."""
        return self.log_prob_from(batch, 0)

    @torch.no_grad()
    def log_prob_from(self, batch: Batch, first: int, end: bool = True) -> Tensor:
        """Log mass of each item from its element `first` on, given those before, (B,)."""
        if self.beside is not None and not batch.context and not self.untold:
            return self._any_label(batch, first, end)
        return self.told(batch, first, end).where(self._possible(batch.lengths, end), -torch.inf)

    @property
    def untold(self) -> bool:
        """Whether items have a law of their own where nothing is said beside them, and not that of labels by their shares."""
        return isinstance(self.beside, Tellable) and self.beside.partly and self.beside.sizes is None

    def _possible(self, length: Tensor, end: bool) -> Tensor:
        """Whether an item may have this length, or begin so."""
        return length == self.at_most if end and self.fixed else length <= self.at_most

    def _any_label(self, batch: Batch, first: int, end: bool) -> Tensor:
        """Items without labels: the sum over labels, each by its share and what comes before `first`."""
        if not first:
            return self.by_label(batch, 0, end).logsumexp(0)
        return (self.by_label(batch, 0, end).logsumexp(0) - self.by_label(_begun(batch, first), 0, False).logsumexp(0)).nan_to_num(nan=-torch.inf)

    def by_label(self, batch: Batch, first: int, end: bool) -> Tensor:
        """log p(label, item), (labels, B)."""
        if self.beside is None:
            raise TypeError("nothing is known beside these items")
        return torch.stack([share + self.log_prob_from(replace(batch, context=said), first, end) for said, share in self.beside.every(len(batch))])

    @torch.no_grad()
    def step(self, cache: Standing, token: Tensor | None) -> Tensor:
        """Log weights of the next token, (B, size + 1), after taking one in; the end is certain once there are `at_most`."""
        if token is not None:
            cache.push(token)
        law = self.goes_on(cache.law)
        if not cache.stopped and cache.longest < self.at_most:
            return law
        done = cache.ended | (cache.length >= self.at_most)
        only = torch.full((self.size + 1,), -torch.inf).index_fill(0, torch.tensor(self.size), 0.0)
        return only.where(done[:, None], law)

    def cost(self, logits: Tensor, targets: Tensor) -> Tensor:
        """-log p of every target that is one, 0 elsewhere, (B, T)."""
        return cross_entropy(self.goes_on(logits).flatten(0, -2), self.asked(targets).flatten(), ignore_index=-1, reduction="none").view(targets.shape)

    def asked(self, targets: Tensor) -> Tensor:
        """Targets, -1 where there is none: the end of items of one length is none."""
        return targets.masked_fill(targets == self.size, -1) if self.fixed else targets

    def goes_on(self, logits: Tensor) -> Tensor:
        """Log weights (..., size + 1) of tokens and the end: nobody ends by choice where all items have one length."""
        if not self.fixed:
            return logits
        last = logits.shape[-1] - 1
        return logits.masked_fill(torch.arange(last + 1, device=logits.device) == last, -torch.inf)

    def sample(self, n: int, rng: Rng, how: How | None = None) -> Batch:
        """Token by token until all have ended; labels by their shares."""
        return Told(self, {}, NOTHING).sample(n, rng, how)

    def draw(self, n: int, rng: Rng, context: Known, how: How | None = None) -> Batch:
        """Items, each given its own context."""
        if isinstance(how, Searches):
            raise UsageError("a search finds items of one context, not of several", code="HOW", param="how", remedy="give one")
        return self.drawing(NOTHING, context).items(n, rng, how)

    def unfold(self, n: int, rng: Rng, how: How | None = None, since: Unfinished | None = None) -> Iterator[Unfinished]:
        """The same, token by token."""
        return Told(self, {}, NOTHING).unfold(n, rng, how, since)

    def drawing(self, prefix: Tensor, context: Known) -> Drawing:
        """Items that begin with the prefix, each given its own context."""
        def begins(start: int, stop: int) -> Standing:
            many = stop - start
            told = {k: b.cut(start, stop) for k, b in context.items()}
            return self.begin(Batch(Batch(prefix.repeat(many)), length=torch.full((many,), len(prefix)), context=told))

        return Drawing(self, begins, prefix, self.at_most - len(prefix))

    def given(self, evidence: Evidence, rng: Rng) -> Told | None:
        """A context and how an item begins are met exactly; nothing else is."""
        return Told(self, {}, NOTHING).given(evidence, rng)


def refuses_sequence(space: Space) -> str | None:
    """Why these are no sequences of single whole numbers, or None if they are."""
    fits = isinstance(space, Many) and space.ordered and isinstance(space.of, Discrete) and space.of.shape == () and (space.fixed or not space.at_least)
    return None if fits else "takes sequences of single whole numbers, of any length or all of one"


def _begun(batch: Batch, first: int) -> Batch:
    """The first elements of each item."""
    return Batch(batch.elements.take(batch.rows()[1] < first), length=batch.lengths.clamp_max(first))
