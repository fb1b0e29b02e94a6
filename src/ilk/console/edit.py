"""Behind the commands: items made partly anew, and codes."""
from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

from ilk import registry
from ilk.console._shared import Answer, Asked, chosen, handed, met, way_of
from ilk.errors import UsageError
from ilk.modality import Modality, Resizes
from ilk.region import FORMS
from ilk.space import Reals
from ilk.verbs.denoise import denoised
from ilk.verbs.edit import edited, interpolate, vary
from ilk.verbs.invert import decode, invert
from ilk.verbs.open import model_at
from ilk.verbs.read import read
from ilk.verbs.revise import revised
from ilk.verbs.sample import named
from ilk.verbs.translate import translate
from ilk.verbs.upscale import beside, upscale


def edit_command(at: str, data: str, redo: str | None, only: Sequence[int], n: int, asked: Asked, how: str | None,
                 options: Mapping[str, Any], seed: int, out: Path | None) -> Answer:
    """Makes part of every item anew, and writes or prints."""
    if redo is None:
        raise UsageError("nothing is to be made anew", code="REGION", param="redo", remedy=f"--redo {FORMS}")
    model = asked.of(at)
    way = way_of(model, how, options)
    found = edited(model, chosen(model, data, only), redo, n, seed, way)
    answer = {"n": len(found.items), "seed": seed, "how": named(way), "redo": redo, "met": found.met}
    return handed(model, found.items, out, answer, f"what is kept is {met(found.met)}\n")


def vary_command(at: str, data: str, only: Sequence[int], strength: float, n: int, seed: int, out: Path | None) -> Answer:
    """Varies every item, and writes or prints."""
    model = model_at(at)
    made = vary(model, chosen(model, data, only), strength, n, seed)
    return handed(model, made, out, {"n": len(made), "seed": seed, "strength": strength})


def interpolate_command(at: str, data: str, only: Sequence[int], n: int, seed: int, out: Path | None) -> Answer:
    """Makes the way from one item to another, and writes or prints."""
    model = model_at(at)
    ends = chosen(model, data, only)
    if len(ends) != 2:
        raise UsageError(f"{len(ends)} items; a way has two ends", code="ITEMS", param="item", remedy="choose two: --item 0 --item 1")
    one, other = (model.modality.take(ends, torch.tensor([i])) for i in (0, 1))
    return handed(model, interpolate(model, one, other, n, seed), out, {"n": n, "seed": seed})


def translate_command(at: str, data: str, to: str | None, only: Sequence[int], seed: int, out: Path | None) -> Answer:
    """Translates every item, and writes or prints."""
    if to is None:
        raise UsageError("no label is named to translate to", code="OPTION", param="to", remedy="--to LABEL")
    model = model_at(at)
    named = {str(label): label for label in model.labels}.get(to, to)
    made = translate(model, chosen(model, data, only), named, seed)
    return handed(model, made, out, {"n": len(made), "seed": seed, "to": named})


def upscale_command(at: str, data: str, only: Sequence[int], draws: int, asked: Asked, how: str | None,
                    options: Mapping[str, Any], seed: int, out: Path | None) -> Answer:
    """Enlarges every picture, and writes or prints."""
    model = asked.of(at)
    small = chosen(replace(model, modality=model.modality.sizeless()) if isinstance(model.modality, Resizes) else model, data, only)
    made = upscale(model, small, draws, seed, way_of(model, how, options))
    return handed(model, made, out, {"n": len(made), "seed": seed, "draws": draws})


def beside_command(at: str, data: str, name: str, only: Sequence[int], n: int, how: str | None,
                   options: Mapping[str, Any], seed: int, out: Path | None) -> Answer:
    """Makes items that go with other items, and writes or prints."""
    model = model_at(at)
    space = model.body.about.get(name)
    others: Any = chosen(replace(model, modality=_of_shape(space.shape)), data, only) if isinstance(space, Reals) else ()
    made = beside(model, {name: others}, n, seed, way_of(model, how, options))
    return handed(model, made, out, {"n": len(made), "seed": seed})


def revise_command(at: str, data: str, only: Sequence[int], strength: float, n: int, asked: Asked, how: str | None,
                   options: Mapping[str, Any], seed: int, out: Path | None) -> Answer:
    """Makes every item partly anew, and writes or prints."""
    model = asked.of(at)
    found = revised(model, chosen(model, data, only), strength, n, seed, way_of(model, how, options))
    return handed(model, found.items, out, {"n": len(found.items), "seed": seed, "strength": strength, "by": found.by})


def denoise_command(at: str, data: str, only: Sequence[int], sigma: float | None, asked: Asked, seed: int, out: Path | None) -> Answer:
    """Restores every item, and writes or prints."""
    model = asked.of(at)
    found = denoised(model, chosen(model, data, only), sigma, seed)
    noise = None if found.sigma is None else found.sigma.tolist()
    said = f"estimated noise: {min(noise):.4g} to {max(noise):.4g}\n" if noise and sigma is None else ""
    return handed(model, found.items, out, {"n": len(found.items), "seed": seed, "by": found.by, "sigma": noise}, said)


def invert_command(at: str, data: str, only: Sequence[int], asked: Asked, seed: int, out: Path | None) -> Answer:
    """Finds the code of every item, and writes or prints."""
    model = asked.of(at)
    found = invert(model, chosen(model, data, only), seed)
    error = found.error.tolist()
    answer = {"out": None if out is None else str(out), "n": len(error), "seed": seed, "error": error}
    said = f"what they decode to is off by {max(error):.3g} at most (root mean square of an item)"
    if out is None:
        return {**answer, "codes": found.codes.tolist()}, f"{found.codes}\n{said}"
    _array().write(found.codes, out)
    return answer, f"{len(error)} codes in {out}; {said}"


def _array() -> Modality[Any]:
    made: Modality[Any] = registry.get("modalities", "array")()
    return made


def _of_shape(shape: tuple[int, ...]) -> Modality[Any]:
    """How items of a shape are read: pictures, channels first, else arrays."""
    picture: Modality[Any] = registry.get("modalities", "image")(shape=(*shape[1:], shape[0])) if len(shape) == 3 and shape[0] in (1, 3, 4) else _array()
    return picture


def decode_command(at: str, data: str, asked: Asked, seed: int, out: Path | None) -> Answer:
    """Makes the items of codes, and writes or prints."""
    model = asked.of(at)
    made = decode(model, read(data, _array()).items, seed)
    return handed(model, made, out, {"n": len(made), "seed": seed})
