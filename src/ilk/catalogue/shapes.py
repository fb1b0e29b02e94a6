"""The pictures of easy-VQA (Zhou 2019), each with what the answers to its questions say that it shows."""
from __future__ import annotations

import json
import re
from collections.abc import Iterable
from io import BytesIO

import numpy as np
import PIL.Image as pil
from numpy.typing import NDArray

from .unpack import pick

COLOURS = ("black", "blue", "brown", "gray", "green", "red", "teal", "yellow")
SHAPES = ("circle", "rectangle", "triangle")


def shown(questions: Iterable[tuple[str, str]]) -> str | None:
    """Colour and shape by some questions and their answers; None where they leave a doubt.

    >>> shown([("what is the teal shape?", "circle")])
    'teal circle'
    >>> shown([("is there a red shape?", "no"), ("is no circle present?", "no")]) is None
    True
    """
    left = [set(COLOURS), set(SHAPES)]
    for question, answer in questions:
        words = set(re.findall(r"[a-z]+", question))
        there = answer not in ("yes", "no") or (answer == "yes") != bool(words & {"no", "not"})
        for kind in left:
            named = kind & (words | {answer})
            kind &= named if named and there else kind - named
    return " ".join(kind.pop() for kind in left) if all(len(kind) == 1 for kind in left) else None


def pictures(archive: bytes) -> tuple[NDArray[np.uint8], NDArray[np.str_]]:
    """The pictures of an archive that the answers leave no doubt of, (n, 64, 64, 3) in their order, and what each shows."""
    files = pick(BytesIO(archive), lambda name: name.endswith((".png", "questions.json")))
    known = {name.rpartition("/")[2]: data for name, data in files.items()}
    asked: dict[int, list[tuple[str, str]]] = {}
    for question, answer, number in json.loads(known["questions.json"]):
        asked.setdefault(number, []).append((question, answer))
    told = {number: said for number in sorted(asked) if (said := shown(asked[number]))}
    drawn = [np.asarray(pil.open(BytesIO(known[f"{number}.png"]), formats=("PNG",)).convert("RGB")) for number in told]
    return np.stack(drawn), np.array(list(told.values()))
