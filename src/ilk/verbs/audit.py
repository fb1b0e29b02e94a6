"""audit: what a model, or what it makes, gives away of the items that it learned from."""
from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

from torch import Tensor

from ilk import registry
from ilk.attack import Attack, Finding, Target, Unmeasured, carried
from ilk.dataset import Dataset, split_dataset
from ilk.errors import UsageError
from ilk.model import Model
from ilk.rng import Rng
from ilk.verbs._target import making, target
from ilk.verbs.fit import fingerprint
from ilk.verbs.read import native, read
from ilk.verbs.score import score

Verdict = Literal["leaks", "not shown to be safe", "no sign of a leak"]
LEAST = 4   # shadow models


@dataclass(frozen=True)
class Audit:
    """What was found, and why other attacks could not be carried out: what was not measured is not shown to be safe."""

    findings: tuple[Finding, ...]
    unmeasured: Mapping[str, str]

    @property
    def flagged(self) -> tuple[str, ...]:
        """The names of the figures that chance does not explain."""
        return tuple(f.name for f in self.findings if f.flagged)

    @property
    def verdict(self) -> Verdict:
        """In a word: the worst that was found."""
        return "leaks" if self.flagged else "not shown to be safe" if self.unmeasured else "no sign of a leak"

    def __getitem__(self, name: str) -> Finding:
        for finding in self.findings:
            if finding.name == name:
                return finding
        raise UsageError(f"no figure {name!r} here: {', '.join(f.name for f in self.findings) or 'nothing was measured'}", code="ATTACK")

    def __repr__(self) -> str:
        rows = [("figure", "value", "95 %", "null", "flagged above", "n", "")]
        rows += [(f.name, f"{f.value:z.4g}", f"{f.low:z.3g} to {f.high:z.3g}", f"{f.null:z.3g}", f"{f.threshold:z.3g}", str(f.n), _said(f)) for f in self.findings]
        widths = [max(len(row[i]) for row in rows) for i in range(7)]
        lines = ["  ".join(cell.ljust(w) if i in (0, 6) else cell.rjust(w) for i, (cell, w) in enumerate(zip(row, widths, strict=True))).rstrip() for row in rows]
        return "\n".join([*lines, *(f"{name}: not measured, {why}" for name, why in self.unmeasured.items()), self.verdict])


def _said(finding: Finding) -> str:
    return "LEAK" if finding.flagged else "open" if finding.open else ""


def audit(model: Model | None, data: Any, *, made: Any = None, planted: tuple[Any, Any] | None = None, shadows: int = 0, n: int | None = None, seed: int = 0) -> Audit:
    """Every attack of the axis `attacks` that fits the kind of data, on the data that the model was fitted on: their training items against their test items.

    `made` are items to be judged in the place of new ones (then the model may be None: anybody's synthetic data can be audited), else `n` are made. `planted`
    are secrets that were put into the training items, and alternatives like them that were not (see `exposure`). `shadows` models, 4 at least, are fitted for
    the likelihood-ratio attack if asked. What can't be measured is listed and counts as not shown to be safe: no data any more (None), others than the card
    names, no held-out items. DataError where held-out items are training items.

    >>> import ilk, numpy as np
    >>> x = np.random.default_rng(0).standard_normal((400, 2))
    >>> audit(ilk.fit(x, ilk.GMM(components=1)), x).verdict
    'no sign of a leak'
    """
    if shadows and shadows < LEAST:
        raise UsageError(f"{shadows} shadow models", code="OPTION", param="shadows", remedy=f"{LEAST} or more, or none")
    rng, model = Rng(seed).child("audit"), None if model is None else replace(model, givens=())
    found = None if data is None else _data(model, data)
    if made is None and model is not None:
        made = making(model, found, n, int(rng.child("seed").key() % 2**31))
    aim = target(model, found, made, shadows, rng)
    if planted is not None and model is not None:
        aim = replace(aim, secrets=_nats(model, planted, seed))
    answers = {name: answer for name, answer in _answers(aim, rng) if answer}
    known = {} if model is None or found is None or _fitted(model, found) else {"training items": "they are not those that the model's card names by their hash"}
    return Audit(tuple(f for answer in answers.values() if not isinstance(answer, Unmeasured) for f in answer),
                 known | {name: answer.reason for name, answer in answers.items() if isinstance(answer, Unmeasured)})


def exposure(model: Model, secrets: Any, alternatives: Any, seed: int = 0) -> Finding:
    """How many bits secrets stand out by likelihood among alternatives: items of the same making that the model did not learn from.

    Put secrets into the training items before a fit, and look here after it: 1.44 bits in the mean say that they were not learned.

    >>> import ilk
    >>> codes = [f"code {i:04d}" for i in range(0, 10000, 37)]
    >>> model = ilk.fit(ilk.read(["some other text", "and one more"] * 20 + codes[:1] * 20), ilk.NGram(order=4))
    >>> exposure(model, codes[:1], codes[1:]).flagged
    True
    """
    kind: Attack = registry.get("attacks", "exposure")()
    found = carried(kind, Target(registry.name_of("modalities", model.modality), model, secrets=_nats(model, (secrets, alternatives), seed)), Rng(seed))
    if isinstance(found, Unmeasured):
        raise UsageError(found.reason, code="ATTACK")
    return found[0]


def _answers(aim: Target, rng: Rng) -> Iterator[tuple[str, Sequence[Finding] | Unmeasured]]:
    """What every attack says that fits the kind of data and was asked for."""
    for name in registry.names("attacks"):
        attack: Attack = registry.get("attacks", name)()
        if (not attack.modalities or aim.kind in attack.modalities) and (not attack.asks or getattr(aim, attack.asks) is not None):
            yield name, carried(attack, aim, rng.child(name))


def _data(model: Model | None, data: Any) -> Dataset[Any]:
    """The division that the fit made; items that are but held out stay so."""
    found = data if isinstance(data, Dataset) else read(data, None if model is None else model.modality)
    return found if "test" in found.splits and "train" not in found.splits else split_dataset(found)


def _fitted(model: Model, data: Dataset[Any]) -> bool:
    """Whether these are the training items of the fit."""
    return bool("train" in data.splits and fingerprint(data, model.body.family)["data"] == model.card.get("data_sha256"))


def _nats(model: Model, planted: tuple[Any, Any], seed: int) -> tuple[Tensor, Tensor]:
    """Scores of secrets and of alternatives."""
    secrets, others = (native(model.modality, side) for side in planted)
    if not len(secrets) or not len(others):
        raise UsageError("there are no secrets, or no alternatives to them", code="EMPTY", param="planted", remedy="one secret at least, and many items like it")
    return score(model, secrets, seed).nats, score(model, others, seed).nats
