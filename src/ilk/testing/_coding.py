"""What a distribution that says items number by number must do: laws that sum to its density, and the same laws when nothing is known."""
from __future__ import annotations

from dataclasses import dataclass, field

import torch
from torch import Tensor

from ..batch import Batch
from ..coding import Codes, CodesBack
from ..distribution import HasBound, HasLogProb
from ..rng import Rng
from ._fitted import Fitted
from ._same import require


@dataclass
class Told:
    """Remembers laws and numbers, and says them again to whoever knows nothing."""

    laws: list[Tensor] = field(default_factory=list)
    numbers: list[Tensor] = field(default_factory=list)
    again: int = 0
    nats: float = 0.0

    def __call__(self, law: Tensor, truth: Tensor | None) -> Tensor:
        """Remembers what is told; else says the next, and the law has to be the one it was told with."""
        if truth is not None:
            self.laws.append(law.clone())
            self.numbers.append(truth.clone())
            self.nats -= float(law.double().log_softmax(1).gather(1, truth[:, None]).sum())
            return truth
        require(self.again < len(self.laws) and torch.equal(law, self.laws[self.again]), "a law came out otherwise when nothing was known")
        self.again += 1
        return self.numbers[self.again - 1]

    def aside(self, data: bytes | None) -> bytes:
        """A distribution has nothing aside."""
        raise AssertionError("a distribution says all by its laws")


class Middle:
    """Reads numbers off nothing: of each law the likeliest."""

    def __init__(self) -> None:
        self.nats = 0.0

    def __call__(self, law: Tensor, truth: Tensor | None) -> Tensor:
        """The likeliest."""
        best = law.argmax(1)
        self.nats -= float(law.double().log_softmax(1).gather(1, best[:, None]).sum())
        return best

    def aside(self, data: bytes | None) -> bytes:
        """Nothing."""
        return b""


def check_codes(f: Fitted) -> None:
    """Numbers said one by one have the density of the whole, and items come back from nothing but what was said."""
    batch = f.data.batch
    if f.body.about:
        return
    if isinstance(f.body, Codes):
        told = Told()
        f.body.coded(told, len(batch), batch)
        if isinstance(f.body, HasLogProb):
            require(abs(told.nats + float(f.body.log_prob(batch).sum())) <= 1e-4 * told.nats, f"{f.name}: nats said one by one against log_prob")
        require(torch.equal(f.body.coded(told, len(batch), None).tensor, batch.tensor), f"{f.name}: other items came back")
    if isinstance(f.body, CodesBack):
        _check_back(f, f.body, batch)


def _check_back(f: Fitted, body: CodesBack, batch: Batch) -> None:
    lent, told, back = Middle(), Told(), Told()
    codes = body.lent(lent, batch, None)
    body.coded_by(told, len(batch), (batch, codes))
    made, cells = body.coded_by(told, len(batch), None)
    require(torch.equal(made.tensor, batch.tensor) and torch.equal(cells, codes), f"{f.name}: other items came back")
    body.lent(back, made, cells)
    require(abs(back.nats - lent.nats) <= 1e-9 * abs(lent.nats) + 1e-9, f"{f.name}: codes are given back by another law than they were lent by")
    if isinstance(body, HasLogProb):   # p(code | item) is known: said less lent is -log p(item), whatever the codes
        require(abs(told.nats - lent.nats + float(body.log_prob(batch).sum())) <= 1e-4 * told.nats, f"{f.name}: nats said less nats lent against log_prob")
    elif isinstance(body, HasBound):
        require(told.nats - lent.nats > 0 and bool(body.log_prob_bound(batch, Rng(0)).isfinite().all()), f"{f.name}: items for less than nothing")
