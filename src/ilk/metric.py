"""The contract of a figure about a model, and what it may look at."""
from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from .rng import Rng

if TYPE_CHECKING:
    from torch import Tensor

    from .dataset import Labels
    from .model import Model


@dataclass(frozen=True, eq=False)
class Case:
    """What a metric may look at; what is absent is None. Collections are the modality's: frames, lists of texts, arrays.

    `made` are items of the model (as many as the test items if possible), `holdout` are real items the model has not
    seen, as many as `train`, for comparisons of closeness. Labels are whole numbers, one an item; those of made items are what
    was asked for, and so are their captions. `errors`: whether standard errors are wanted.
    """

    model: Model | None = None
    made: Any = None
    train: Any = None
    test: Any = None
    holdout: Any = None
    train_labels: Tensor | None = None
    made_labels: Tensor | None = None
    test_labels: Labels | None = None
    train_captions: Sequence[str] | None = None
    made_captions: Sequence[str] | None = None
    test_captions: Sequence[str] | None = None
    errors: bool = True


@dataclass(frozen=True)
class Reading:
    """A figure: value, standard error (None if none is known or wanted), number of items, and the parts or convention behind it."""

    value: float
    error: float | None
    n: int
    parts: Mapping[str, float] = field(default_factory=dict)
    convention: str = ""


@dataclass(frozen=True)
class NotApplicable:
    """Why there is no figure."""

    reason: str


class Metric(ABC):
    """One figure. `needs` names the fields of a Case it can't do without, `modalities` those it understands (empty: all).

    `better` says where good is: "higher", "lower", in the "middle" of low and high, or "real": where real items are.
    """

    needs: ClassVar[tuple[str, ...]]
    modalities: ClassVar[tuple[str, ...]] = ()
    better: ClassVar[Literal["higher", "lower", "middle", "real"]]
    low: ClassVar[float]
    high: ClassVar[float]

    @abstractmethod
    def measure(self, case: Case, rng: Rng) -> Reading | NotApplicable:
        """The figure, or why there is none."""


def measured(metric: Metric, case: Case, rng: Rng) -> Reading | NotApplicable:
    """The reading, or which field of the case is absent."""
    absent = [name for name in metric.needs if getattr(case, name) is None]
    return NotApplicable(f"needs {', '.join(absent)}") if absent else metric.measure(case, rng)
