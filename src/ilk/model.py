"""A fitted model as the user holds it, and its form on disk. Verbs are functions; this only holds."""
from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any

from . import __version__, recipe, registry
from .captions import Vocabulary
from .distribution import Distribution, Tells, describe
from .errors import IlkError, ModelError, UsageError
from .given import Given, given_from_json, given_to_json, tests_of
from .grammar import written
from .lift import Lift, lift_named
from .memory import Bounded
from .modality import Codec, Modality
from .rng import Rng
from .rules import Value
from .space import Many, from_json, to_json
from .store import State, parse_json, read_folder, tensors_from_bytes, tensors_to_bytes, write_folder

if TYPE_CHECKING:
    from torch import Tensor

    from .batch import Batch
    from .dataset import Dataset
    from .distribution import How
    from .region import Region
    from .verbs.condition import Conditioned
    from .verbs.evaluate import Evaluation
    from .verbs.score import Score
    from .verbs.steps import Unfolding

FORMAT, ROOM = 1, 256 << 20


@dataclass(frozen=True, eq=False)
class Model:
    """A distribution, the way to it from raw items, what is given, and where it came from."""

    modality: Modality[Any]
    codec: Codec[Any]
    lift: Lift
    body: Distribution[Any]
    givens: tuple[Given, ...] = ()
    labels: tuple[int | str, ...] = ()
    words: tuple[str, ...] = ()                # that captions are told by
    card: Mapping[str, Any] = field(default_factory=dict)

    def given(self, asked: str | Mapping[str, Value] | Given) -> Model:
        """p(x) -> p(x | given): another model. `given("age > 60")`, `given({"city": "Lyon"})`, `given(Label(3))`."""
        from .verbs.condition import given

        return given(self, asked)

    def sample(self, n: int = 1, seed: int = 0, how: How | None = None) -> Any:
        """n new items, in the form that people hold them in."""
        from .verbs.sample import sample

        return sample(self, n, seed, how).items

    def steps(self, n: int = 1, seed: int = 0, how: How | None = None) -> Unfolding:
        """What `sample` makes, while it is made: steps to look at, stop, branch and steer."""
        from .verbs.steps import steps

        return steps(self, n, seed, how)

    def edit(self, items: Any, redo: Region | str | Sequence[str], n: int = 1, seed: int = 0, how: How | None = None) -> Any:
        """Items with part of them made anew, n times each: `edit(face, ilk.box(8, 8, 24, 24))`, `edit(row, ["age"])`."""
        from .verbs.edit import edit

        return edit(self, items, redo, n, seed, how)

    def score(self, items: Any, seed: int = 0) -> Score:
        """Nats per raw item, and whether exact, a bound or an estimate."""
        from .verbs.score import score

        return score(self, items, seed)

    def evaluate(self, against: Any, n: int | None = None, seed: int = 0) -> Evaluation:
        """Figures about the model beside their floors and ceilings."""
        from .verbs.evaluate import evaluate

        return evaluate(self, against, n, seed)

    def __add__(self, other: Model) -> Model:
        """The model of the items of both, for families that keep counts: equal to one fit over all of them."""
        from .verbs.merge import merge

        return merge(self, other)

    def forget(self, rows: Any, data: Any = None) -> Model:
        """The model without these items, for families that keep counts: equal to a fit without them in the same coding."""
        from .verbs.forget import forget

        return forget(self, rows, data)

    def save(self, to: str | Path) -> Path:
        """A folder of JSON and safetensors, hashed; never code."""
        return save(self, to)

    @cached_property
    def vocabulary(self) -> Vocabulary | None:
        """How captions are told to it, if they are."""
        if isinstance(self.body, Tells):
            own: Vocabulary = self.body.vocabulary
            return own
        about = self.body.about.get("caption")
        return Vocabulary(self.words, about.at_most) if isinstance(about, Many) else None

    def told(self, data: Dataset[Any], index: Tensor) -> Mapping[str, Batch]:
        """What the data say beside some items, as far as the model was fitted with it."""
        found = {"label": data.context(index)["label"]} if "label" in self.body.about and data.labels is not None and data.labels.names == self.labels else {}
        if self.vocabulary is not None and data.captions is not None:
            found["caption"] = self.vocabulary.batch([data.captions.texts[i] for i in index.tolist()])
        others = replace(data, labels=None, captions=None)
        return found | {name: batch for name, batch in others.context(index).items() if others.about[name] == self.body.about.get(name)}

    @cached_property
    def met(self) -> Conditioned:
        """The givens worked out, once."""
        from .verbs.condition import condition

        return condition(self)

    def __repr__(self) -> str:
        said = "".join(f" given {written(g)[:200]}" for g in self.givens)
        return f"<ilk {registry.name_of('families', self.body.family)} of {registry.name_of('modalities', self.modality)}{said}>"

    def _repr_html_(self) -> str:
        from .verbs.show import html

        return html(self)


def _facts(model: Model, state: State) -> dict[str, Any]:
    """Everything about a model but its tensors."""
    return {"ilk": FORMAT, "version": __version__,
            "family": recipe.facts("families", model.body.family), "modality": recipe.facts("modalities", model.modality),
            "codec": {"name": type(model.codec).__name__, "facts": dict(model.codec.state().facts)},
            "lift": type(model.lift).__name__, "space": to_json(model.codec.space),
            "about": [[k, to_json(s)] for k, s in model.body.about.items()], "labels": list(model.labels), "words": list(model.words),
            "givens": [given_to_json(g) for g in model.givens], "state": dict(state.facts), "card": dict(model.card)}


def identity(model: Model) -> str:
    """A hash of what a model is: its recipe, its coding and all that it learned. Its card and what is given are left out."""
    state = model.body.state()
    facts = {k: v for k, v in _facts(model, state).items() if k not in ("version", "card", "givens")}
    return sha256(json.dumps(facts, sort_keys=True).encode("utf-8", "backslashreplace") + tensors_to_bytes(state.tensors)).hexdigest()


def save(model: Model, to: str | Path) -> Path:
    """Writes the model's folder: whole or not at all. Returns where."""
    to = Path(to)
    may_save(to)
    write_folder(to, files_of(model))
    return to


def may_save(to: Path) -> None:
    """UsageError where something else than a model is there already."""
    if to.exists() and not (to / "ilk.json").exists() and (not to.is_dir() or any(to.iterdir())):
        raise UsageError(f"{to} is there already and is not a model", remedy="choose another name", code="OUT", param="out")


def files_of(model: Model) -> dict[str, bytes]:
    """The files of a model's folder by name."""
    state = model.body.state()
    text = json.dumps(_facts(model, state), indent=1, ensure_ascii=False, allow_nan=False)
    return {"ilk.json": _bytes(text), "model.safetensors": tensors_to_bytes(state.tensors), "card.md": _bytes(card_text(model))}


def _bytes(text: str) -> bytes:
    """UTF-8; bytes of a file's name that are none come as JSON escapes."""
    return text.encode("utf-8", "backslashreplace")


def card_text(model: Model) -> str:
    """The model card: what it is, from what data, how it was made."""
    rows = "\n".join(f"| {k} | {v} |" for k, v in model.card.items() if not isinstance(v, dict | list))
    family = registry.name_of("families", model.body.family)
    said = "\n".join(f"* {k}: {v}" for k, v in recipe.options(model.body.family).items())
    return f"# {family} of {registry.name_of('modalities', model.modality)}\n\nItems: {describe(model.codec.space)}.\n\n| | |\n|---|---|\n{rows}\n\nOptions\n\n{said}\n"


def load(at: str | Path, net: Any = None) -> Model:
    """The model in a folder: recipe, build, restore; no code is read from disk. ModelError if anything is amiss.

    `net` is the class of a network of the user's own that the model was made with.
    """
    files = read_folder(Path(at), ("ilk.json", "model.safetensors"))
    facts = parse_json(files["ilk.json"], "ilk.json")
    if not isinstance(facts, dict) or type(facts.get("ilk")) is not int or facts["ilk"] < 1:
        raise ModelError("ilk.json does not describe a model", code="MANIFEST_SCHEMA")
    if facts["ilk"] > FORMAT:
        raise ModelError(f"format {facts['ilk']} is newer than this ilk reads ({FORMAT})", code="NEWER_VERSION", remedy="install a newer ilk")
    tensors = tensors_from_bytes(files["model.safetensors"])
    try:
        return _built(facts, tensors, net)
    except ModelError:
        raise
    except IlkError as why:
        raise ModelError(f"ilk.json: {why.message.partition(chr(10))[0]}", code="NET" if why.code == "NET" else "MANIFEST_SCHEMA", remedy=why.remedy) from None
    except (KeyError, TypeError, ValueError, AttributeError, IndexError, RecursionError, MemoryError, RuntimeError, OverflowError) as why:
        raise ModelError(f"ilk.json does not describe a model: {type(why).__name__} {str(why)[:120]}", code="MANIFEST_SCHEMA") from None


def _built(facts: Mapping[str, Any], tensors: Mapping[str, Any], net: Any) -> Model:
    modality: Modality[Any] = recipe.from_facts("modalities", facts["modality"])
    kinds = {c.__name__: c for c in modality.codecs()}
    if facts["codec"]["name"] not in kinds:
        raise ModelError(f"ilk.json: no codec {facts['codec']['name']!r}", code="MANIFEST_SCHEMA")
    codec = kinds[facts["codec"]["name"]].restored(modality, State(facts=facts["codec"]["facts"]))
    lift = lift_named(facts["lift"], codec.space)
    family = recipe.from_facts("families", facts["family"], net)
    about = {k: from_json(s) for k, s in facts["about"]}
    with Bounded(ROOM + 16 * sum(t.nbytes for t in tensors.values())):
        body = family.build(lift.space, Rng(0), about)
        body.restore(State(tensors, facts["state"]))
    givens = tuple(given_from_json(g) for g in facts["givens"])
    modality.checked([t for g in givens for t in tests_of(g)])
    if not all(isinstance(label, int | str) for label in facts["labels"]):
        raise ModelError("ilk.json: labels are whole numbers or texts", code="MANIFEST_SCHEMA")
    if not all(isinstance(word, str) for word in facts["words"]):
        raise ModelError("ilk.json: words are texts", code="MANIFEST_SCHEMA")
    model = Model(modality, codec, lift, body, givens, tuple(facts["labels"]), tuple(facts["words"]), facts["card"])
    again = json.loads(json.dumps({**_facts(model, body.state()), "version": str(facts["version"]), "ilk": facts["ilk"]}))
    if stray := _stray(facts, again) or ", ".join(again.keys() - facts.keys()):
        raise ModelError(f"ilk.json: {stray} is not as in a model that was saved", code="MANIFEST_SCHEMA")
    return model


def differs(one: Model, other: Model) -> str:
    """The first place where two models code their items otherwise or have another recipe; "" for none."""
    a, b = (json.loads(json.dumps({k: v for k, v in _facts(m, State()).items() if k not in ("card", "version", "state")})) for m in (one, other))
    place = _stray(a, b) or _stray(b, a)
    if found := re.match(r"modality\.options\.columns\.(\d+)\.?(\w*)", place):
        return f"the {found[2] or 'type'} of column `{a['modality']['options']['columns'][int(found[1])]['name']}`"
    return place


def _stray(said: Any, known: Any, at: str = "") -> str:
    """The first place where a description says more than, or something else than, the model that was built from it; "" for none."""
    if isinstance(said, dict) and isinstance(known, dict):
        if "custom" in said:
            return ""
        return next((d for k, v in said.items() if (d := _stray(v, known[k], f"{at}.{k}"[:100]) if k in known else f"{at}.{k}"[:100])), "").lstrip(".")
    if isinstance(said, list) and isinstance(known, list) and len(said) == len(known):
        return next((d for i, (a, b) in enumerate(zip(said, known, strict=True)) if (d := _stray(a, b, f"{at}.{i}"))), "")
    return "" if said == known else at
