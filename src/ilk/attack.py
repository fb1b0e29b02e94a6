"""The contract of an attack: what an attacker may look at, and what was found out about the training items."""
from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from .rng import Rng

if TYPE_CHECKING:
    from torch import Tensor

    from .model import Model


@dataclass(frozen=True)
class Finding:
    """One figure of an attack with its 95 % interval. More means more of a leak; `null` is what independent data would give.

    It is flagged if even the lower end of the interval is above the threshold. `reads` says what the figure is.
    """

    name: str
    value: float
    low: float
    high: float
    null: float
    threshold: float
    n: int
    reads: str

    @property
    def flagged(self) -> bool:
        """Whether chance is no explanation."""
        return self.low > self.threshold

    @property
    def open(self) -> bool:
        """Whether it is not flagged and yet may be above the threshold: there are too few items to tell."""
        return self.low <= self.threshold < self.high


@dataclass(frozen=True)
class Unmeasured:
    """Why an attack could not be carried out: nothing is shown to be safe by that."""

    reason: str


@dataclass(frozen=True, eq=False)
class Shadows:
    """Scores of the same items by models each fitted on a random half of them, (shadows, items), and which items each learned from."""

    nats: Tensor
    member: Tensor


@dataclass(frozen=True, eq=False)
class Target:
    """What an attack looks at; what is absent is None. Collections are the modality's: frames, lists of texts, arrays.

    `known` are items that the model learned from, `seen` the first of them, as many as `unseen`, which it did not learn from: so that before a
    model has learned, nothing tells the two apart. `points` are made, known and unseen items as `metrics._nearest` has them; `scores` gives nats of
    seen and unseen items; `shadows` the same of other models; `secrets` are nats of planted items, and of others like them that were never seen.
    """

    kind: str
    model: Model | None = None
    made: Any = None
    known: Any = None
    seen: Any = None
    unseen: Any = None
    points: tuple[Any, Any, Any] | None = None
    scores: Callable[[], tuple[Tensor, Tensor]] | None = None
    shadows: Callable[[], Shadows] | None = None
    secrets: tuple[Tensor, Tensor] | None = None

    @property
    def placed(self) -> tuple[Any, Any, Any]:
        """The points, of an attack that needs them; seen items are the first of the known ones."""
        if self.points is None:
            raise ValueError("these items have no points")
        return self.points


class Attack(ABC):
    """One way to find out about training items. `needs` names the fields of a Target it can't do without, `modalities` what it understands (empty: all).

    `asks` names a field without which nobody asked for it: shadows, or planted secrets.
    """

    needs: ClassVar[tuple[str, ...]]
    modalities: ClassVar[tuple[str, ...]] = ()
    asks: ClassVar[str] = ""

    @abstractmethod
    def find(self, target: Target, rng: Rng) -> Sequence[Finding] | Unmeasured:
        """What was found, or why nothing could be."""


_ABSENT = {"known": "no training items", "unseen": "no held-out items", "made": "no made items", "points": "no distance between such items", "scores": "no likelihood"}


def carried(attack: Attack, target: Target, rng: Rng) -> Sequence[Finding] | Unmeasured:
    """What an attack finds, or what it lacked."""
    absent = [said for name, said in _ABSENT.items() if name in attack.needs and getattr(target, name) is None]
    return Unmeasured(", ".join(absent[:2])) if absent else attack.find(target, rng)
