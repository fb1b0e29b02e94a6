"""WaveNet: levels of a waveform one after the other, each from a long stretch before it; exact masses, drawn at one price a sample."""
from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import ceil
from typing import Annotated, Literal

import torch
from annotated_types import Interval
from torch import Tensor
from torch.nn.functional import logsigmoid, pad

from ilk.batch import Batch, Source
from ilk.distribution import Family, Phase, Plan
from ilk.families._sequence import Known, refuses_sequence
from ilk.families._sequence_rows import Line, Packed, Rows, cut_rows, whole
from ilk.families._sequence_stand import Parts, Stand
from ilk.families._sequence_windows import Windowed
from ilk.nets._context import Context
from ilk.nets._logistic import begun, log_mass
from ilk.nets._wavenet import WaveNet as Net
from ilk.recipe import Tried
from ilk.run import Run
from ilk.space import Discrete, Many, Space
from ilk.train.loop import train

TOKENS, LONGEST = 8192, 2048  # of a training batch, and of a row, beside those that are only read


class Waves(Windowed["WaveNet"]):
    """p(level t | the `sees` before it). Before an item the end stands as often as need be."""

    at_once = 8

    def build_net(self) -> None:
        """Layers whose holes double up to 2 ** (cycle - 1), then begin again; none is wider than an item is long."""
        f, self.beside = self.family, Context(self.about) if self.about else None
        cycle = min(f.cycle, self.at_most.bit_length())
        gives = self.size + 1 if f.output == "categorical" else 3 * f.parts + 1
        dilations = [2 ** (i % cycle) for i in range(f.layers)]
        self.net = Net(self.size + 1, gives, (f.width, f.skip, dilations), 0 if self.beside is None else self.beside.width)
        if f.output == "logistic":
            begun(self.net.head.bias[:-1], f.parts)

    def fit(self, data: Source, run: Run, valid: Source | None = None) -> None:
        """Stretches of items, each after what its first level depends on."""
        batch = whole(data)
        if self.beside is not None:
            self.beside.prepare(batch.context)
        train(self, Packed(*self.rows(batch), batch.context, batch.weight), run, self.held_out(valid))

    def rows(self, batch: Batch) -> tuple[Line, Rows]:
        """Every level once."""
        line = Line.of(batch, self.size, self.net.sees)
        return line, cut_rows(line, LONGEST)

    def phases(self) -> Sequence[Phase]:
        """The negative log-likelihood of levels."""
        return [Phase("wavenet", self.parameters, self.loss)]

    def plan(self, items: int) -> Plan:
        """So many passes over the stretches, weights averaged."""
        batch = max(1, TOKENS // min(LONGEST, self.at_most + 1))
        steps = int(min(max(300, self.family.epochs * ceil(items / batch)), 100_000))
        return Plan(steps=steps, batch=batch, rate=4e-3, weight_decay=1e-3, ema=0.99, evaluate_every=max(50, steps // 12), low_precision=True)

    def nats(self, inputs: Tensor, targets: Tensor, context: Known) -> Tensor:
        """-log p of every target that is one, 0 elsewhere, (B, T); the first `sees` - 1 inputs have none."""
        found, seen = self.goes_on(self.net(inputs, self._about(context)).float()), self.net.sees - 1
        asked = self.asked(targets[:, seen:])
        law = self._log_mass(found, asked.clamp_min(0)).where(asked >= 0, 0.0)
        return pad(-law, (seen, 0))

    def _log_mass(self, told: Tensor, value: Tensor) -> Tensor:
        """Of levels, and of the end: beside a mixture of logistics it has a chance of its own."""
        if self.family.output == "categorical":
            return told.log_softmax(-1).gather(-1, value[..., None])[..., 0]
        ends = value == self.size
        level = log_mass(told[..., :-1], value.clamp_max(self.size - 1), self.size) + logsigmoid(-told[..., -1])
        return logsigmoid(told[..., -1]).where(ends, level)

    def _law(self, told: Tensor) -> Tensor:
        """Of every level and the end, (B, size + 1), of what is said of the next token (B, gives)."""
        every = torch.arange(self.size + 1)
        return told if self.family.output == "categorical" else self._log_mass(told[:, None], every.expand(len(told), -1))

    def _about(self, context: Known) -> Tensor | None:
        return None if self.beside is None else self.beside(context).to(self.net.head.weight.dtype)

    def begin(self, prompt: Batch) -> Stand:
        """Where sequences that begin so stand; those of a model with a context need theirs."""
        with torch.no_grad():
            return Stand(self, prompt.padded(0), prompt.lengths.clone(), self._about(prompt.context))

    def filled(self, inputs: Tensor, about: Tensor | None) -> tuple[Tensor, Parts]:
        """The law of the next token after inputs, the ring of each layer, and how often they were gone on with."""
        sees = self.net.sees
        told, rings = self.net.walk(pad(inputs, (max(0, sees - inputs.shape[1]), 0), value=self.size)[:, -sees:], about)
        return self._law(told[:, 0]), [torch.zeros(len(inputs), dtype=torch.long), *(ring.clone() for ring in rings)]

    def advanced(self, token: Tensor, about: Tensor | None, parts: Parts) -> tuple[Tensor, Parts]:
        """One token later, at a price that does not depend on how far is looked back."""
        time, *rings = parts
        return self._law(self.net.advance(token, about, rings, int(time.max()))), [time + 1, *rings]


@dataclass(frozen=True, kw_only=True)
class WaveNet(Family):
    """Dilated causal convolutions (van den Oord et al. 2016): `layers` of them, the holes doubling over each `cycle`.

    `output` is how the next level is told: a number for each (`categorical`), or a mixture of `parts` logistics cut into cells (`logistic`).
    `epochs` are passes over the data when no budget is set.

    >>> from ilk.rng import Rng
    >>> model = WaveNet(layers=2, width=8).build(Many(Discrete(4), 5), Rng(0))
    >>> items = Batch(Batch(torch.tensor([0, 3, 0])), length=torch.tensor([1, 2]))
    >>> model.step(model.begin(items), None).softmax(1).sum(1).round(decimals=3)
    tensor([1., 1.])
    """

    distribution = Waves
    layers: Annotated[int, Interval(ge=1, le=128)] = 10
    cycle: Annotated[int, Interval(ge=1, le=16)] = 10
    width: Annotated[int, Interval(ge=1, le=4096), Tried(32, 48, 96)] = 48
    skip: Annotated[int, Interval(ge=1, le=4096)] = 128
    output: Literal["categorical", "logistic"] = "categorical"
    parts: Annotated[int, Interval(ge=1, le=100)] = 10
    epochs: Annotated[int, Interval(ge=1, le=100_000)] = 10

    @classmethod
    def refuses(cls, space: Space) -> str | None:
        """Anything but a sequence of single whole numbers, two values at least."""
        return refuses_sequence(space) or ("takes two levels or more" if isinstance(space, Many) and isinstance(space.of, Discrete) and space.of.each[0] < 2 else None)

    @classmethod
    def refuses_context(cls, about: Mapping[str, Space]) -> str | None:
        """Labels and arrays of numbers."""
        return Context.refuses(about)
