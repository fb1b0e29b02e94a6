"""Behind the commands: attributes, style, background, rows."""
from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ilk import registry
from ilk.console._shared import Answer, Asked, among, chosen, handed, met, way_of
from ilk.dataset import Dataset, Labels
from ilk.errors import UsageError
from ilk.model import Model
from ilk.verbs._own import alike
from ilk.verbs.open import model_at
from ilk.verbs.read import read
from ilk.verbs.sample import named


def attribute_command(at: str, data: str, to: str | None, examples: str | None, keep: Sequence[str], strength: float, only: Sequence[int],
                      seed: int, out: Path | None) -> Answer:
    """Changes an attribute of every item, and writes or prints."""
    from ilk.verbs.attribute import attribute  # not above: it takes in what other commands can do without

    if to is None:
        raise UsageError("nothing is named to change to", code="OPTION", param="to", remedy="--to LABEL, or --to RULE")
    model = model_at(at)
    shown = None if examples is None else alike(model, examples)
    named = {str(label): label for label in (*model.labels, *(() if shown is None or shown.labels is None else shown.labels.names))}.get(to, to)
    found = attribute(model, _labelled(model, data, only), named, shown, keep, strength, seed)
    answer = {"n": len(found.items), "seed": seed, "to": named, "way": found.way, "flipped": found.flipped, "others": dict(found.others), "moved": found.moved}
    return handed(model, found.items, out, answer, f"{found!r}\n")


def transfer_command(data: str, like: str | None, strength: float, examples: str | None, only: Sequence[int], seed: int, out: Path | None) -> Answer:
    """Sets every picture into another style, and writes or prints."""
    from ilk.verbs.transfer import transfer  # not above: it takes in what other commands can do without

    if like is None:
        raise UsageError("no pictures are named whose style to take", code="OPTION", param="like", remedy="--like PICTURES")
    content = read(data, "image")
    colour = registry.get("modalities", "image")(color={1: "grey", 3: "rgb", 4: "rgba"}[content.items.shape[3]])
    items = content.modality.take(content.items, among(len(content), only, data))
    found = transfer(items, read(like, colour).items, strength, None if examples is None else read(examples, colour).items, seed)
    answer = {"n": len(found.items), "seed": seed, "strength": strength, "style": found.style, "content": found.content}
    return handed(content, found.items, out, answer, f"{found!r}\n")


def background_command(at: str, data: str, only: Sequence[int], n: int, asked: Asked, how: str | None, options: Mapping[str, Any], seed: int, out: Path | None) -> Answer:
    """Makes the background of every picture anew, and writes or prints."""
    from ilk.verbs.background import background  # not above: it takes in what other commands can do without

    model = asked.of(at)
    way = way_of(model, how, options)
    found = background(model, chosen(model, data, only), n, seed, way)
    answer = {"n": len(found.items), "seed": seed, "how": named(way), "met": found.met, "foreground": [round(float(f.mean()), 4) for f in found.foreground]}
    return handed(model, found.items, out, answer, f"foreground {found.foreground.mean():.0%} of the pictures; it is {met(found.met)}\n")


def counterfactual_command(at: str, data: str, want: str | None, keep: Sequence[str], only: Sequence[int], sure: float, plausible: float, given: Sequence[str],
                           seed: int, out: Path | None) -> Answer:
    """Finds a counterfactual of every row, and writes or prints."""
    from ilk.verbs.counterfactual import counterfactual  # not above: it takes in what other commands can do without

    if want is None:
        raise UsageError("no rule is named that shall hold", code="OPTION", param="want", remedy="--want \"income == '>50K'\"")
    model = Asked(given).of(at)
    found = counterfactual(model, chosen(model, data, only), want, keep, sure, plausible, seed)
    answer = {"n": len(found.items), "seed": seed, "want": want, "of": found.of.tolist(), "changed": found.changed.tolist(), "distance": found.distance.tolist(),
              "sure": found.sure.tolist(), "percentile": found.percentile.tolist()}
    return handed(model, found.items, out, answer, f"{found!r}\n")


def _labelled(model: Model, data: str, only: Sequence[int]) -> Dataset[Any]:
    """The items that are meant, with their labels if they have any."""
    found = alike(model, data)
    rows = among(len(found), only, data)
    return Dataset(found.modality, found.modality.take(found.items, rows), labels=None if found.labels is None else Labels(found.labels.codes[rows], found.labels.names))
