"""open: a pretrained text model by its address becomes a Model."""
from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

from ilk import registry
from ilk.distribution import Family
from ilk.families.pretrained import Pretrained
from ilk.letters import letters_space
from ilk.lift import Same
from ilk.modalities.text import Text
from ilk.model import Model, load
from ilk.rng import Rng


def open(address: str, system: str = "", most: int | None = 256) -> Model:
    """The text model at an address, such as "gguf:smollm2-135m-instruct" or "openai:qwen-plus"; `ilk list backends` lists schemes.

    `system` stands before every prompt, `most` bounds the tokens of a text. UsageError for what there is not, or is not installed.

    >>> open("echo:").given("What is the capital of France?").sample()
    ['What is the capital of France?']
    """
    return spoken(Pretrained(address=address, system=system, most=most), Rng(0), {"data": address, "licence": ""})


def spoken(family: Family, rng: Rng, card: Mapping[str, Any]) -> Model:
    """A model of a family that takes texts as they are."""
    modality, space = Text(per="file"), letters_space()
    codec = next(c for c in modality.codecs() if c.__name__ == "Points").learned(modality, [])
    return Model(modality, codec, Same(space), family.build(space, rng), card=card)


def model_at(place: str) -> Model:
    """A saved model's folder, or an address: what the command takes for a model.

    >>> model_at("echo:Yes.").given("?").sample()
    ['Yes.']
    """
    scheme = place.partition(":")[0] if ":" in place else ""
    return open(place) if scheme in registry.names("backends") and not os.path.exists(place) else load(place)
