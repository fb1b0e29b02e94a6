"""What every way to pretrained models must do, whatever stands behind it."""
from __future__ import annotations

from dataclasses import replace
from math import isfinite

import numpy as np

from .. import recipe
from ..backend import Backend
from ..chat import Answer, Chat, Continues, Counts, Delta, Embeds, Pattern, Schema, Turn, Want, Weighs
from ..errors import UsageError
from ._same import require

TURNS = (Turn.of("system", "Be short."), Turn.of("user", "Say hello to the whole world, please."))
SHAPES = (Pattern("[a-c]{2}(x|yz)"), Schema({"type": "object", "properties": {"kind": {"enum": ["dog", "cat"]}, "n": {"type": "integer", "minimum": 3, "maximum": 12}},
                                             "required": ["kind", "n"], "additionalProperties": False}))
CLOSE = 0.05   # nats that reading at once and reading one by one may differ by where weights have few bits


def check_backend(backend: Backend, name: str, shaped: bool = True) -> None:
    """All that holds for every backend, on the model of that name. `shaped`: whether answers obey shapes.

    Answers come in pieces with one end, the same for the same seed; stop strings and limits hold; tokens add up to the text; what does not fit is
    refused or read whole; weights agree with answers; vectors have length 1 and depend on their own text only.
    """
    require(recipe.made(type(backend), recipe.options(backend)) == backend, f"{backend} is not what its options say")
    require(all(isinstance(n, str) for n in backend.names()), f"{backend}.names() are not words")
    model = backend.open(name)
    require(isinstance(model, Chat | Embeds), f"{name} neither answers nor embeds")
    if isinstance(model, Chat):
        _answers(model)
        _closes(model)
        _refuses(model)
        if shaped:
            _shapes(model)
    if isinstance(model, Continues):
        one, two = (Answer.of(model.continued("Once upon", Want(most=4, seed=3))) for _ in range(2))
        require(one == two and one.end.made <= 4, f"{model} went on with {one}, then with {two}")
    if isinstance(model, Counts):
        _counts(model)
    if isinstance(model, Weighs) and isinstance(model, Chat):
        _weighs(model, model)
    if isinstance(model, Embeds):
        _embeds(model)


def _asked(model: Chat, want: Want) -> Answer:
    pieces = list(model.chat(TURNS, want))
    ends = [d.end is not None for d in pieces]
    require(sum(ends) == 1 and ends[-1], f"{model.name} gave {sum(ends)} ends, or one before the last piece")
    require(all(isinstance(d, Delta) for d in pieces), f"{model.name} gave something else than pieces")
    return Answer.of(pieces)


def _answers(model: Chat) -> None:
    want = Want(most=8, seed=5, alternatives=2)
    first, again = _asked(model, want), _asked(model, want)
    require(first == again, f"{model.name}: the same seed gave {first.text!r}, then {again.text!r}")
    require(first.end.made <= 8 and (first.end.why != "length" or first.end.made == 8), f"{model.name} made {first.end}, with 8 tokens at most")
    require("".join(t.text for t in first.tokens) == first.text, f"{model.name}: its tokens are not its text {first.text!r}")
    require(all(isfinite(t.nats) and t.nats <= 1e-6 and len(t.others) <= 2 for t in first.tokens), f"{model.name}: {first.tokens} has impossible nats")
    require(not _asked(model, replace(want, alternatives=None)).tokens or type(model).__name__ == "_Echoes", f"{model.name} tells nats that nobody asked for")
    if len(first.text) > 2:
        stop = first.text[1:3]
        cut = _asked(model, replace(want, stop=(stop,)))
        require(stop not in cut.text and first.text.startswith(cut.text) and cut.end.why == "stop", f"{model.name} went past {stop!r}: {cut}")
    cold = [_asked(model, Want(most=4, temperature=0, seed=seed)).text for seed in (1, 2)]
    require(cold[0] == cold[1], f"{model.name} at temperature 0 says {cold[0]!r}, then {cold[1]!r}")


def _closes(model: Chat) -> None:
    pieces = model.chat(TURNS, Want(most=16))
    next(iter(pieces))
    pieces.close()   # type: ignore[attr-defined]
    require(_asked(model, Want(most=2)).end.made <= 2, f"{model.name} does not answer after an answer was broken off")


def _refuses(model: Chat) -> None:
    if model.window is None or model.window > 10_000:
        return
    words = model.window + 10
    try:
        answer = Answer.of(model.chat([Turn.of("user", "word " * words)], Want(most=1)))
    except UsageError as why:
        require(why.code == "CONTEXT" and str(model.window) in why.message, f"{model.name} refuses what is too long by {why}, which does not name its window")
    else:
        require(answer.end.read >= words, f"{model.name} cut what it read to {answer.end.read} tokens, without a word")


def _shapes(model: Chat) -> None:
    import json
    import re

    for seed in range(2):
        pattern, schema = (_asked(model, Want(most=40, seed=seed, shape=shape)).text for shape in SHAPES)
        require(re.fullmatch("[a-c]{2}(x|yz)", pattern) is not None, f"{model.name} broke a pattern: {pattern!r}")
        made = json.loads(schema)
        require(set(made) == {"kind", "n"} and made["kind"] in ("dog", "cat") and 3 <= made["n"] <= 12, f"{model.name} broke a schema: {schema!r}")
    for wrong in (Schema({"type": "object", "properties": {"a": {"type": "strin"}}}), Pattern("(")):
        try:
            list(model.chat(TURNS, Want(most=4, shape=wrong)))
        except UsageError:
            continue
        require(False, f"{model.name} takes the shape {wrong}")


def _counts(model: Counts) -> None:
    require(model.count("") == 0 and 0 < model.count("one") <= model.count("one two three"), f"{model} can't count")
    written = model.written(TURNS)
    require(all(t.text in written for t in TURNS), f"{model} writes the turns as {written!r}")


def _weighs(model: Weighs, talks: Chat) -> None:
    text = "a small world"
    told = model.weigh(text, "Hello,")
    require("".join(t.text for t in told) == text and all(isfinite(t.nats) and t.nats <= 1e-6 for t in told), f"{talks.name} weighs {text!r} as {told}")
    said = _asked(talks, Want(most=4, temperature=0, alternatives=0))
    again = model.weigh(said.text, TURNS)
    if [t.text for t in again] == [t.text for t in said.tokens]:   # else the text is cut into other tokens than it was made of
        apart = max((abs(a.nats - b.nats) for a, b in zip(again, said.tokens, strict=True)), default=0.0)
        require(apart <= CLOSE, f"{talks.name} weighs its own answer {apart} nats a token away from how it was drawn")


def _embeds(model: Embeds) -> None:
    texts = ["a cat", "the price of oil rose by a tenth, said the paper", "", "猫"]
    together, alone = model.embed(texts), np.concatenate([model.embed([t]) for t in texts])
    require(together.shape == (4, model.size) and together.dtype == np.float32 and model.embed([]).shape == (0, model.size), f"{model.name}: vectors of the wrong shape")
    require(bool(np.allclose(np.linalg.norm(together, axis=1), 1, atol=1e-4)), f"{model.name}: vectors that are not of length 1")
    require(bool(np.allclose(together, alone, atol=1e-4)), f"{model.name}: a vector depends on the texts beside it")
    long = "word " * 3000
    require(not np.allclose(model.embed([long]), model.embed([long + "and an ending of another kind " * 30]), atol=1e-6), f"{model.name} cuts long texts off")
