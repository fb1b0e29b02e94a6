"""attribute: items with one attribute changed, the rest of them kept, and what that did to them."""
from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor

from ilk.batch import Batch
from ilk.dataset import Dataset
from ilk.distribution import Distribution, Encodes
from ilk.errors import UsageError, nearest
from ilk.families.latent import Coded
from ilk.given import Label, Where
from ilk.model import Model
from ilk.rng import Rng
from ilk.rules import parse
from ilk.verbs._factors import Factors
from ilk.verbs._judges import judge
from ilk.verbs.classify import classify
from ilk.verbs.condition import flat
from ilk.verbs.edit import codes_of, decoded
from ilk.verbs.read import native

MOST, LEAST, VALUES = 4000, 20, 20   # examples that are looked at, and have to be there; numbers of more values are cut at their quartiles
ALWAYS = Rng(0).child("attribute")   # one direction for the same examples, whatever the seed


@dataclass(frozen=True, eq=False)
class Attributed:
    """Items with an attribute changed, and what classifiers say of it that learned from examples which did not choose the change.

    `flipped` is the share taken for what was asked, of the items that were not taken for it before; `others` the share of all items whose
    kept attribute is seen otherwise than before. Both need examples. `moved` is the root mean square change of an item's numbers.
    """

    items: Any
    way: Literal["label", "direction"]
    flipped: float | None
    others: Mapping[str, float]
    moved: float

    def __repr__(self) -> str:
        flips = "not measured" if self.flipped is None else f"{self.flipped:.1%}"
        return "\n".join([f"by {self.way}: flipped {flips}, moved {self.moved:.3g}", *(f"  {name}: {share:.1%} changed" for name, share in self.others.items())])


@dataclass(frozen=True, eq=False)
class _Shown:
    """Examples: items, the class of each, the class that is wanted, and the classes of what is to be kept."""

    items: Any
    classes: Tensor
    wanted: int
    kept: Mapping[str, Tensor]


def attribute(model: Model, items: Any, to: Any, examples: Any = None, keep: Mapping[str, Any] | Sequence[str] = (), strength: float = 1.0,
              seed: int = 0) -> Attributed:
    """Each item with one attribute changed: `to` is a label, a rule that shall hold ("age > 60"), or a mask of the examples that are as wished.

    A model that was told labels encodes an item with its old one (that of a Dataset, else the likeliest) and decodes it with the new one. Any other with
    codes of real numbers learns a direction from `examples` (a Dataset with labels, or items), at right angles to those of what is to be
    kept: rules, or names with a value for each example. `strength` is how far along it: 1 is as far as the classes are apart.

    >>> import ilk
    >>> x = ilk.Rng(0).normal(400, 2).numpy()
    >>> made = attribute(ilk.fit(x, ilk.Flow(), budget=ilk.Steps(5)), x[:50], to="`0` > 0", examples=x, strength=2)
    >>> made.way, bool((made.items[:, 0] > 0).mean() > 0.9)
    ('direction', True)
    """
    if not 0 <= strength <= 100:
        raise UsageError(f"strength is {strength}", code="OPTION", param="strength", remedy="0 (as it is) to 100; 1 goes as far as the classes are apart")
    found = native(model.modality, items.items if isinstance(items, Dataset) else items)
    if not len(found):
        raise UsageError("there is no item", code="ITEMS", remedy="pass one at least")
    label = to.value if isinstance(to, Label) else to
    shown = None if examples is None else _shown(model, examples, label, keep)
    way = _told(model.body) if isinstance(label, int | str) and label in model.labels else None
    if way is not None:
        made = _relabelled(model, way, found, _labels(model, items, found), model.labels.index(label), seed)
    elif shown is not None:
        made = _directed(model, shown, found, strength, seed)
    else:
        raise UsageError(f"the model can't be told {label!r}: a direction is learned from examples", code="EXAMPLES", param="examples",
                         remedy="name items that differ in it: --examples DATA")
    flipped, others = _effect(model, shown, found, made) if shown is not None else (None, {})
    return Attributed(made, "direction" if way is None else "label", flipped, others, _moved(model, found, made))


def _told(body: Distribution[Any]) -> Encodes | None:
    """The body, if its codes leave out what its label says; a code learned without labels holds it itself."""
    return body if list(body.about) == ["label"] and isinstance(body, Encodes) and not isinstance(body, Coded) else None


def _labels(model: Model, items: Any, found: Any) -> Tensor:
    """The old label of each item: what a Dataset says, else the one that it is the likeliest under."""
    if isinstance(items, Dataset) and (about := model.told(items, torch.arange(len(items)))):
        return about["label"].tensor
    return classify(model, found).log_chances.argmax(1)


def _relabelled(model: Model, body: Encodes, items: Any, old: Tensor, new: int, seed: int) -> Any:
    batch = flat(model, items, Rng(0).child("code"))
    codes = body.encode(Batch(batch.tensor, context={"label": Batch(old)}))
    return decoded(model, body, Batch(codes.tensor, context={"label": Batch(torch.full_like(old, new))}), seed)


def _directed(model: Model, shown: _Shown, items: Any, strength: float, seed: int) -> Any:
    """Codes moved by what was learned from the first half of the examples."""
    body, codes = codes_of(model, items)
    half = torch.arange(0, len(shown.classes), 2)
    learned = Factors.learned(codes_of(model, model.modality.take(shown.items, half))[1].flatten(1), shown.classes[half], [c[half] for c in shown.kept.values()])
    return decoded(model, body, Batch(learned.moved(codes.flatten(1), shown.wanted, strength).reshape(codes.shape)), seed)


def _effect(model: Model, shown: _Shown, before: Any, after: Any) -> tuple[float | None, dict[str, float]]:
    """By classifiers that learned from the second half of the examples."""
    half = torch.arange(1, len(shown.classes), 2)
    told = model.modality.take(shown.items, half)

    def seen(name: str, classes: Tensor) -> tuple[Tensor, Tensor]:
        says = judge(model, told, classes[half], ALWAYS.child("judge", name))
        return says(before), says(after)

    old, new = seen("", shown.classes)
    were = old != shown.wanted
    changed = {name: float(torch.ne(*seen(name, classes)).double().mean()) for name, classes in shown.kept.items()}
    return float((new[were] == shown.wanted).double().mean()) if bool(were.any()) else None, changed


def _moved(model: Model, before: Any, after: Any) -> float:
    one, other = (flat(model, x, Rng(0).child("code")).tensor.double() for x in (before, after))
    return float((other - one).square().mean().sqrt())


def _shown(model: Model, examples: Any, to: Any, keep: Mapping[str, Any] | Sequence[str]) -> _Shown:
    """The examples with their classes, MOST of them at most; UsageError where they can't show the attribute."""
    items = native(model.modality, examples.items if isinstance(examples, Dataset) else examples)
    labels = examples.labels if isinstance(examples, Dataset) else None
    if labels is not None and isinstance(to, int | str) and to in labels.names:
        classes, wanted = labels.codes, labels.names.index(to)
    elif isinstance(to, int) or (isinstance(to, str) and labels is not None and not _is_rule(to)):
        raise UsageError(f"no label {to!r}", code="OPTION", param="to", remedy=nearest(str(to), labels.names) if labels is not None else "examples with labels, or a rule")
    else:
        classes, wanted = _classes(model, items, to.rule if isinstance(to, Where) else to, "to"), 1
    kept = {name: _classes(model, items, what, "keep") for name, what in (keep.items() if isinstance(keep, Mapping) else [(rule, rule) for rule in keep])}
    rows = ALWAYS.child("some").shuffle(len(items))[:MOST]
    found = _Shown(model.modality.take(items, rows), classes[rows], wanted, {name: c[rows] for name, c in kept.items()})
    has = int((found.classes == wanted).sum())
    if min(has, len(rows) - has) < LEAST:
        raise UsageError(f"{has} of {len(rows)} examples are {to!r}", code="EXAMPLES", param="examples", remedy=f"{LEAST} at least have to be, and not to be")
    return found


def _is_rule(text: str) -> bool:
    try:
        return bool(parse(text))
    except UsageError:
        return False


def _classes(model: Model, items: Any, what: Any, param: str) -> Tensor:
    """A rule, or a value an example, as classes; numbers of many values by their quartiles."""
    if isinstance(what, str):
        return model.modality.obeys(items, model.modality.checked(parse(what))).long()
    values = np.asarray(what)
    if values.shape != (len(items),):
        raise UsageError(f"{values.shape} values for {len(items)} examples", code="EXAMPLES", param=param, remedy="one for each, in their order")
    named, codes = np.unique(values, return_inverse=True)
    if len(named) > VALUES and values.dtype.kind in "fiu":
        codes = np.searchsorted(np.quantile(values, (0.25, 0.5, 0.75)), values)
    return torch.from_numpy(codes.astype(np.int64))
