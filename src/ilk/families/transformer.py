"""Transformer: a causal decoder over tokens of the Llama shape, exact masses of sequences of any length, on labels or pictures if need be."""
from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from math import ceil
from typing import Annotated, Literal

import torch
from annotated_types import Interval
from torch import Tensor, nn

from ..batch import Batch, Source
from ..distribution import Family, Phase, Plan
from ..nets._decoder import Decoder, Encoder, Shape, gram_places
from ..recipe import Tried
from ..rng import Rng
from ..run import Run
from ..space import Space
from ..train.loop import train
from ._sequence import Known, refuses_sequence
from ._sequence_rows import Line, Packed, Rows, law_rows, training_rows, whole
from ._sequence_windows import Windowed
from ._transformer_cache import Stand
from ._transformer_prefix import Prefix

TOKENS = 3072  # of a training batch


class Transformed(Windowed["Transformer"]):
    """Next tokens by a decoder.

    What a token depends on is a window: of the first `context` tokens (the end included), all before them; from then on it
    moves by half a context at a time, so that every token is predicted from at least half a context and at most a whole one.
    Items are scored and drawn by this one law.
    """

    beside: Prefix | None
    often = 1

    def build_net(self) -> None:
        """The decoder, and what puts a context before it or reads it as a source."""
        cross = bool(self.about) and self.family.conditioning == "cross"
        shape = replace(self.family.shape(self.size + 1), cross=cross)
        self.net = Decoder(shape)
        self.beside = Prefix(self.about, self.family.width, self.family.drop > 0) if self.about else None
        self.encoder = Encoder(shape) if cross else None

    def fit(self, data: Source, run: Run, valid: Source | None = None) -> None:
        """Trains on rows of packed items: short ones whole, windows of long ones at several offsets."""
        batch = whole(data)
        if self.beside is not None:
            self.beside.prepare(batch.context)
        line, context = Line.of(batch, self.size), self.family.context
        rows, self.often = training_rows(line, context, self._alone(batch))
        train(self, Packed(line, rows, batch.context, batch.weight), run, self.held_out(valid))

    def rows(self, batch: Batch) -> tuple[Line, Rows]:
        """Windows that move by half a context."""
        line = Line.of(batch, self.size)
        return line, law_rows(line, self.family.context, self._alone(batch))

    def _alone(self, batch: Batch) -> bool:
        return self.beside is not None or batch.weight is not None

    def phases(self) -> Sequence[Phase]:
        """The negative log-likelihood of tokens."""
        return [Phase("transformer", self.parameters, self.loss, matrices=self._matrices)]

    def _matrices(self) -> list[nn.Parameter]:
        return [p for net in (self.net, self.encoder) if net is not None for p in net.layers.parameters() if p.ndim == 2]

    def plan(self, items: int) -> Plan:
        """So many passes over the rows, in batches of about 3,000 tokens."""
        rows = max(1, items // self.often)
        batch = max(1, TOKENS // self.family.context)
        steps = int(min(max(200, self.family.epochs * ceil(rows / batch)), 100_000))
        return Plan(steps=steps, batch=batch, rate=3e-3, weight_decay=0.01, evaluate_every=max(50, steps // 12), low_precision=True)

    def loss(self, batch: Batch, rng: Rng) -> Tensor:
        """Nats of each row over the mean number of its targets, (B,); parts of the context are left out with chance `drop`."""
        if self.beside is None or not self.family.drop:
            return super().loss(batch, rng)
        inputs, targets = batch.tensor.unbind(1)
        keep = self.beside.kept(self.family.drop, len(batch), rng.child("drop"))
        return self.nats(inputs, targets, batch.context, keep).sum(1) / (targets >= 0).sum(1).float().mean().clamp_min(1)

    def nats(self, inputs: Tensor, targets: Tensor, context: Known, keep: Tensor | None = None) -> Tensor:
        """-log p of every target that is one, 0 elsewhere, (B, T)."""
        before = gram_places(inputs, self.net.shape) if self.family.ngrams else None
        h = self.net.embedded(inputs, before)
        lead, source = self._led(len(h), context, h.dtype, keep)
        h = self.net(torch.cat([lead, h], 1), self._mask(inputs, h.dtype, lead.shape[1]), source)[:, -inputs.shape[1]:]
        return self.cost(self.net.logits(h), targets)

    def _led(self, n: int, context: Known, dtype: torch.dtype, keep: Tensor | None = None) -> tuple[Tensor, Tensor | None]:
        """What stands before the tokens of each item, (n, places, width), and the source that they attend to, if there is one."""
        told = torch.zeros(n, 0, self.family.width, dtype=dtype, device=self.net.embed.weight.device) if self.beside is None else self.beside(context, n, keep).to(dtype)
        return (told, None) if self.encoder is None else (told[:, :0], self.encoder(told))

    def _mask(self, inputs: Tensor, dtype: torch.dtype, lead: int = 0) -> Tensor:
        """What is added to scores: -inf for what comes later, and for other items where a row holds several."""
        place = torch.arange(lead + inputs.shape[1], device=inputs.device)
        seen = place[:, None] >= place
        if self.beside is None and bool((inputs[:, 1:] == self.size).any()):
            item = (inputs == self.size).cumsum(1)
            seen = (seen & (item[:, :, None] == item[:, None]))[:, None, None]
        return torch.zeros(seen.shape, dtype=dtype, device=inputs.device).masked_fill_(~seen, -torch.inf)

    def begin(self, prompt: Batch) -> Stand:
        """Where sequences that begin so stand; those of a model with a context need theirs."""
        with torch.no_grad():
            lead, source = self._led(len(prompt), prompt.context, torch.float32)
            return Stand(self.net, lead, self.family.context, prompt.padded(0), prompt.lengths.clone(), source)

    def room(self, cache: Stand) -> int:
        """How many tokens one sequence can take in at once."""
        return cache.room

    def read(self, cache: Stand, tokens: Tensor) -> Tensor:
        """Log weights of the next token after each of some tokens of one sequence, (T, size + 1), in one pass."""
        return self.goes_on(cache.read(tokens))

    def back(self, cache: Stand, many: int) -> None:
        """The sequence without the last so many tokens of those read at last."""
        cache.back(many)


@dataclass(frozen=True, kw_only=True)
class Transformer(Family):
    """A decoder of `layers` layers of `width` numbers, with `heads` heads of attention that share `kv_heads` keys (0: as many).

    A token is predicted from at most `context` tokens. `tie` uses the embeddings for the output too; `ngrams` rows of hashed
    bigrams and trigrams are added to them (0: none). What is known beside the items stands before their tokens (`prefix`), or as
    many layers read it as a source that every layer attends to (`cross`); with `drop` above 0 any part of it may go untold.
    `epochs` are passes over the data when no budget is set.

    >>> from ilk.rng import Rng
    >>> from ilk.space import Discrete, Many
    >>> model = Transformer(layers=1, heads=2, width=16).build(Many(Discrete(2), 3), Rng(0))
    >>> items = Batch(Batch(torch.tensor([0, 1, 0])), length=torch.tensor([1, 2]))
    >>> model.step(model.begin(items), None).softmax(1).sum(1).round(decimals=3)
    tensor([1., 1.])
    """

    distribution = Transformed
    layers: Annotated[int, Interval(ge=1, le=96), Tried(2, 4, 6)] = 4
    heads: Annotated[int, Interval(ge=1, le=128)] = 4
    kv_heads: Annotated[int, Interval(ge=0, le=128)] = 0
    width: Annotated[int, Interval(ge=2, le=16_384), Tried(64, 128, 192)] = 128
    context: Annotated[int, Interval(ge=2, le=131_072)] = 128
    dropout: Annotated[float, Interval(ge=0, lt=1), Tried(0.0, 0.1, 0.2)] = 0.0
    tie: bool = True
    ngrams: Annotated[int, Interval(ge=0, le=10_000_000)] = 0
    conditioning: Literal["prefix", "cross"] = "prefix"
    drop: Annotated[float, Interval(ge=0, lt=1)] = 0.0
    epochs: Annotated[int, Interval(ge=1, le=100_000)] = 10

    def shape(self, tokens: int) -> Shape:
        """The sizes of the decoder; the gated network is two thirds of four widths, in steps of 32."""
        hidden = max(32, round(8 * self.width / 3 / 32) * 32)
        return Shape(tokens, self.layers, self.heads, self.kv_heads or self.heads, self.width, hidden, self.dropout, self.tie, self.ngrams)

    def refuses(self, space: Space) -> str | None:
        """Anything but a sequence of single whole numbers; widths that the heads can't share."""
        if why := refuses_sequence(space):
            return why
        if self.width % (2 * self.heads) or self.heads % (self.kv_heads or self.heads):
            return f"needs a width that is a multiple of twice the heads, and heads a multiple of kv_heads: not {self.width}, {self.heads} and {self.kv_heads}"
        return None

    @classmethod
    def refuses_context(cls, about: Mapping[str, Space]) -> str | None:
        """Labels, numbers, pictures and short sequences."""
        return Prefix.refuses(about)
