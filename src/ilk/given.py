"""What may be known of an item, as data. Nothing here is ever evaluated.

Two levels: what people say (Label, Prompt, Like, Keep, Where, Towards, Avoid: saved with a model, no functions in them), and
what a distribution is told (Evidence: one type per sort of space). Between them hard givens become Tests.
"""
from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from math import isfinite
from typing import TYPE_CHECKING, Any

from .errors import UsageError, nearest
from .rules import Test, Value, parse

if TYPE_CHECKING:
    from torch import Tensor

    from .batch import Batch

@dataclass(frozen=True, slots=True)
class Label:
    """Be of this class: one of the labels the data came with. Several with weights are leant towards together."""

    value: int | str
    weight: float | None = None

    def __post_init__(self) -> None:
        _checked(self, "value", isinstance(self.value, int | str), "a whole number or a text")
        _checked(self, "weight", self.weight is None or _finite(self.weight), "a number")


@dataclass(frozen=True, slots=True)
class Prompt:
    """Be what this text asks for: for models trained with captions or instructions."""

    text: str
    weight: float | None = None

    def __post_init__(self) -> None:
        _checked(self, "text", isinstance(self.text, str), "a text")
        _checked(self, "weight", self.weight is None or _finite(self.weight), "a number")


@dataclass(frozen=True, slots=True)
class Like:
    """Be like this reference item (its values, or a file that holds it), as strongly as `strength` in [0, 1) says."""

    item: Any
    strength: float = 0.7

    def __post_init__(self) -> None:
        object.__setattr__(self, "item", _plain(self.item))
        _checked(self, "item", _is_json(self.item), "a text, finite numbers in lists, or values by name")
        _checked(self, "strength", _finite(self.strength) and 0 <= self.strength < 1, "from 0 to below 1")


@dataclass(frozen=True, slots=True)
class Keep:
    """Leave these parts as they are: columns or cells by name, a text by its `prefix`; None keeps a cell missing."""

    values: Mapping[str, Value]

    def __post_init__(self) -> None:
        plain = isinstance(self.values, Mapping) and all(isinstance(k, str) and (isinstance(v, bool | str | None) or _finite(v)) for k, v in self.values.items())
        _checked(self, "values", plain, "finite numbers, texts, True, False or None by name", "RULE_TYPE")


@dataclass(frozen=True, slots=True)
class Where:
    """Obey a rule such as "age > 60 and `hours per week` in [40, 60] and income == '>50K'"."""

    rule: str

    def __post_init__(self) -> None:
        _checked(self, "rule", isinstance(self.rule, str), "a text")
        parse(self.rule)


@dataclass(frozen=True, slots=True)
class Towards:
    """Have more of a quantity: items are weighed by exp(strength * quantity), in standard deviations of it under the model.

    The quantity is a part of the data, a rule (how much an item obeys it: 0 or 1), one of `ilk list quantities`, or a saved model (its log density).
    """

    quantity: str
    strength: float = 1.0

    def __post_init__(self) -> None:
        _checked(self, "quantity", isinstance(self.quantity, str), "a name")
        _checked(self, "strength", _finite(self.strength), "a number")


@dataclass(frozen=True, slots=True)
class Avoid:
    """Not be that: a rule does not hold; a label or a prompt is leant away from, as strongly as `strength` says; less of a quantity; unlike an item."""

    what: Label | Prompt | Like | Keep | Where | Towards
    strength: float = 1.0

    def __post_init__(self) -> None:
        if isinstance(self.what, str | Mapping):
            object.__setattr__(self, "what", as_given(self.what))
        _checked(self, "what", isinstance(self.what, Label | Prompt | Like | Keep | Where | Towards), "what is to be avoided, such as Label(3)")
        _checked(self, "strength", _finite(self.strength) and self.strength > 0, "above 0")


Given = Label | Prompt | Like | Keep | Where | Towards | Avoid
SORTS: Mapping[str, type[Any]] = {c.__name__: c for c in (Label, Prompt, Like, Keep, Where, Towards, Avoid)}


def _finite(x: object) -> bool:
    return isinstance(x, float | int) and not isinstance(x, bool) and isfinite(x)


def _checked(given: Any, name: str, fine: bool, wanted: str, code: str = "GIVEN") -> None:
    if not fine:
        raise UsageError(f"{name} of {type(given).__name__} is {str(getattr(given, name))[:60]!r}", remedy=wanted, code=code, param="given")


def _plain(item: Any) -> Any:
    """An item as JSON has it: arrays as lists, a frame of one row as its values by name."""
    if hasattr(item, "to_dicts"):
        rows = item.to_dicts()
        return {k: _plain(v) for k, v in rows[0].items()} if len(rows) == 1 else rows
    if hasattr(item, "tolist"):
        return item.tolist()
    if isinstance(item, Mapping):
        return {str(k): _plain(v) for k, v in item.items()}
    return [_plain(v) for v in item] if isinstance(item, list | tuple) else item


def _is_json(item: Any) -> bool:
    if isinstance(item, dict):
        return bool(item) and all(map(_is_json, item.values()))
    return all(map(_is_json, item)) and bool(item) if isinstance(item, list) else isinstance(item, bool | str | None) or _finite(item)


def given_to_json(given: Given) -> dict[str, Any]:
    """A Given as plain JSON.

    >>> given_to_json(Keep({"age": 42}))
    {'sort': 'Keep', 'values': {'age': 42}}
    """
    facts = {f.name: getattr(given, f.name) for f in fields(given)}
    return {"sort": type(given).__name__, **{k: given_to_json(v) if k == "what" else v for k, v in facts.items()}}


def given_from_json(facts: Mapping[str, Any]) -> Given:
    """The Given that `given_to_json` wrote down; UsageError for anything else."""
    sort = str(facts.get("sort"))
    if sort not in SORTS:
        raise UsageError(f"no given of sort {sort!r}", remedy=nearest(str(sort), SORTS), code="GIVEN")
    said = {k: given_from_json(v) if k == "what" and isinstance(v, Mapping) else v for k, v in facts.items() if k != "sort"}
    try:
        made: Given = SORTS[sort](**said)
    except TypeError as why:
        raise UsageError(f"a given of sort {sort} can't be read: {why}", code="GIVEN") from None
    return made


def tests_of(given: Given) -> tuple[Test, ...]:
    """A hard Given as comparisons: keeping is `==`; soft ones have none."""
    if isinstance(given, Where):
        return parse(given.rule)
    if isinstance(given, Keep):
        return tuple(Test(name, "==", value) for name, value in given.values.items())
    return ()


def as_given(asked: str | Mapping[str, Value] | Given) -> Given:
    """A rule, values to keep, or a typed Given, as a typed Given."""
    if isinstance(asked, str):
        return Where(asked)
    if isinstance(asked, Mapping):
        if not asked:
            raise UsageError("nothing is given", remedy="leave it out, or name a column", code="GIVEN", param="given")
        values: Mapping[Any, Any] = asked
        return Keep({str(name): value.item() if hasattr(value, "item") else value for name, value in values.items()})
    if not isinstance(asked, tuple(SORTS.values())):
        raise UsageError(f"{type(asked).__name__} is not a given", remedy="a rule as text, a mapping of values to keep, Label(...) or Keep(...)", code="GIVEN")
    return asked


@dataclass(frozen=True, eq=False)
class Weigh:
    """Evidence on a Discrete space: a log weight per value of some positions; -inf forbids, a single 0 keeps."""

    tables: Mapping[int, Tensor]


@dataclass(frozen=True)
class Fix:
    """Evidence on a Reals space: some coordinates (row-major) have these values."""

    values: Mapping[int, float]


@dataclass(frozen=True)
class Within:
    """Evidence on a Reals space: some coordinates lie in these closed ranges."""

    ranges: Mapping[int, tuple[float, float]]


@dataclass(frozen=True, eq=False)
class Begin:
    """Evidence on a Many space: the first elements are these."""

    elements: Tensor


@dataclass(frozen=True, eq=False)
class Between:
    """Evidence on a Many: items begin with the first of these stretches and end with the last, the others stand between in this order;
    anything may be between two of them. An empty one at an end leaves that end free."""

    stretches: tuple[Tensor, ...]


@dataclass(frozen=True, eq=False)
class At:
    """Evidence on a Many: what is known of single elements, by place; all these places are there."""

    places: Mapping[int, Evidence]


@dataclass(frozen=True, eq=False)
class Held:
    """Evidence on an atom: where the mask (of the atom's shape) is true, the values are these."""

    mask: Tensor
    values: Tensor


@dataclass(frozen=True, eq=False)
class Presence:
    """Evidence on a Maybe: log weights of being there and of being missing, and what is known if there."""

    there: float
    missing: float
    of: Evidence | None = None


@dataclass(frozen=True, eq=False)
class Parts:
    """Evidence on a Row: what is known of each part."""

    of: Mapping[str, Evidence]


@dataclass(frozen=True, eq=False)
class About:
    """Evidence for models trained with a context: the context, as a batch of one item a name."""

    context: Mapping[str, Batch]


@dataclass(frozen=True, eq=False)
class Lean:
    """Evidence for models trained with a context: that context, if any, and others to lean towards as their weights say, or away from where those are below 0."""

    context: Mapping[str, Batch]
    terms: tuple[tuple[Mapping[str, Batch], float], ...]


Evidence = Weigh | Fix | Within | Begin | Between | At | Held | Presence | Parts | About | Lean
