"""Who takes part in a race: families and presets whose space fits, a floor, two cheats that must lose, and real items."""
from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

from ilk import presets, recipe, registry
from ilk.dataset import Dataset
from ilk.distribution import Family, Samples
from ilk.errors import IlkError, UsageError
from ilk.families.pretrained import Pretrained
from ilk.rng import Rng
from ilk.verbs.evaluate import FLOOR, FLOORS
from ilk.verbs.fit import route

Kind = Literal["family", "preset", "floor", "cheat", "real"]
FEW = 1000     # items that tell which families take the data


@dataclass(frozen=True)
class Entrant:
    """One that takes part: what it is called, in which role, and the recipe of its family as JSON (none for cheats and real items)."""

    name: str
    kind: Kind
    recipe: Mapping[str, Any] | None = None

    @property
    def family(self) -> Family:
        """The recipe itself."""
        if self.recipe is None:
            raise UsageError(f"{self.name} has no recipe")
        found: Family = recipe.from_facts("families", self.recipe)
        return found


def entrants(data: Dataset[Any], asked: Sequence[str] = (), with_presets: bool = False) -> tuple[list[Entrant], dict[str, str]]:
    """Who runs, by name, and why others don't; UsageError for a name that is asked for and does not fit.

    The address of a pretrained model may be asked for too: it learns nothing, and shows what learning gained.
    """
    few = replace(data, splits={**data.splits, "train": data.some("train", FEW, Rng(0).child("few"))})
    names = list(asked) or [*registry.names("families"), *(presets.names() if with_presets else ())]
    found: list[Entrant] = []
    out: dict[str, str] = {}
    for name in sorted(set(names), key=lambda n: (n not in registry.names("families"), n)):
        family: Family = Pretrained(address=name) if ":" in name else presets.named(name)
        said = recipe.facts("families", family)
        why = _unfit(few, family) or ("it is the same recipe as another's" if any(e.recipe == said for e in found) else "")
        if not why:
            found.append(Entrant(name, "family" if name in registry.names("families") or ":" in name else "preset", said))
        elif name in asked:
            raise UsageError(f"{name} can't take part: {why}", code="SPACE", param="families", remedy="leave it out")
        else:
            out[name] = why
    floor, options = FLOORS.get(registry.name_of("modalities", data.modality), FLOOR)
    independent = Entrant("independent", "floor", recipe.facts("families", recipe.made(registry.get("families", floor), options)))
    return [*found, independent, Entrant("copies", "cheat"), Entrant("noisy_copies", "cheat"), Entrant("real", "real")], out


def _unfit(few: Dataset[Any], family: Family) -> str:
    """Why a family does not learn from these data alone; "" if it does."""
    if needs := getattr(type(family), "needs", ()):
        return f"it needs {' and '.join(needs)} beside the items"
    try:
        _, lift = route(few, family, Rng(0))
        body = family.build(lift.space, Rng(0), {})
    except IlkError as why:
        return str(why).split(";")[0][:200]
    return "" if isinstance(body, Samples) else "it makes no items by itself"
