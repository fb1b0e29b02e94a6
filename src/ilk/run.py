"""How a fit goes: seed, budget, device, checkpoints, and the events it tells its listeners. Never mixed with a recipe."""
from __future__ import annotations

import os
import re
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Protocol, TypeVar

from .errors import DataError, Stopped, UsageError
from .files import plain

if TYPE_CHECKING:
    from .rng import Rng
    from .store import State

T = TypeVar("T")


@dataclass(frozen=True)
class Steps:
    """A budget of optimiser steps (EM rounds, passes): the same seed gives the same bytes. None at all only makes sense of a start."""

    count: int

    def __post_init__(self) -> None:
        if not 0 <= self.count <= 10**9:
            raise UsageError(f"a budget of {self.count} steps", remedy="1 to 1000000000 steps", param="steps")


@dataclass(frozen=True)
class Seconds:
    """A budget of wall-clock seconds, validation included."""

    count: float

    def __post_init__(self) -> None:
        if not 0 < self.count <= 10**8:
            raise UsageError(f"a budget of {self.count} seconds", remedy="more than 0 seconds", param="budget")


Budget = Steps | Seconds
_UNITS = {"": 1, "s": 1, "m": 60, "h": 3600}


def budget(asked: str | float | Budget | None) -> Budget | None:
    """A budget from "90s", "10m", "1h", a number of seconds, Steps(500), or None for the family's own.

    >>> budget("10m")
    Seconds(count=600.0)
    """
    if asked is None or isinstance(asked, Steps | Seconds):
        return asked
    got = re.fullmatch(r"\s*(\d+\.?\d*|\.\d+)\s*([smh]?)\s*", str(asked))
    if got is None:
        raise UsageError(f"{asked!r} is not a budget", remedy="90s, 10m or 1h, or --steps N", param="budget")
    return Seconds(float(got[1]) * _UNITS[got[2]])


@dataclass(frozen=True)
class Began:
    """A piece of work starts; `total` steps if that is known."""

    what: str
    total: int | None = None
    seconds: float | None = None


@dataclass(frozen=True)
class Progress:
    """Where it stands: `fraction` of the budget, mean training loss in nats per item since the last one."""

    step: int
    fraction: float
    loss: float | None = None
    seconds: float = 0.0


@dataclass(frozen=True)
class Validated:
    """The loss on held-out items, in nats per item, and whether it is the best so far."""

    step: int
    loss: float
    best: bool


@dataclass(frozen=True)
class Noted:
    """Something people should know."""

    text: str


@dataclass(frozen=True)
class Preview:
    """Items that the model makes while it learns, as JSON has them."""

    items: tuple[Any, ...]


@dataclass(frozen=True)
class Ended:
    """The work is done."""

    what: str
    steps: int
    seconds: float


@dataclass(frozen=True)
class Opened:
    """A verb is at work, perhaps as part of another: which one, and with what (as JSON has it)."""

    what: str
    facts: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Measured:
    """Figures of what was made, by name; None where one can't be had."""

    figures: Mapping[str, float | None]


@dataclass(frozen=True)
class Saved:
    """Where what was made is kept."""

    at: str


@dataclass(frozen=True)
class Closed:
    """A verb has ended: "done", "stopped", or "failed" with the error's message."""

    what: str
    how: Literal["done", "stopped", "failed"]
    message: str = ""


Event = Began | Progress | Validated | Noted | Preview | Ended | Opened | Measured | Saved | Closed


def as_facts(event: Event) -> dict[str, Any]:
    """An event as JSON has it, and when it was: what logs and records keep.

    >>> as_facts(Noted("so"))["event"], as_facts(Validated(3, float("nan"), False))["loss"]
    ('noted', None)
    """
    facts: dict[str, Any] = plain({"event": type(event).__name__.lower(), "at": round(time.time(), 3), **asdict(event)})
    return facts


class Listener(Protocol):
    """Anything that is told of events: a progress bar, a log, a test's spy."""

    def __call__(self, event: Event, /) -> None: ...


@dataclass
class Switch:
    """Where a signal handler leaves the wish to stop."""

    exit_code: int = 0


@dataclass(frozen=True)
class Stage:
    """One stage of a fit: `whole` makes the fit's checkpoint of the stage's, which is `identity`'s and resumes from `saved`."""

    whole: Callable[[State], State]
    saved: State | None
    identity: Mapping[str, Any]


@dataclass
class _Clock:
    saved: float = field(default_factory=time.monotonic)
    ticks: int = 0


def _often() -> float:
    return float(os.environ.get("ILK_CHECKPOINT_SECONDS", "30"))


@dataclass(frozen=True, kw_only=True)
class Run:
    """How a fit goes.

    `micro` items of a batch are computed at a time, their gradients added up: the same step in less memory.
    `checkpoint` is a folder beside the model, written every `checkpoint_every` seconds (30, or what the environment
    variable ILK_CHECKPOINT_SECONDS says: tests of sudden deaths set it to 0); `resume` takes it up again; `facts` say
    what is being fitted, so that a checkpoint of something else is refused. `watches` make a listener of each model that is
    fitted, given that model while it learns and whom to tell of what it sees: when held-out items are judged it has the weights that are.
    """

    seed: int = 0
    budget: Budget | None = None
    batch: int | None = None
    micro: int | None = None
    rate: float | None = None
    device: str = "cpu"
    precision: Literal["auto", "float32", "bfloat16"] = "auto"
    checkpoint: Path | None = None
    checkpoint_every: float = field(default_factory=_often)
    resume: bool = False
    facts: Mapping[str, Any] = field(default_factory=dict)
    listeners: tuple[Listener, ...] = ()
    watches: tuple[Callable[[Any, Callable[[Event], None]], Listener], ...] = ()
    switch: Switch = field(default_factory=Switch)
    path: tuple[str, ...] = ()
    within: Stage | None = None
    _clock: _Clock = field(default_factory=_Clock, repr=False)

    @property
    def rng(self) -> Rng:
        """The root of every draw of the fit."""
        from .rng import Rng

        return Rng(self.seed).child("fit", *self.path)

    @property
    def ticking(self) -> bool:
        """Whether a safe point was reached yet."""
        return self._clock.ticks > 0

    @property
    def identity(self) -> dict[str, Any]:
        """What a checkpoint must agree with: what is fitted, and all that changes the steps. A budget in seconds may differ."""
        if self.within is not None:
            return dict(self.within.identity)
        return {**self.facts, "batch": self.batch, "micro": self.micro, "rate": self.rate, "precision": self.precision,
                "steps": self.budget.count if isinstance(self.budget, Steps) else None}

    def emit(self, event: Event) -> None:
        """Tells every listener."""
        for listener in self.listeners:
            listener(event)

    @contextmanager
    def opened(self, what: str, facts: Mapping[str, Any] | None = None) -> Iterator[None]:
        """Tells every listener that a verb is at work, and how it ends."""
        self.emit(Opened(what, facts or {}))
        try:
            yield
        except BaseException as why:
            self.emit(Closed(what, "stopped" if isinstance(why, Stopped | KeyboardInterrupt) else "failed", str(why) or type(why).__name__))
            raise
        self.emit(Closed(what, "done"))

    def steps(self, default: int) -> int:
        """How many steps a Steps budget or the default gives; a Seconds budget has no number (a huge one)."""
        if isinstance(self.budget, Steps):
            return self.budget.count
        return default if self.budget is None else 10**9

    def rounds(self, default: int) -> int:
        """How many rounds of work that comes to an end by itself: what a Steps budget says, else the default, cut short when the time is `spent`."""
        return self.budget.count if isinstance(self.budget, Steps) else default

    def spent(self, since: float) -> bool:
        """Whether a budget of seconds is used up by what began at a time (of time.monotonic)."""
        return isinstance(self.budget, Seconds) and time.monotonic() - since >= self.budget.count

    def timely(self, things: Iterable[T], share: float = 0.5) -> Iterator[T]:
        """The things one by one, until such a share of a budget of seconds is gone; the first in any case."""
        since = time.monotonic()
        for i, thing in enumerate(things):
            if i and isinstance(self.budget, Seconds) and time.monotonic() - since >= share * self.budget.count:
                return
            yield thing

    @property
    def quiet(self) -> Run:
        """The same for work on the side: no checkpoint, nobody told, no steps asked for; not beyond its seconds."""
        return replace(self, checkpoint=None, listeners=(), watches=(), budget=self.budget if isinstance(self.budget, Seconds) else None, within=None)

    def stage(self, name: str, share: float, whole: Callable[[State], State], saved: State | None) -> Run:
        """The run of one stage of a fit in stages: its share of the budget, draws of its own, checkpoints of the whole."""
        part, outer = self.budget, self.within
        if isinstance(part, Steps):
            part = Steps(max(1, round(part.count * share)))
        elif isinstance(part, Seconds):
            part = Seconds(part.count * share)
        kept = whole if outer is None else lambda state: outer.whole(whole(state))
        return replace(self, budget=part, path=(*self.path, name), within=Stage(kept, saved, self.identity))

    def tick(self, state: Callable[[], State]) -> None:
        """Called at safe points: keeps a checkpoint now and then, and stops when asked to (after keeping one)."""
        self._clock.ticks += 1
        stop = self.switch.exit_code
        due = time.monotonic() - self._clock.saved >= self.checkpoint_every
        if self.checkpoint is not None and (due or stop):
            from .store import State as Kept
            from .store import save_state

            now = state() if self.within is None else self.within.whole(state())
            save_state(self.checkpoint, Kept(now.tensors, {"run": self.identity, "state": dict(now.facts)}))
            self._clock.saved = time.monotonic()
        if stop:
            remedy = None if self.checkpoint is None else "the same command with --resume goes on from the checkpoint"
            raise Stopped("stopped" if self.checkpoint is None else f"stopped; checkpoint kept in {self.checkpoint}", stop, remedy)

    def saved(self) -> State | None:
        """The state to resume from, or None. UsageError when the checkpoint is of another fit."""
        if self.within is not None:
            return self.within.saved
        if not self.resume or self.checkpoint is None:
            return None
        old = self.checkpoint.with_name(self.checkpoint.name + ".old")
        if not self.checkpoint.exists() and not old.exists():
            return None
        from .store import State as Kept
        from .store import load_state

        found = load_state(self.checkpoint)
        if differ := [k for k, v in self.identity.items() if found.facts["run"].get(k) != v]:
            raise DataError(f"the checkpoint {self.checkpoint} is of another fit ({', '.join(differ)} differ)", code="CHECKPOINT",
                            remedy="resume with the same data, family, options and seed, or remove it and start anew")
        return Kept(found.tensors, found.facts["state"])
