"""`Form` by its name alone: the verbs tell it what a model's tokens stand for, and every text that is drawn matches."""
from __future__ import annotations

import json
import re
import signal
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import polars as pl
import pytest
import torch

import ilk
from ilk.batch import ragged
from ilk.cli import main
from ilk.errors import UsageError
from ilk.rng import Rng
from ilk.verbs.sample import drawn

SUMS = [f"{a} + {b} = {a + b} 元 é" for a in range(12) for b in range(12)]
PATTERN = r"[0-9]{1,3} \+ [0-9]{1,3} = [1-9][0-9]?"
SMALL = ilk.Transformer(layers=1, heads=2, width=16, context=16)


def fitted(family: Any, tokens: Any = "characters") -> ilk.Model:
    return ilk.fit(ilk.read(SUMS, ilk.Text(tokens=tokens, vocabulary=300)), family, budget=ilk.Steps(10), seed=1)


@pytest.fixture(scope="module")
def model() -> ilk.Model:
    return fitted(SMALL)


@pytest.mark.parametrize("tokens", ["characters", "bytes", "bpe"])
def test_pieces_are_what_the_tokens_decode_to(tokens: Any) -> None:
    """Alone and one after the other; every text that is all pieces can be put together from them."""
    codec: Any = fitted(ilk.NGram(order=2), tokens).codec
    pieces = codec.pieces()
    there = [i for i, piece in enumerate(pieces) if piece is not None]
    assert len(pieces) == codec.space.of.each[0] and set("0123456789 +=") <= set(pieces)
    alone = codec.decode(ragged(torch.tensor(there)[:, None], torch.ones(len(there), dtype=torch.long)), Rng(0))
    assert alone == [pieces[i] for i in there]
    code = codec.encode(["7 + 5 = 12"], Rng(0)).elements.tensor.tolist()
    assert "".join(pieces[i] for i in code) == "7 + 5 = 12"
    whole = codec.decode(ragged(torch.tensor([there]), torch.tensor([len(there)])), Rng(0))
    assert whole == ["".join(pieces[i] for i in there)]


@pytest.mark.parametrize("tokens", ["characters", "bytes", "bpe"])
def test_every_text_matches(tokens: Any) -> None:
    """What no form asks for does not: the model has hardly learned."""
    made = fitted(SMALL, tokens)
    drawn = ilk.sample(made, 60, seed=2, how=ilk.Form(pattern=PATTERN, temperature=1.5)).items
    assert all(re.fullmatch(PATTERN, text) for text in drawn) and len(set(drawn)) > 50
    assert not all(re.fullmatch(PATTERN, text) for text in made.sample(60, seed=2))


def test_an_ngram_keeps_to_the_form() -> None:
    drawn = fitted(ilk.NGram(order=3)).sample(60, how=ilk.Form(pattern=PATTERN))
    assert all(re.fullmatch(PATTERN, text) for text in drawn)


def test_beginnings_edits_and_forms_agree(model: ilk.Model) -> None:
    form = ilk.Form(pattern=PATTERN)
    assert all(t.startswith("7 + ") and re.fullmatch(PATTERN, t) for t in model.given("7 + ").sample(20, how=form))
    edited = ilk.edit(model, ["11 + 2 = 3", "5 + 1 = 2"], "after:3", n=10, how=form)
    assert [t[:3] for t in edited] == ["11 "] * 10 + ["5 +"] * 10 and all(re.fullmatch(PATTERN, t) for t in edited)
    with pytest.raises(UsageError, match="does not agree"):
        model.given("= ").sample(1, how=form)


def test_the_same_form_serves_several_models(model: ilk.Model) -> None:
    form = ilk.Form(pattern=PATTERN)
    one, other = model.sample(5, how=form), fitted(SMALL, "bytes").sample(5, how=form)
    assert model.sample(5, how=form) == one != other and form.tokens == ()


def test_what_is_rejected_for_does_not_go_on_for_ever() -> None:
    """A way of drawing whose draws never obey is told after as many as a probe makes; without one, the probe has measured."""
    asked = iter(range(100))
    met = SimpleNamespace(tilt=None, picky=True, parts=(("prefix == '1'", "rejected"),), draws=lambda rng, block, how: ([] for _ in asked))
    never: Any = SimpleNamespace(met=met, codec=SimpleNamespace(space=None))
    with pytest.raises(UsageError, match="0 of 20000 draws by Form obey prefix == '1'"):
        drawn(never, 3, Rng(0), ilk.Form(pattern="7"))
    assert next(asked) == 10


def test_what_has_no_texts() -> None:
    rows = pl.DataFrame({"a": [0, 1] * 30, "b": ["x", "y"] * 30})
    with pytest.raises(UsageError, match="does not draw from gmm"):
        ilk.fit(rows, ilk.GMM(components=1)).sample(1, how=ilk.Form(pattern="a"))
    pixels = ilk.Image().read(torch.zeros(20, 8, 8, dtype=torch.uint8).numpy() + torch.arange(20).byte()[:, None, None].numpy(), ilk.Limits())
    with pytest.raises(UsageError, match="a model of image"):
        ilk.fit(pixels, ilk.FlowMatching(net=ilk.MLP(width=8)), budget=ilk.Steps(1)).sample(1, how=ilk.Form(pattern="a"))


def test_a_form_that_nobody_asks_is_told() -> None:
    form = ilk.Form(pattern="ab", tokens=("a", "b", None))
    assert form.logits(torch.tensor([[0.0, -torch.inf, -torch.inf, -torch.inf]])).isfinite().tolist() == [[True, False, False, False]]
    with pytest.raises(UsageError, match="without regard"):
        form.logits(torch.zeros(1, 4))


def test_the_command(model: ilk.Model, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    at, pipe = model.save(tmp_path / "sums.ilk"), signal.getsignal(signal.SIGPIPE)
    try:
        assert main(["sample", str(at), "-n", "8", "--how", "form", "--pattern", PATTERN, "--p", "0.9", "--json"]) == 0
        told = json.loads(capsys.readouterr().out)
        assert main(["sample", str(at), "--how", "form", "--pattern", "(a"]) == 2 == main(["sample", str(at), "--how", "form", "--tokens", "a"])
    finally:
        signal.signal(signal.SIGPIPE, pipe)
    error = capsys.readouterr().err
    assert told["how"] == "form" and len(told["items"]) == 8 and all(re.fullmatch(PATTERN, text) for text in told["items"])
    assert "an unclosed (" in error and "Unknown option" in error and "Traceback" not in error
