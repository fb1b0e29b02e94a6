"""Transformer: a causal decoder over tokens of the Llama shape, exact masses of sequences of any length, on labels or pictures if need be."""
from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from math import ceil
from typing import Annotated

import numpy as np
import torch
from annotated_types import Interval
from torch import Tensor
from torch.nn.functional import cross_entropy

from ..batch import Batch, Source, stack
from ..decoding._contract import Searches
from ..decoding._draw import continued
from ..distribution import Family, How, Neural, Phase, Plan
from ..errors import UsageError
from ..given import Evidence
from ..nets._decoder import Decoder, Shape, gram_places
from ..rng import Rng
from ..run import Run
from ..space import Discrete, Many, Space
from ..train.loop import train
from ._transformer_cache import Stand
from ._transformer_given import Told
from ._transformer_prefix import Prefix
from ._transformer_rows import Line, Packed, Rows, law_rows, training_rows

TOKENS, CHECKED, SCORED = 3072, 256, 64  # tokens of a training batch, rows that validate, rows scored at once
NOTHING = torch.zeros(0, dtype=torch.long)
Known = Mapping[str, Batch]


class Sequences(Neural["Transformer"]):
    """p(item) = prod_t p(token t | those before it), the end of the item being the last token.

    Token number `size` ends an item and stands before its first. What a token depends on is a window: of the first `context`
    tokens (the end included), all before them; from then on it moves by half a context at a time, so that every token is
    predicted from at least half a context and at most a whole one. Items are scored and drawn by this one law.
    """

    def __init__(self, family: Transformer, space: Space, rng: Rng, about: Mapping[str, Space]) -> None:
        if not isinstance(space, Many) or not isinstance(space.of, Discrete):
            raise TypeError("a transformer models a Many of Discrete")
        self.size, self.at_most, self.often = space.of.each[0], space.at_most, 1
        super().__init__(family, space, rng, about)

    def build_net(self) -> None:
        """The decoder, and what puts a context before it."""
        self.net = Decoder(self.family.shape(self.size + 1))
        self.prefix = Prefix(self.about, self.family.width) if self.about else None

    def fit(self, data: Source, run: Run, valid: Source | None = None) -> None:
        """Trains on rows of packed items: short ones whole, windows of long ones at several offsets."""
        batch = _whole(data)
        if self.prefix is not None:
            self.prefix.prepare(batch.context)
        line, context = Line.of(batch, self.size), self.family.context
        rows, self.often = training_rows(line, context, self._alone(batch))
        train(self, Packed(line, rows, batch.context, batch.weight), run, None if valid is None or not len(valid) else self._checked(_whole(valid)))

    def _alone(self, batch: Batch) -> bool:
        return bool(batch.context) or batch.weight is not None

    def _checked(self, batch: Batch) -> Packed:
        """Some rows by which held-out items are scored, spread evenly."""
        line = Line.of(batch, self.size)
        rows = law_rows(line, self.family.context, self._alone(batch))
        some = np.linspace(0, len(rows) - 1, min(CHECKED, len(rows))).astype(np.int64)
        return Packed(line, rows.at(some), batch.context)

    def phases(self) -> Sequence[Phase]:
        """The negative log-likelihood of tokens."""
        return [Phase("transformer", self.parameters, self._loss, matrices=lambda: [p for p in self.net.layers.parameters() if p.ndim == 2])]

    def plan(self, items: int) -> Plan:
        """So many passes over the rows, in batches of about 3,000 tokens."""
        rows = max(1, items // self.often)
        batch = max(1, TOKENS // self.family.context)
        steps = int(min(max(200, self.family.epochs * ceil(rows / batch)), 100_000))
        return Plan(steps=steps, batch=batch, rate=3e-3, weight_decay=0.01, evaluate_every=max(50, steps // 12), low_precision=True)

    def _loss(self, batch: Batch, rng: Rng) -> Tensor:
        """Nats of each row over the mean number of its targets, (B,): its mean is that of a token."""
        inputs, targets = batch.tensor.unbind(1)
        nats = self._nats(inputs, targets, batch.context)
        return nats.sum(1) / (targets >= 0).sum(1).float().mean().clamp_min(1)

    def validate(self, batch: Batch, rng: Rng) -> Tensor:
        """Nats per token, as in training."""
        parts = [batch.cut(i, i + SCORED) for i in range(0, len(batch), SCORED)]
        nats = torch.cat([self._nats(part.tensor[:, 0], part.tensor[:, 1], part.context).sum(1) for part in parts])
        return nats / (batch.tensor[:, 1] >= 0).sum(1).float().mean().clamp_min(1)

    def _nats(self, inputs: Tensor, targets: Tensor, context: Known) -> Tensor:
        """-log p of every target that is one, 0 elsewhere, (B, T)."""
        before = gram_places(inputs, self.net.shape) if self.family.ngrams else None
        h = self.net.embedded(inputs, before)
        if self.prefix is not None:
            h = torch.cat([self.prefix(context).to(h.dtype), h], 1)
        h = self.net(h, self._mask(inputs, h.dtype))[:, -inputs.shape[1]:]
        return cross_entropy(self.net.logits(h).flatten(0, 1), targets.flatten(), ignore_index=-1, reduction="none").view(targets.shape)

    def _mask(self, inputs: Tensor, dtype: torch.dtype) -> Tensor:
        """What is added to scores: -inf for what comes later, and for other items where a row holds several."""
        lead = 0 if self.prefix is None else self.prefix.tokens
        place = torch.arange(lead + inputs.shape[1], device=inputs.device)
        seen = place[:, None] >= place
        if self.prefix is None and bool((inputs[:, 1:] == self.size).any()):
            item = (inputs == self.size).cumsum(1)
            seen = (seen & (item[:, :, None] == item[:, None]))[:, None, None]
        return torch.zeros(seen.shape, dtype=dtype, device=inputs.device).masked_fill_(~seen, -torch.inf)

    def log_prob(self, batch: Batch) -> Tensor:
        """Log mass of whole items, their end included, (B,) float64; -inf for those longer than `at_most`."""
        return self.log_prob_from(batch, 0)

    @torch.no_grad()
    def log_prob_from(self, batch: Batch, first: int, end: bool = True) -> Tensor:
        """Log mass of each item from its element `first` on, given those before, (B,)."""
        if self.prefix is not None and not batch.context:
            return self._any_label(batch, first, end)
        line = Line.of(batch, self.size)
        rows, total = law_rows(line, self.family.context, self._alone(batch)), torch.zeros(len(batch), dtype=torch.float64)
        last = torch.from_numpy(line.targets) - 1
        for start in range(0, len(rows), SCORED):
            nats, item, place = self._scored(line, rows.at(slice(start, start + SCORED)), batch.context)
            asked = (place >= first) & (place < self.at_most) & (end | (place < last[item]))
            total.index_add_(0, item[asked], -nats[asked])
        return total.where(batch.lengths <= self.at_most, -torch.inf)

    def _scored(self, line: Line, rows: Rows, context: Known) -> tuple[Tensor, Tensor, Tensor]:
        """Of every target of some rows: -log p, its item, and its place there."""
        inputs, targets, at = rows.read(line)
        own = torch.from_numpy(np.searchsorted(line.begins, rows.begin, side="right") - 1)
        nats = self._nats(inputs, targets, {k: b.take(own) for k, b in context.items()})
        real = targets >= 0
        begins = torch.from_numpy(line.begins)
        item = torch.searchsorted(begins, at[real], right=True) - 1
        return nats[real].double(), item, at[real] - begins[item]

    def _any_label(self, batch: Batch, first: int, end: bool) -> Tensor:
        """Items without labels: the sum over labels, each by its share and what comes before `first`."""
        if not first:
            return self.by_label(batch, 0, end).logsumexp(0)
        return (self.by_label(batch, 0, end).logsumexp(0) - self.by_label(_begun(batch, first), 0, False).logsumexp(0)).nan_to_num(nan=-torch.inf)

    def by_label(self, batch: Batch, first: int, end: bool) -> Tensor:
        """log p(label, item), (labels, B)."""
        prefix = self.prefix
        if prefix is None or prefix.sizes is None:
            raise UsageError(f"items can be scored only with {', '.join(self.about)}", code="CONTEXT")
        told = [replace(batch, context=prefix.labels(torch.full((len(batch),), i))) for i in range(len(prefix.share))]
        return torch.stack([share + self.log_prob_from(b, first, end) for b, share in zip(told, prefix.share.double(), strict=True)])

    def begin(self, prompt: Batch) -> Stand:
        """Where sequences that begin so stand; those of a model with a context need theirs."""
        with torch.no_grad():
            lead = torch.zeros(len(prompt), 0, self.family.width) if self.prefix is None else self.prefix(prompt.context)
            return Stand(self.net, lead, self.family.context, prompt.padded(0), prompt.lengths.clone())

    @torch.no_grad()
    def step(self, cache: Stand, token: Tensor | None) -> Tensor:
        """Log weights of the next token, (B, size + 1), after taking one in; the end is certain once there are `at_most`."""
        if token is not None:
            cache.push(token)
        if not cache.stopped and cache.longest < self.at_most:
            return cache.law
        done = cache.ended | (cache.length >= self.at_most)
        only = torch.full((self.size + 1,), -torch.inf).index_fill(0, torch.tensor(self.size), 0.0)
        return only.where(done[:, None], cache.law)

    def sample(self, n: int, rng: Rng, how: How | None = None) -> Batch:
        """Token by token until all have ended; labels by their shares."""
        return Told(self, {}, NOTHING).sample(n, rng, how)

    def draw(self, n: int, rng: Rng, context: Known, how: How | None = None) -> Batch:
        """Items, each given its own context."""
        if isinstance(how, Searches):
            raise UsageError("a search finds items of one context, not of several", code="HOW", param="how", remedy="give one")
        return self.continued(NOTHING, n, rng, how, context)

    def continued(self, prefix: Tensor, n: int, rng: Rng, how: How | None, context: Known) -> Batch:
        """Items that begin with the prefix, each given its own context."""
        def begins(start: int, stop: int) -> Stand:
            many = stop - start
            told = {k: b.cut(start, stop) for k, b in context.items()}
            return self.begin(Batch(Batch(prefix.repeat(many)), length=torch.full((many,), len(prefix)), context=told))

        return continued(self, begins, prefix, self.at_most - len(prefix), n, rng, how)

    def given(self, evidence: Evidence, rng: Rng) -> Told | None:
        """A context and how an item begins are met exactly; nothing else is."""
        return Told(self, {}, NOTHING).given(evidence, rng)


def _begun(batch: Batch, first: int) -> Batch:
    """The first elements of each item."""
    place = torch.arange(len(batch.elements)) - (batch.lengths.cumsum(0) - batch.lengths).repeat_interleave(batch.lengths)
    return Batch(batch.elements.take(place < first), length=batch.lengths.clamp_max(first))


def _whole(data: Source) -> Batch:
    batch = data.resident()
    return stack(list(data.chunks(4096))) if batch is None else batch


@dataclass(frozen=True, kw_only=True)
class Transformer(Family):
    """A decoder of `layers` layers of `width` numbers, with `heads` heads of attention that share `kv_heads` keys (0: as many).

    A token is predicted from at most `context` tokens. `tie` uses the embeddings for the output too; `ngrams` rows of hashed
    bigrams and trigrams are added to them (0: none). `epochs` are passes over the data when no budget is set.

    >>> model = Transformer(layers=1, heads=2, width=16).build(Many(Discrete(2), 3), Rng(0))
    >>> items = Batch(Batch(torch.tensor([0, 1, 0])), length=torch.tensor([1, 2]))
    >>> model.step(model.begin(items), None).softmax(1).sum(1).round(decimals=3)
    tensor([1., 1.])
    """

    distribution = Sequences
    layers: Annotated[int, Interval(ge=1, le=96)] = 4
    heads: Annotated[int, Interval(ge=1, le=128)] = 4
    kv_heads: Annotated[int, Interval(ge=0, le=128)] = 0
    width: Annotated[int, Interval(ge=2, le=16_384)] = 128
    context: Annotated[int, Interval(ge=2, le=131_072)] = 128
    dropout: Annotated[float, Interval(ge=0, lt=1)] = 0.0
    tie: bool = True
    ngrams: Annotated[int, Interval(ge=0, le=10_000_000)] = 0
    epochs: Annotated[int, Interval(ge=1, le=100_000)] = 10

    def shape(self, tokens: int) -> Shape:
        """The sizes of the decoder; the gated network is two thirds of four widths, in steps of 32."""
        hidden = max(32, round(8 * self.width / 3 / 32) * 32)
        return Shape(tokens, self.layers, self.heads, self.kv_heads or self.heads, self.width, hidden, self.dropout, self.tie, self.ngrams)

    def refuses(self, space: Space) -> str | None:
        """Anything but a sequence of single whole numbers; widths that the heads can't share."""
        if not (isinstance(space, Many) and space.ordered and isinstance(space.of, Discrete) and space.of.shape == ()):
            return "takes sequences of single whole numbers"
        if self.width % (2 * self.heads) or self.heads % (self.kv_heads or self.heads):
            return f"needs a width that is a multiple of twice the heads, and heads a multiple of kv_heads: not {self.width}, {self.heads} and {self.kv_heads}"
        return None

    @classmethod
    def refuses_context(cls, about: Mapping[str, Space]) -> str | None:
        """Labels, numbers, pictures and short sequences."""
        return Prefix.refuses(about)
