"""How much somebody likes an item, learned from pairs of which one was preferred (`prefer`)."""
from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from ilk import recipe
from ilk.dataset import encoded
from ilk.distribution import Denoises, Encodes
from ilk.errors import ModelError, UsageError
from ilk.quantity import Quantity, Values
from ilk.rng import Rng
from ilk.space import Reals, to_json
from ilk.store import parse_json, read_folder, tensors_from_bytes, tensors_to_bytes, write_folder

if TYPE_CHECKING:
    from ilk.model import Model

NAMES, FORMAT = ("taste.json", "taste.safetensors"), 1
GRAMS, ROOM = (1, 2, 3), 1024   # lengths of runs of letters that are counted, and numbers they are counted in


@dataclass(frozen=True, eq=False)
class Taste(Quantity):
    """The log odds that an item is preferred to an average one: linear in features of it, standardised (Bradley & Terry 1952).

    `accuracy` is the share of held-out pairs that are told right, `low` to `high` its 95 % interval, `pairs` how many it learned from.
    `Towards("folder of a taste", strength)` leans a model towards it; strength 0 is the model as it was.
    """

    features: str = "vectors"
    weights: Tensor = field(default_factory=lambda: torch.zeros(0, dtype=torch.double))
    center: Tensor = field(default_factory=lambda: torch.zeros(0, dtype=torch.double))
    scale: Tensor = field(default_factory=lambda: torch.zeros(0, dtype=torch.double))
    facts: Mapping[str, Any] = field(default_factory=dict)

    @property
    def accuracy(self) -> float:
        """Share of held-out pairs told right."""
        return float(self.facts["accuracy"])

    def __repr__(self) -> str:
        f = self.facts
        return f"<taste of {f['pairs']} pairs by {self.features}: {f['accuracy']:.2f} of held-out pairs told right ({f['low']:.2f} to {f['high']:.2f}; by chance .5)>"

    def save(self, to: str | Path) -> Path:
        """A folder of JSON and safetensors, hashed."""
        facts = {"taste": FORMAT, "features": self.features, **self.facts}
        tensors = {"weights": self.weights, "center": self.center, "scale": self.scale}
        write_folder(Path(to), {NAMES[0]: json.dumps(facts, indent=1).encode(), NAMES[1]: tensors_to_bytes(tensors)})
        return Path(to)

    @classmethod
    def opened(cls, at: Path) -> Quantity | None:
        """A saved taste; ModelError for a damaged one."""
        if not (at / NAMES[0]).is_file():
            return None
        files = read_folder(at, NAMES)
        facts, tensors = parse_json(files[NAMES[0]], NAMES[0]), tensors_from_bytes(files[NAMES[1]], NAMES[1])
        known = {k: facts[k] for k in ("accuracy", "low", "high", "pairs", "ridge", "of") if k in facts} if isinstance(facts, dict) else {}
        shapes = {tuple(t.shape) for t in tensors.values()}
        if len(known) < 6 or facts.get("features") not in FEATURES or set(tensors) != {"weights", "center", "scale"} or len(shapes) != 1:
            raise ModelError(f"{at} does not describe a taste", code="MANIFEST_SCHEMA")
        return cls(facts["features"], tensors["weights"], tensors["center"], tensors["scale"], known)

    def of(self, model: Model) -> Values:
        """Of items that are coded as those it was learned from; UsageError for others."""
        if not len(self.weights):
            raise UsageError("a taste is named by its folder", code="QUANTITY", param="given", remedy="ilk prefer MODEL LIKES --items FILE --out FOLDER")
        if self.facts["of"] != coding(model, self.features):
            raise UsageError("this taste was learned with another model, whose items are coded otherwise", code="QUANTITY", param="given",
                             remedy="learn it anew with this model (ilk prefer)")
        return lambda items: (FEATURES[self.features](model, items) - self.center) / self.scale @ self.weights


def possible(model: Model) -> tuple[str, ...]:
    """The features that items of this model have."""
    body = model.body
    codes = isinstance(body, Encodes) and not isinstance(body, Denoises) and not body.about and isinstance(body.code_space(), Reals)
    texts = hasattr(model.codec, "pieces")
    return ("vectors", *(["codes"] if codes else []), *(["grams"] if texts else []))


def coding(model: Model, features: str) -> str:
    """A hash of all that these features of an item depend on."""
    facts = [recipe.facts("modalities", model.modality), type(model.codec).__name__, dict(model.codec.state().facts), to_json(model.codec.space)]
    said = b"" if features == "grams" else json.dumps(facts, sort_keys=True, default=str).encode()
    return sha256(said + (tensors_to_bytes(model.body.state().tensors) if features == "codes" else b"")).hexdigest()


def _vectors(model: Model, items: Any) -> Tensor:
    from ilk.verbs._vectors import vectors

    return vectors(model, items)


def _codes(model: Model, items: Any) -> Tensor:
    body: Any = model.body
    return body.encode(encoded(model.codec, model.lift, items, Rng(0).child("code"))).tensor.double().flatten(1)  # type: ignore[no-any-return]


def _grams(model: Model, items: Any) -> Tensor:
    """Runs of letters, hashed, as shares of an item (Weinberger et al. 2009, without signs)."""
    found = torch.zeros(len(items), ROOM, dtype=torch.double)
    for row, text in enumerate(items):
        runs = [text[i:i + n] for n in GRAMS for i in range(len(text) - n + 1)]
        place = torch.tensor([int.from_bytes(sha256(run.encode("utf-8", "surrogatepass")).digest()[:4], "big") % ROOM for run in runs], dtype=torch.long)
        found[row] = torch.bincount(place, minlength=ROOM).double() / max(1, len(runs)) ** 0.5
    return found


FEATURES: Mapping[str, Callable[[Model, Any], Tensor]] = {"vectors": _vectors, "codes": _codes, "grams": _grams}
