"""The contracts of a family: what it declares, what its distribution does, and what it may also do."""
from __future__ import annotations

from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Annotated, Any, ClassVar, Generic, Literal, Protocol, TypeVar, runtime_checkable

import torch
from pydantic import GetPydanticSchema
from pydantic_core import core_schema
from torch import Tensor, nn

from .batch import Batch, Source, stack
from .errors import ModelError, UsageError
from .given import Evidence
from .rng import Rng
from .run import Run
from .space import Discrete, Maybe, Reals, Row, Space
from .store import State

Sort = Literal["exact", "bound", "estimate"]
Keeps = Literal["bijection", "cells", "refines", "many_to_one", "lossy"]
_SORT_OF: Mapping[Keeps, Sort] = {"bijection": "exact", "cells": "exact", "refines": "bound", "many_to_one": "bound"}


def weakest(*sorts: Sort) -> Sort:
    """The sort of a sum: a bound if any is (with whatever error an estimate adds), else an estimate if any is."""
    return max(sorts, key=("exact", "estimate", "bound").index)


def sort_of(keeps: Keeps) -> Sort:
    """What a codec leaves of an exact density; UsageError for one that loses information."""
    if keeps not in _SORT_OF:
        raise UsageError("this way of coding the data loses information, so there is no score in raw units", code="NO_SCORE")
    return _SORT_OF[keeps]


@dataclass(frozen=True)
class Met:
    """How a given was met.

    `log_mass` is log p(what is given) under the model, in nats (a log density where a continuous value is kept);
    `ess` the effective sample size of an estimate; `obeys` the measured share of the draws that obey; `cost` how many draws an item takes.
    """

    sort: Literal["exact", "estimate", "guided", "rejected"]
    log_mass: float = 0.0
    log_mass_error: float = 0.0
    ess: float | None = None
    obeys: float = 1.0
    cost: float = 1.0


@dataclass(frozen=True)
class How:
    """A way to draw: subclasses are frozen dataclasses, one file each in samplers/ or decoding/."""


F = TypeVar("F", bound="Family")
T = TypeVar("T")


class Distribution(ABC, Generic[F]):
    """A family built for one space; it holds what was learned."""

    def __init__(self, family: F, space: Space, rng: Rng, about: Mapping[str, Space]) -> None:
        self.family, self.space, self.about = family, space, about

    @abstractmethod
    def fit(self, data: Source, run: Run, valid: Source | None = None) -> None:
        """Learns from the data; calls `run.tick(self.state)` at safe points; `valid` chooses the best where that matters."""

    @abstractmethod
    def state(self) -> State:
        """All that was learned."""

    @abstractmethod
    def restore(self, state: State) -> None:
        """Takes a state back; ModelError if it does not fit."""


@dataclass(frozen=True, kw_only=True)
class Family(ABC):
    """A recipe: the options of one family, as plain data with ranges. It is the config file, the flags and the JSON."""

    distribution: ClassVar[type[Distribution[Any]]]
    needs: ClassVar[Mapping[str, Space]] = {}   # what has to be known beside every item, if anything

    @abstractmethod
    def refuses(self, space: Space) -> str | None:
        """Why it can't model this space, or None if it can. Where no option matters, a class method."""

    def refuses_context(self, about: Mapping[str, Space]) -> str | None:
        """Why it can't learn p(x | context), or None if it can; most families can't."""
        return f"learns nothing from {', '.join(about)} beside the items"

    def build(self, space: Space, rng: Rng, about: Mapping[str, Space] | None = None) -> Distribution[Any]:
        """An unfitted distribution over the space. It draws only what `restore` overwrites."""
        name = type(self).__name__
        if why := self.refuses(space):
            raise UsageError(f"{name} {why}; got {space}", code="SPACE")
        if about and (why := self.refuses_context(about)):
            raise UsageError(f"{name} {why}", code="CONTEXT")
        if absent := [f"a {k}, {describe(s)}," for k, s in self.needs.items() if k not in (about or {})]:
            raise UsageError(f"{name} needs {' and '.join(absent)} beside every item", code="CONTEXT")
        return self.becomes(space)(self, space, rng, about or {})

    def becomes(self, space: Space) -> type[Distribution[Any]]:
        """What it is once built for a space that it takes."""
        return self.distribution


@dataclass(frozen=True)
class Port:
    """What a network is for: it maps (B, *takes), and (B, about) beside it if `about` > 0, to (B, *gives).

    One that denoises is told a time too: x (B, *takes), time (B,) from 0 (no noise) to 1000, then the context if there is one.
    Where `words` > 0 there are also vectors of words, (B, places, words), for one that `Looks`.
    """

    role: Literal["encode", "decode", "denoise", "next", "score"]
    takes: tuple[int, ...]
    gives: tuple[int, ...]
    about: int = 0
    words: int = 0


@runtime_checkable
class Net(Protocol):
    """A recipe of nets/, or any callable from Port to nn.Module: a user's own class will do."""

    def __call__(self, port: Port, /) -> nn.Module: ...


@runtime_checkable
class Looks(Protocol):
    """A network that denoises and looks at words while it does: at their vectors (B, places, words) wherever `there` (B, places) is true."""

    def look(self, x: Tensor, time: Tensor, about: Tensor, words: Tensor, there: Tensor) -> Tensor: ...


AnyFamily = Annotated[Family, GetPydanticSchema(lambda source, handler: core_schema.any_schema())]  # a family inside another: checked by its own recipe
AnyNet = Annotated[Net | None, GetPydanticSchema(lambda source, handler: core_schema.any_schema())]  # checked by its own recipe


@dataclass(frozen=True)
class Phase:
    """One optimiser's share of training; the one loop knows nothing else.

    `loss` is per example, (B,), so that its mean trains, its values audit and its gradients can be clipped one by one.
    `matrices` are those of `params` between hidden layers, if they shall learn by Muon instead of AdamW, whose `betas` are the
    memory of the mean of gradients and of their squares. `before` is told before each step how much of the budget is used, from 0 to 1.
    """

    name: str
    params: Callable[[], Iterable[nn.Parameter]]
    loss: Callable[[Batch, Rng], Tensor]
    every: int = 1
    rate: float = 1.0
    after: Callable[[], None] | None = None
    rows: Literal["independent", "coupled"] = "independent"
    matrices: Callable[[], Iterable[nn.Parameter]] | None = None
    before: Callable[[float], None] | None = None
    betas: tuple[float, float] = (0.9, 0.99)


@dataclass(frozen=True)
class Plan:
    """How long and in what strides a network trains when nobody says: a function of the family and the data.

    `low_precision`: the networks gain by bfloat16 where the machine is fast at it, and no phase has an `after`.
    `begins_good`: the weights before the first step are judged too, and may be the best.
    """

    steps: int
    batch: int
    rate: float
    weight_decay: float = 0.01
    ema: float = 0.0
    evaluate_every: int = 100
    low_precision: bool = False
    begins_good: bool = False


class Neural(Distribution[F], nn.Module):
    """A distribution made of networks: fit, adapt, state and restore for free."""

    begun: bool = False   # whether training goes on from the weights that there are

    def __init__(self, family: F, space: Space, rng: Rng, about: Mapping[str, Space]) -> None:
        nn.Module.__init__(self)
        Distribution.__init__(self, family, space, rng, about)
        with rng.as_global():
            self.build_net()
        self.eval()

    @abstractmethod
    def build_net(self) -> None:
        """Makes the networks; torch's global generator is seeded for `nn.init` meanwhile."""

    @abstractmethod
    def phases(self) -> Sequence[Phase]:
        """What is optimised, and how."""

    @abstractmethod
    def plan(self, items: int) -> Plan:
        """How to train on so many items by default."""

    def prepare(self, data: Source) -> None:
        """Looks at the data before training: scales, first biases. By default nothing."""

    def validate(self, batch: Batch, rng: Rng) -> Tensor:
        """Loss per held-out item, (B,): that of the first phase unless a family knows better."""
        return self.phases()[0].loss(batch, rng)

    def fit(self, data: Source, run: Run, valid: Source | None = None) -> None:
        """The one training loop."""
        from .train.loop import train

        train(self, data, run, valid)

    def adapt(self, data: Source, run: Run, valid: Source | None = None) -> None:
        """The fit, from the weights that there are: they count as the best until others are better by `valid`."""
        self.begun = True
        self.fit(data, run, valid)

    def state(self) -> State:
        """Parameters and buffers by name."""
        return State({k: v.detach() for k, v in self.state_dict().items()})

    def restore(self, state: State) -> None:
        """Takes them back; ModelError when names or shapes differ."""
        try:
            self.load_state_dict(dict(state.tensors))
        except RuntimeError as why:
            raise ModelError(f"the weights do not fit the recipe: {str(why).splitlines()[-1].strip()}", code="WEIGHTS_SHAPE") from None
        self.eval()


@runtime_checkable
class Samples(Protocol):
    """Makes items; row i of the noise depends on neither n nor the other rows."""

    def sample(self, n: int, rng: Rng, how: How | None = None) -> Batch: ...


@runtime_checkable
class Draws(Protocol):
    """Makes items each given its own context, one batch of n per name."""

    def draw(self, n: int, rng: Rng, context: Mapping[str, Batch], how: How | None = None) -> Batch: ...


@runtime_checkable
class HasLogProb(Protocol):
    """Exact log density or mass in nats, one number per item, (B,) float64."""

    def log_prob(self, batch: Batch) -> Tensor: ...


@runtime_checkable
class HasBound(Protocol):
    """A lower bound on the log density in nats, (B,); random, and its mean is a bound too."""

    def log_prob_bound(self, batch: Batch, rng: Rng) -> Tensor: ...


@runtime_checkable
class HasEstimate(Protocol):
    """An estimate of the log density in nats and its standard error, both (B,)."""

    def log_prob_estimate(self, batch: Batch, rng: Rng) -> tuple[Tensor, Tensor]: ...


@runtime_checkable
class Posterior(Protocol):
    """A distribution with something known: it samples, scores in its own way, and says how the evidence was met."""

    met: Met

    def sample(self, n: int, rng: Rng, how: How | None = None) -> Batch: ...


@runtime_checkable
class Conditions(Protocol):
    """p(x) -> p(x | evidence), as another distribution; None: not this sort of evidence."""

    def given(self, evidence: Evidence, rng: Rng) -> Posterior | None: ...


@runtime_checkable
class Quantiles(Protocol):
    """A real number of each of several items, as a law."""

    def quantile(self, level: float) -> Tensor: ...


Marginal = Tensor | Quantiles   # of m items: log weights of the values of a whole number, (m, values), or the law of a real one


@runtime_checkable
class Completion(Protocol):
    """p(unknown | known) of each of several items: `log_mass` is log p(known) in nats, (B,); `ess`, (B,), says how good an estimate is, None that it is exact.

    `draw` makes every item once, its unknown places together; `marginals` has one law a place, of the items where it is unknown, in order.
    """

    log_mass: Tensor
    ess: Tensor | None

    def draw(self, rng: Rng) -> Batch: ...
    def marginals(self) -> Sequence[Marginal]: ...


@runtime_checkable
class Completes(Protocol):
    """Items with places known and unknown, each given its own: all in one pass, where `given` takes one at a time.

    `known` is (B, places): a place is an element of a part, row by row, part after part; what a batch holds where it is unknown means nothing.
    `evidence` is of all items alike; None is answered where it is of a sort that can't be met for many at once.
    """

    def given_each(self, batch: Batch, known: Tensor, evidence: Evidence | None, rng: Rng) -> Completion | None: ...


@runtime_checkable
class Encodes(Protocol):
    """Maps items to codes of another space and back: a fitted autoencoder is a codec."""

    def encode(self, batch: Batch) -> Batch: ...
    def decode(self, codes: Batch) -> Batch: ...
    def code_space(self) -> Space: ...


@runtime_checkable
class Translates(Protocol):
    """Items of another domain become items of domain `to`, one of the labels it was fitted with; the same every time."""

    def translate(self, batch: Batch, to: int) -> Batch: ...


@runtime_checkable
class Infers(Protocol):
    """A latent-variable model, p(x | z) and q(z | x): any prior over its codes makes a model of items.

    `infer` draws codes from q and gives their log density, `log_likelihood` is log p(x | z), both (B,) nats; `emit` draws from p(x | z).
    """

    def infer(self, batch: Batch, rng: Rng) -> tuple[Batch, Tensor]: ...
    def log_likelihood(self, batch: Batch, codes: Batch) -> Tensor: ...
    def emit(self, codes: Batch, rng: Rng) -> Batch: ...


@runtime_checkable
class Denoises(Protocol):
    """x = data + sigma * noise -> the expected data; networks with another scaling convert inside."""

    def denoise(self, x: Tensor, sigma: Tensor, context: Mapping[str, Batch]) -> Tensor: ...


@runtime_checkable
class Defers(Protocol):
    """Makes items of what another distribution draws: that is what a way of drawing is asked of."""

    @property
    def through(self) -> Any: ...


@runtime_checkable
class Converses(Protocol):
    """Answers turns (ilk.chat): a bare string that it is given is a prompt, and a way of drawing is passed on as what is wanted."""

    @property
    def chat(self) -> Any: ...
    def want(self, how: How | None) -> Any: ...


@runtime_checkable
class Tells(Protocol):
    """Has its own way of telling captions, in place of that by words."""

    vocabulary: Any


@runtime_checkable
class Restores(Protocol):
    """Items with Gaussian noise of a known standard deviation, (B,) in their own units -> the expected items without."""

    def restored(self, batch: Batch, noise: Tensor) -> Batch: ...


@runtime_checkable
class Revises(Protocol):
    """Items made anew from partway: `strength` 0 leaves them as they are, 1 nothing of them."""

    def revise(self, batch: Batch, strength: float, rng: Rng, how: How | None = None) -> Batch: ...


@runtime_checkable
class Upscales(Protocol):
    """Small pictures, means of blocks of large ones -> large pictures; UsageError for a size that it does not enlarge."""

    def upscale(self, batch: Batch, rng: Rng, how: How | None = None) -> Batch: ...


@runtime_checkable
class Truncates(Protocol):
    """Makes items from random codes that may be drawn nearer to their middle: `psi` 1 as learned, 0 nothing but the middle."""

    def truncated(self, n: int, rng: Rng, context: Mapping[str, Batch], psi: float) -> Batch: ...


class Cache(Protocol):
    """Where a next-token model stands in each of several sequences."""

    def pick(self, rows: Tensor) -> Cache: ...
    def cut(self, length: int) -> Cache: ...


@runtime_checkable
class Joins(Cache, Protocol):
    """A Cache to which the sequences of others can be added, so that all go on side by side."""

    def joined(self, others: Sequence[Any]) -> Cache: ...


@runtime_checkable
class Begins(Cache, Protocol):
    """A Cache of one sequence that knows where it stood after its first elements, to be read on from there; None where it does not."""

    def begun(self, length: int) -> Cache | None: ...


@runtime_checkable
class NextToken(Protocol):
    """Log weights of the next token, (B, tokens + 1); the last one ends the sequence. `token` None: as after `begin`."""

    def begin(self, prompt: Batch) -> Cache: ...
    def step(self, cache: Any, token: Tensor | None) -> Tensor: ...


@dataclass(frozen=True, eq=False)
class Unfinished:
    """Some items while they are made, after `step` of `of` steps at most: `items` as they look now, what they are told being their context.

    `way` is what has to be known to go on from here, `ahead` what was drawn before its time or is remembered to go on more closely: both a
    row an item. Those `branched` have no `ahead`, and going on is a draw of its own of what may follow.
    """

    items: Batch
    step: int
    of: int
    way: Mapping[str, Tensor] = field(default_factory=dict)
    ahead: Mapping[str, Tensor] = field(default_factory=dict)
    branched: bool = False
    inside: Unfinished | None = None   # of the codes that the items are made of

    def take(self, rows: Tensor) -> Unfinished:
        """Some of them, perhaps several times."""
        way, ahead = ({k: t[rows] for k, t in of.items()} for of in (self.way, self.ahead))
        return replace(self, items=self.items.take(rows), way=way, ahead=ahead, inside=self.inside and self.inside.take(rows))

    def freed(self, branched: bool) -> Unfinished:
        """The same without what was drawn before its time; `branched` or as it was."""
        return replace(self, ahead={}, branched=branched or self.branched, inside=self.inside and self.inside.freed(branched))

    @staticmethod
    def joined(parts: Sequence[Unfinished]) -> Unfinished:
        """States side by side, with what all of them have."""
        way, ahead = ({k: torch.cat([d[k] for d in side]) for k in side[0] if all(k in d for d in side)} for side in ([p.way for p in parts], [p.ahead for p in parts]))
        return replace(max(parts, key=lambda p: p.step), items=stack([p.items for p in parts]), of=max(p.of for p in parts), way=way, ahead=ahead)

    @staticmethod
    def together(walks: Sequence[Iterator[Unfinished]], begun: Sequence[Unfinished] = ()) -> Iterator[Unfinished]:
        """The states of several walks side by side, until the longest ends; those that go on from states that have `begun` may have none."""
        now = list(begun)
        while True:
            ahead = [next(walk, None) for walk in walks]
            if all(state is None for state in ahead):
                return
            now = [state for later, before in zip(ahead, now or ahead, strict=True) if (state := later or before)]
            yield Unfinished.joined(now)


def end(states: Iterator[T]) -> T:
    """The last of them, the others forgotten at once."""
    return deque(states, maxlen=1).pop()


@runtime_checkable
class Unfolds(Protocol):
    """What `sample` makes, while it is made: states of the same n items from step 0 on, where nothing is decided; the last is `sample`'s.

    `since`: a state of this body with n items, whatever was given when it came about; then come the states after it.
    """

    def unfold(self, n: int, rng: Rng, how: How | None = None, since: Unfinished | None = None) -> Iterator[Unfinished]: ...


@runtime_checkable
class HasStatistics(Protocol):
    """Learns from sums: statistics of parts add up to those of the whole, so fits stream, spread and merge exactly."""

    def statistics(self, batch: Batch) -> State: ...
    def add(self, one: State, other: State) -> State: ...
    def absorb(self, state: State) -> None: ...


@runtime_checkable
class Adapts(Protocol):
    """Goes on learning from what it is, by data that are related to those it was fitted on."""

    def adapt(self, data: Source, run: Run, valid: Source | None = None) -> None: ...


@runtime_checkable
class Counted(Protocol):
    """Learns nothing but counts of whole items: what two learned adds up, and what some items gave can be taken away again.

    `counted` is the `statistics` of all items learned from; `less` takes some away, DataError where they can't be among those.
    """

    def counted(self) -> State: ...
    def less(self, whole: State, part: State) -> State: ...


def describe(space: Space) -> str:
    """A space in a few words for people.

    >>> describe(Maybe(Discrete(3)))
    'one of 3, or missing'
    """
    match space:
        case Reals(shape=()):
            return "a number"
        case Reals(shape=shape):
            return f"{'x'.join(map(str, shape))} numbers"
        case Discrete(sizes=sizes, shape=()):
            return f"one of {sizes if isinstance(sizes, int) else sizes[0]}"
        case Discrete(shape=shape):
            return f"{'x'.join(map(str, shape))} whole numbers below {max(space.each)}"
        case Row(parts=parts):
            return f"a row of {len(parts)}"
        case Maybe(of=of):
            return f"{describe(of)}, or missing"
        case _:
            return f"{'' if space.fixed else 'up to '}{space.at_most} of: {describe(space.of)}"
