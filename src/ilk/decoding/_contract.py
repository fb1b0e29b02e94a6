"""What a way of drawing tokens is, and what the ways share."""
from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol, runtime_checkable

import torch
from torch import Tensor

from ..distribution import Cache, How, NextToken
from ..errors import UsageError
from ..rng import Rng


@runtime_checkable
class Decoding(Protocol):
    """A How for tokens: log weights (n, tokens + 1) to log weights, and a bound on the elements drawn."""

    most: int | None

    def logits(self, log_weight: Tensor) -> Tensor: ...


@runtime_checkable
class Walks(Protocol):
    """A Decoding that also forbids tokens by what came before: states of a machine, one number a sequence, from `first` on."""

    first: int

    def allowed(self, states: Tensor) -> Tensor: ...
    def after(self, states: Tensor, token: Tensor) -> Tensor: ...


@runtime_checkable
class Searches(Protocol):
    """A How that looks for items instead of drawing them: the best first, each as its tokens from where the cache stands."""

    def search(self, model: NextToken, cache: Cache, most: int) -> Sequence[Tensor]: ...


@runtime_checkable
class Writes(Protocol):
    """A How that draws one item at a time by steps of its own: its tokens from where the cache stands, after the prefix."""

    def write(self, model: NextToken, cache: Cache, prefix: Tensor, most: int, rng: Rng) -> Tensor: ...


@runtime_checkable
class Looks(NextToken, Protocol):
    """A NextToken that takes in several tokens of one sequence in one pass, `room` at most, and takes the last ones back."""

    def room(self, cache: Any) -> int: ...
    def read(self, cache: Any, tokens: Tensor) -> Tensor: ...
    def back(self, cache: Any, many: int) -> None: ...


@runtime_checkable
class Remembers(Protocol):
    """A Decoding that first bends log weights (n, tokens + 1) by the tokens that came before, (n, so many)."""

    def bent(self, log_weight: Tensor, before: Tensor) -> Tensor: ...


def decoding(how: How | None) -> Decoding | None:
    """The how as a way of drawing tokens; UsageError for one that is not."""
    if how is None or isinstance(how, Decoding):
        return how
    raise UsageError(f"{type(how).__name__} does not draw tokens", remedy="Ancestral, TopK, TopP, MinP, Repetition and Form do", code="HOW")


def tempered(log_weight: Tensor, temperature: float) -> Tensor:
    """Normalised log weights at a temperature, float64: below 1 sharper, above 1 flatter."""
    return (log_weight.double() / temperature).log_softmax(-1)


def kept(log_weight: Tensor, keep: Tensor) -> Tensor:
    """Log weights where `keep` is true, -inf elsewhere."""
    return log_weight.masked_fill(~keep, -torch.inf)
