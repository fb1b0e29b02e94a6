"""The one training loop. It knows Phases and nothing of families: budget, warm-up and decay, EMA, clipping, best by
validation, checkpoints. Every draw comes from the run's named streams by step number, so that a resumed run is the run."""
from __future__ import annotations

import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import chain
from math import cos, isfinite, pi
from typing import Any

import torch
from torch import Tensor, nn

from ilk.batch import Batch, Source
from ilk.distribution import Neural, Phase, Plan
from ilk.errors import ResourceError, TrainingError
from ilk.rng import Rng
from ilk.run import Began, Ended, Progress, Run, Seconds, Validated
from ilk.store import State
from ilk.train.adamw import AdamW
from ilk.train.allocator import keep_freed
from ilk.train.muon import Muon
from ilk.train.precision import Shadow, fast_bfloat16

CLIP, WARM, VALID, CHUNK = 5.0, 0.02, 5000, 1024
GENTLE, LOOKS = 0.1, 40   # of the rate, and looks at validation items, where training goes on from a model


def planned(plan: Plan, run: Run, items: int) -> Plan:
    """The family's plan with what the run says instead."""
    batch = max(1, min(run.batch or plan.batch, items))
    return replace(plan, steps=run.steps(plan.steps), batch=batch, rate=run.rate or plan.rate)


def gentle(plan: Plan, run: Run) -> Plan:
    """The plan for weights that are good already: lower rates, unless the run says one, and a look at the validation items more often."""
    return replace(plan, rate=run.rate or plan.rate * GENTLE, evaluate_every=max(1, min(plan.evaluate_every, plan.steps // LOOKS)))


def low(plan: Plan, run: Run) -> bool:
    """Whether to compute in bfloat16: as the run says, else where the family's networks and the machine gain by it."""
    return run.precision == "bfloat16" or (run.precision == "auto" and plan.low_precision and fast_bfloat16(run.device))


def rate_at(fraction: float) -> float:
    """Linear warm-up, then half a cosine to zero at the end of the budget."""
    return min(1.0, (fraction + 1e-9) / WARM) * 0.5 * (1 + cos(pi * min(1.0, fraction)))


def train(body: Neural[Any], data: Source, run: Run, valid: Source | None) -> None:
    """Trains the networks of a distribution in place; the best weights by validation are what it ends with.

    Raises TrainingError when the loss stops being a number, ResourceError when memory runs out, Stopped when asked to
    stop; the last checkpoint is whole in every case.
    """
    plan = planned(body.plan(len(data)), run, len(data))
    plan = gentle(plan, run) if body.begun else plan
    keep_freed()
    try:
        loop = Loop(body, data, run, valid, plan)
        loop.go()
    except (RuntimeError, MemoryError) as why:
        if isinstance(why, MemoryError) or "alloc" in str(why):
            raise ResourceError(f"memory ran out in training ({str(why)[:120]})", code="MEMORY", remedy=f"a smaller --batch (now {plan.batch}) or a smaller network") from None
        raise
    finally:
        body.eval()


@dataclass
class Best:
    """The best weights so far and their loss."""

    loss: float = float("inf")
    weights: dict[str, Tensor] | None = None


class Loop:
    """One fit of one distribution."""

    def __init__(self, body: Neural[Any], data: Source, run: Run, valid: Source | None, plan: Plan) -> None:
        self.body, self.data, self.run, self.plan = body, data, run, plan
        self.valid = None if valid is None or not len(valid) else valid.take(torch.arange(min(VALID, len(valid)))).to(run.device)
        self.step, self.before, self.best, self.epoch = 0, 0.0, Best(), (-1, torch.empty(0))
        saved = run.saved()
        if saved is None and not body.begun:
            body.prepare(data)
        body.to(run.device)
        self.shadow = Shadow(body) if low(plan, run) else None
        self.at_work: Neural[Any] = body if self.shadow is None else self.shadow.copy
        self.phases = self.at_work.phases()
        self.optimisers = [self._optimisers(p) for p in self.phases]
        self.ema = {k: v.detach().clone() for k, v in body.state_dict().items()} if plan.ema else {}
        if saved is not None:
            self._restore(saved)
        if self.shadow is not None:
            self.shadow.follow()
        self.start = time.monotonic() - self.before
        whole = data.resident()
        self.whole = None if whole is None else whole.to(run.device)

    def _optimisers(self, phase: Phase) -> list[AdamW | Muon]:
        """AdamW for the parameters of a phase, Muon for its hidden matrices."""
        matrices = self._masters(phase.matrices()) if phase.matrices is not None else []
        others = {id(p) for p in matrices}
        rest = AdamW([p for p in self._masters(phase.params()) if id(p) not in others], self.plan.weight_decay, phase.betas)
        return [rest, Muon(matrices, self.plan.weight_decay)] if matrices else [rest]

    def _masters(self, params: Iterable[nn.Parameter]) -> list[nn.Parameter]:
        """The parameters that learn: those at work, or the float32 ones behind them."""
        return [p if self.shadow is None else self.shadow.master_of[id(p)] for p in params]

    @property
    def fraction(self) -> float:
        """How much of the budget is used."""
        if isinstance(self.run.budget, Seconds):
            return (time.monotonic() - self.start) / self.run.budget.count
        return self.step / max(1, self.plan.steps)

    def go(self) -> None:
        """Steps until the budget is used, then the best weights."""
        self.run.emit(Began(self.phases[0].name, None if isinstance(self.run.budget, Seconds) else self.plan.steps))
        losses: list[Tensor] = []
        if self.body.begun or self.plan.begins_good:
            self._validate()
        self.at_work.train()
        told = time.monotonic()
        while (fraction := self.fraction) < 1 and self.step < self.plan.steps:
            losses.append(self._step(fraction))
            self.step += 1
            if self.step % self.plan.evaluate_every == 0:
                self._check(losses)
                self._validate()
            self.run.tick(self._state)
            if time.monotonic() - told > 0.2:
                self._check(losses)
                self.run.emit(Progress(self.step, fraction, float(torch.stack(losses).mean()), time.monotonic() - self.start))
                losses, told = [], time.monotonic()
        self._check(losses)
        self._validate()
        self._finish()

    def _step(self, fraction: float) -> Tensor:
        batch = self._batch()
        first = torch.zeros(())
        for i, (phase, optimisers) in enumerate(zip(self.phases, self.optimisers, strict=True)):
            if self.step % phase.every:
                continue
            rng = self.run.rng.child("step", self.step, phase.name)
            loss = self._update(phase, optimisers, batch, rng, fraction)
            first = loss if i == 0 else first
        if self.plan.ema:
            self._average()
        return first

    def _update(self, phase: Phase, optimisers: Sequence[AdamW | Muon], batch: Batch, rng: Rng, fraction: float) -> Tensor:
        if phase.before is not None:
            phase.before(fraction)
        for optimiser in optimisers:
            optimiser.forget_gradients()
        loss = self._gradients(phase, batch, rng)
        if self.shadow is not None:
            self.shadow.lift()
        _clip([p.grad for optimiser in optimisers for p in optimiser.params if p.grad is not None])
        for optimiser in optimisers:
            optimiser.step(self.plan.rate * phase.rate * rate_at(fraction))
        if self.shadow is not None:
            self.shadow.follow()
        if phase.after is not None:
            phase.after()
        return loss

    def _gradients(self, phase: Phase, batch: Batch, rng: Rng) -> Tensor:
        """Adds the gradients of the mean loss up, `Run.micro` items at a time where they are independent; the mean loss."""
        size = len(batch) if self.run.micro is None or phase.rows == "coupled" else self.run.micro
        whole = torch.zeros(())
        for at in range(0, len(batch), size):
            part, noise = (batch, rng) if size >= len(batch) else (batch.cut(at, at + size), rng.at(at))
            with noise.as_global():
                losses = phase.loss(part, noise)
            losses = losses if part.weight is None else losses * part.weight
            loss = losses.mean() if part is batch else losses.sum() / len(batch)
            loss.backward()
            whole = loss.detach() + whole
        return whole

    def _batch(self) -> Batch:
        per = max(1, len(self.data) // self.plan.batch)
        epoch, at = divmod(self.step, per)
        if self.epoch[0] != epoch:
            self.epoch = (epoch, self.run.rng.child("epoch", epoch).shuffle(len(self.data)))
        rows = self.epoch[1][at * self.plan.batch:(at + 1) * self.plan.batch]
        return self.data.take(rows).to(self.run.device) if self.whole is None else self.whole.take(rows.to(self.run.device))

    def _average(self) -> None:
        keep = min(self.plan.ema, (1 + self.step) / (10 + self.step))
        now = self.body.state_dict()
        real = [name for name, value in now.items() if value.is_floating_point()]
        torch._foreach_lerp_([self.ema[name] for name in real], [now.pop(name) for name in real], 1 - keep)
        for name, value in now.items():
            self.ema[name].copy_(value)

    def _check(self, losses: list[Tensor]) -> None:
        """Stops with a named cause once the loss is no number."""
        if losses and not isfinite(float(torch.stack(losses[-1:]).mean())):
            kept = "the last checkpoint is kept" if self.run.checkpoint else "nothing was saved"
            raise TrainingError(f"the loss became {float(losses[-1])} at step {self.step}; {kept}", code="DIVERGED", remedy=f"a lower --rate than {self.plan.rate:g}")

    @torch.no_grad()
    def _validate(self) -> None:
        if self.valid is None:
            return
        self.body.eval()
        mine = {k: v.clone() for k, v in self.body.state_dict().items()} if self.ema else None
        if self.ema:
            self.body.load_state_dict(self.ema)
        rng = self.run.rng.child("valid")
        parts = [self.body.validate(self.valid.cut(i, i + CHUNK), rng.at(i)) for i in range(0, len(self.valid), CHUNK)]
        loss = float(torch.cat(parts).mean())
        better = loss < self.best.loss
        if better:
            self.best = Best(loss, {k: v.detach().clone() for k, v in self.body.state_dict().items()})
        self.run.emit(Validated(self.step, loss, better))   # whoever watches sees the weights that were judged
        if mine is not None:
            self.body.load_state_dict(mine)
        self.at_work.train()

    def _finish(self) -> None:
        final = self.best.weights or self.ema
        if final:
            self.body.load_state_dict(final)
        self.body.to("cpu").eval()
        self.run.emit(Ended(self.phases[0].name, self.step, time.monotonic() - self.start))

    def _state(self) -> State:
        """What a checkpoint keeps; refused once a weight is no number, so that the last one kept is good."""
        if not all(bool(torch.isfinite(p).all()) for p in self.body.parameters()):
            self._check([torch.tensor(float("nan"))])
        tensors: dict[str, Tensor] = {f"now/{k}": v for k, v in self.body.state_dict().items()}
        tensors |= {f"ema/{k}": v for k, v in self.ema.items()}
        tensors |= {f"best/{k}": v for k, v in (self.best.weights or {}).items()}
        for i, optimiser in enumerate(chain(*self.optimisers)):
            tensors |= {f"optimiser/{i}/{name}": value for name, value in optimiser.state().items()}
        best = self.best.loss if self.best.weights else None
        return State(tensors, {"step": self.step, "seconds": time.monotonic() - self.start, "best": best})

    def _restore(self, saved: State) -> None:
        self.step, self.before = int(saved.facts["step"]), float(saved.facts["seconds"])
        self.body.load_state_dict(_under(saved.tensors, "now/"))
        self.ema = _under(saved.tensors, "ema/") if self.plan.ema else {}
        if saved.facts["best"] is not None:
            self.best = Best(float(saved.facts["best"]), _under(saved.tensors, "best/"))
        for i, optimiser in enumerate(chain(*self.optimisers)):
            optimiser.restore(_under(saved.tensors, f"optimiser/{i}/"))


def _clip(grads: list[Tensor]) -> None:
    """Scales gradients of a norm above CLIP down to it; torch's own function takes longer to sort them than to scale them."""
    if grads:
        norm = torch.linalg.vector_norm(torch.stack(torch._foreach_norm(grads)))
        torch._foreach_mul_(grads, (CLIP / (norm + 1e-6)).clamp_max(1.0))


def _under(tensors: Mapping[str, Tensor], prefix: str) -> dict[str, Tensor]:
    return {k[len(prefix):]: v.clone() for k, v in tensors.items() if k.startswith(prefix)}
