"""What a model is and where it came from, as sections of a report; and the command that makes it again."""
from __future__ import annotations

import shlex
from collections.abc import Iterator, Mapping
from dataclasses import MISSING, is_dataclass
from hashlib import sha256
from typing import Any

from ilk import __version__, registry
from ilk.errors import printable
from ilk.model import Model
from ilk.pages.page import Block, Example, Facts, Points
from ilk.pages.words import Words, family_of, measure_of, modality_of, space_of
from ilk.recipe import listed
from ilk.store import tensors_to_bytes
from ilk.verbs._shown import Told

FILLED = {"columns", "shape", "dtype", "low", "levels"}  # fields of a kind of data that reading fills
PYTHON = {"steps": "budget=ilk.Steps({})", "budget": "budget=ilk.Seconds({})"}  # what a run was asked, else by its own name


def title(words: Words, model: Model) -> str:
    """The data, the family, the kind of data."""
    home = str(model.card.get("data") or "")
    return words["title"].format(data=printable(home.rstrip("/").rpartition("/")[2]) or words["unknown"], family=registry.name_of("families", model.body.family),
                                 modality=modality_of(words, registry.name_of("modalities", model.modality)))


def what(told: Told) -> Iterator[Block]:
    """Family, kind of data, options, size, how it was fitted, what it scores."""
    model, words = told.model, told.words
    kind = modality_of(words, registry.name_of("modalities", model.modality))
    name = registry.name_of("families", model.body.family)
    sort, measure = told.scored
    size = sum(t.numel() for t in model.body.state().tensors.values())
    rows = [(words["family"], f"{name}: {family_of(words, name)}"), (words["kind"], words["each"].format(kind=kind, space=space_of(words, model.codec.space))),
            (words["options"], words["and"].join(f"{k} = {_text(v)}" for k, v in changed(model.body.family).items()) or words["none"]),
            (words["size"], f"{size:,}"), (words["fitted"], _fitted(words, model.card)), (words["scores"], words[sort].format(measure=measure_of(words, measure)))]
    if model.labels:
        rows.append((words["labels"], words["and"].join(map(str, model.labels[:50])) + (" …" if len(model.labels) > 50 else "")))
    if model.givens:
        met = [words["met"].format(given=given, sort=words[f"met_{sort}"]) for given, sort in model.met.parts]
        rows.append((words["given"], words["and"].join(met) or words["and"].join(str(getattr(g, "value", g)) for g in model.givens)))
    yield Facts([(name, printable(value)) for name, value in rows])
    if kinds := _columns(words, model):
        yield Facts(kinds, words["columns"])


def _columns(words: Words, model: Model) -> list[tuple[str, str]]:
    """The names of columns by their type."""
    found: dict[str, list[str]] = {}
    for c in getattr(model.modality, "columns", ()):
        said = words["gaps"].format(name=c.name) if c.maybe else c.name
        found.setdefault(words.get(f"kind_{c.kind}", c.kind), []).append(printable(said))
    return [(f"{kind} ({len(names)})", words["and"].join(names)) for kind, names in found.items()]


def _fitted(words: Words, card: Mapping[str, Any]) -> str:
    said = words["fitted_on"].format(**{k: card.get(k, "?") for k in ("items", "seconds", "seed")})
    return words["and"].join([said, *(words[f"asked_{k}"].format(value=v) for k, v in card.get("run", {}).items() if f"asked_{k}" in words)])


def changed(made: Any) -> dict[str, Any]:
    """The options of a recipe that are not as they would be if nobody said, as they are."""
    return {f.name: getattr(made, f.name) for f in listed(made) if getattr(made, f.name) != _default(f)}


def _default(f: Any) -> Any:
    return f.default_factory() if f.default_factory is not MISSING else f.default


def _text(value: Any) -> str:
    """An option in words; a recipe inside as it is called."""
    return call(value) if is_dataclass(value) else str(value)


def call(made: Any) -> str:
    """A recipe as Python."""
    inside = ", ".join(f"{k}={call(v) if is_dataclass(v) else repr(v)}" for k, v in changed(made).items())
    return f"ilk.{type(made).__name__}({inside})"


def again(model: Model) -> str:
    """The command that fits the model anew; in Python where flags can't say it."""
    card, family, kind = model.card, model.body.family, registry.name_of("modalities", model.modality)
    options = changed(family)
    asked = dict(card.get("run", {}))
    if not all(isinstance(v, str | int | float) for v in options.values()):
        said = "".join(f", {PYTHON.get(k, k + '={}').format(v)}" for k, v in asked.items())
        return f"ilk.fit({str(card.get('data', ''))!r}, {call(family)}, run=ilk.Run(seed={card.get('seed', 0)}{said}))"
    read = {k: v for k, v in changed(model.modality).items() if k not in FILLED and isinstance(v, str | int | float)}
    flags = {"family": registry.name_of("families", family), "modality": kind, **options, **read, "seed": card.get("seed", 0),
             **{k: f"{v}s" if k == "budget" else v for k, v in asked.items()}}
    words = [w for k, v in flags.items() for w in ((f"--{k.replace('_', '-')}={str(v).lower()}",) if isinstance(v, bool) else (f"--{k.replace('_', '-')}", str(v)))]
    return shlex.join(["ilk", "fit", str(card.get("data", "")), *words])


def card(told: Told) -> Iterator[Block]:
    """Origin, licence, hashes, version, command, limits."""
    model, words, known = told.model, told.words, told.model.card
    weights = sha256(tensors_to_bytes(model.body.state().tensors)).hexdigest()
    yield Facts([(words["origin"], printable(str(known.get("data") or words["unknown"]))), (words["notes"], printable(str(known.get("notes") or words["none"]))),
                 (words["licence"], printable(str(known.get("licence") or words["unknown"]))), (words["data_hash"], str(known.get("data_sha256", words["unknown"]))),
                 (words["weights_hash"], weights), (words["version"], f"ilk {__version__}"), (words["seed"], str(told.seed)),
                 (words["quick_audit"], printable(str(known.get("audit") or words["none"])))])
    yield Example(printable(again(model)), words["again"])
    yield Points(list(_limits(told)), words["limits"])


def _limits(told: Told) -> Iterator[str]:
    words, model = told.words, told.model
    yield words["limit_data"].format(items=model.card.get("items", "?"))
    if told.data is not None and told.made is not None:
        yield words["limit_figures"]
    if told.scored[0] == "bound":
        yield words["limit_bound"]
    if model.givens and any(sort == "guided" for _, sort in model.met.parts):
        yield words["limit_guided"]
    yield words["limit_private"]


