"""What the functions behind the commands share: models as asked for, items chosen, handed out and written."""
from __future__ import annotations

import os
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch

from ilk import recipe, registry
from ilk.dataset import Dataset
from ilk.distribution import How
from ilk.errors import ModelError, UsageError, printable
from ilk.given import Label, Prompt
from ilk.model import Model
from ilk.records import Recorder
from ilk.store import parse_json
from ilk.tracker import Tracker
from ilk.verbs._own import alike
from ilk.verbs.lineage import SUFFIX, is_own, record
from ilk.verbs.open import model_at
from ilk.words import told

Answer = tuple[dict[str, Any], str]
WHOLE = 1000   # tokens of a text that has no end


@dataclass(frozen=True)
class Asked:
    """What a command line gives of the items to make: rules, a label, a caption."""

    rules: Sequence[str] = ()
    label: str | None = None
    prompt: str | None = None

    def of(self, at: str) -> Model:
        """The model in a folder with all that given."""
        model = model_at(at)
        for rule in self.rules:
            model = model.given(mapping(rule) if rule.lstrip().startswith("{") else rule)
        if self.label is not None:
            known = {str(v): v for v in model.labels}
            model = model.given(Label(known.get(self.label, self.label)))
        return model if self.prompt is None else model.given(Prompt(self.prompt))


def tracked(names: Sequence[str] = ()) -> tuple[Tracker, ...]:
    """What keeps a run of a command: its record, and other programs' by name. What goes wrong in them is a line on stderr."""
    from ilk.commands._shared import SHELL

    found: tuple[Tracker, ...] = (Recorder(about={"asked": ["ilk", *SHELL.words]}), *(registry.get("trackers", name)() for name in names))
    for tracker in found:
        tracker.tell = _tell
    return found


def _tell(text: str) -> None:
    sys.stderr.write(f"ilk: {text}\n")


def mapping(text: str) -> dict[str, Any]:
    """A mapping of values to keep, from JSON; UsageError for anything else."""
    try:
        found: dict[str, Any] = parse_json(text.encode("utf-8", "replace"), f"--given {text[:60]!r}")
    except ModelError as why:
        raise UsageError(why.message, code="RULE", param="given", remedy='such as {"age": 42}') from None
    return found


def way_of(model: Model, how: str | None, options: Mapping[str, Any]) -> How | None:
    """The way of drawing that is named; of a text that has no end, its beginning."""
    if how is None and getattr(model.modality, "per", "") == "whole":
        sys.stderr.write(told(f"a whole text has no end: the first {WHOLE} tokens (--how ancestral --most N for more)\n"))
        how, options = "ancestral", {"decoding": {"most": WHOLE}}
    axis = next(iter(options), "decoding")
    made: How | None = recipe.made(registry.get(axis, how), options.get(axis, {})) if how else None
    return made


def met(sort: str) -> str:
    """How something was met, in words."""
    return {"exact": "met exactly", "estimate": "met by an estimate", "guided": "met by guidance", "rejected": "met by rejection"}[sort]


def handed(model: Model | Dataset[Any], items: Any, out: Path | None, answer: Mapping[str, Any], said: str = "") -> Answer:
    """Made items: in the file that is asked for, else in the answer."""
    whole = {"out": None if out is None else str(out), **answer}
    if out is not None:
        write_items(model, items, out, answer)
        return whole, printable(told(f"{said}{len(items)} items in {out}"))
    sys.stderr.write(printable(told(said)))
    return {**whole, "items": listed(items)}, printed(model, items)


def write_items(model: Model | Dataset[Any], items: Any, out: Path, answer: Mapping[str, Any]) -> None:
    """The file, and its lineage beside it."""
    from ilk.commands._shared import SHELL

    model.modality.write(items, out)
    if not SHELL.lineage:
        out.with_name(out.name + SUFFIX).unlink(missing_ok=True)   # of what was there before
    else:
        files = [word for word in SHELL.words if word != str(out) and os.path.exists(word) and not (os.path.isdir(word) and is_own(Path(word)))]
        record(out, ["ilk", *map(printable, SHELL.words)], model if isinstance(model, Model) else None, items, answer.get("seed"), files)


def chosen(model: Model, data: str, only: Sequence[int]) -> Any:
    """The items of the data that are meant: all, or those of these numbers. A text that the model knows as one whole is one item."""
    modality: Any = model.modality
    whole = getattr(modality, "per", "") == "whole"
    items = alike(replace(model, modality=replace(modality, per="file")) if whole else model, data).items
    return model.modality.take(items, among(len(items), only, data))


def among(many: int, only: Sequence[int], data: str) -> torch.Tensor:
    """The numbers of the items that are meant, all if none is named."""
    if odd := [i for i in only if not 0 <= i < many]:
        raise UsageError(f"there is no item {odd[0]}", code="ITEMS", param="item", remedy=f"0 to {many - 1}: {data} has {many}")
    return torch.tensor(only, dtype=torch.long) if only else torch.arange(many)


def listed(items: Any) -> Any:
    """Items as JSON has them."""
    return items.to_dicts() if hasattr(items, "to_dicts") else items.tolist() if hasattr(items, "tolist") else items


def printed(model: Model | Dataset[Any], items: Any) -> str:
    """Items as text."""
    if hasattr(items, "write_csv"):
        return str(items.write_csv())
    if isinstance(items, list):
        return "\n".join(str(i) if len(items) == 1 or "\n" not in str(i) else f"--- {k + 1}\n{i}" for k, i in enumerate(items))
    shown = model.modality.show(items)
    return shown.data.decode("utf-8", "replace") if shown.mime.startswith("text/") else f"{len(items)} items as {shown.mime}: write them with --out\n"
