"""What a job is: a command of ilk that is run apart, by whom it was asked for, and where it stands."""
from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

State = Literal["queued", "running", "paused", "succeeded", "failed", "cancelled", "interrupted"]
STATES: tuple[State, ...] = ("queued", "running", "paused", "succeeded", "failed", "cancelled", "interrupted")
OVER: frozenset[State] = frozenset(("succeeded", "failed", "cancelled", "interrupted"))
Kind = Literal["fit", "tune", "race", "evaluate", "audit", "index", "report", "export", "impute"]


@dataclass(frozen=True)
class Job:
    """A job as it stands. `words` is its command line without `ilk`, run in a folder of its own (the workspace's jobs/ID).

    `priority`: the higher the sooner. `progress`: from 0 to 1, None where it is not known. `made`: what it left, by kind and name or file. `error`: message,
    type, param and code, as in `IlkError.as_json`. Times are seconds since 1970. `attempt` counts how often it was begun: after a crash it goes on
    from its checkpoint. `params`: what was asked for over HTTP, `line`: the same as people would type it (python, cli).
    `read`: how far the events of its process were taken in, by file.
    """

    id: str
    kind: str
    words: tuple[str, ...]
    owner: str
    state: State
    priority: int = 0
    created: float = 0.0
    started: float | None = None
    ended: float | None = None
    progress: float | None = None
    attempt: int = 0
    made: Mapping[str, str] = field(default_factory=dict)
    error: Mapping[str, Any] | None = None
    name: str = ""
    params: Mapping[str, Any] = field(default_factory=dict)
    line: Mapping[str, str] = field(default_factory=dict)
    read: Mapping[str, int] = field(default_factory=dict)

    @property
    def over(self) -> bool:
        """Whether nothing more will happen to it by itself."""
        return self.state in OVER


@dataclass(frozen=True)
class Order:
    """A job that is asked for. `key`: the same key of the same owner is the same job, however often it is sent."""

    kind: str
    words: tuple[str, ...]
    owner: str = "local"
    name: str = ""
    params: Mapping[str, Any] = field(default_factory=dict)
    line: Mapping[str, str] = field(default_factory=dict)
    priority: int = 0
    key: str | None = None


@dataclass(frozen=True)
class Happened:
    """Something that a job told (`ilk.run.as_facts` of an event, or a change of its state), numbered from 1 within the job."""

    number: int
    at: float
    facts: Mapping[str, Any]
