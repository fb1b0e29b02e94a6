"""Shapes of answers as masks of tokens, through the library llguidance."""
from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ..chat import Grammar, Pattern, Schema, Shape
from ..errors import UsageError


def _library() -> Any:
    try:
        import llguidance
        import llguidance.numpy
    except ImportError:
        raise UsageError("shapes of answers need the library llguidance, which is not installed", code="MISSING_EXTRA", param="shape",
                         remedy='pip install "ilk[llm]"') from None
    return llguidance


def vocabulary(tokenizer: Any, size: int, ends: Collection[int]) -> Any:
    """The tokens of a fast tokenizer of transformers, for masks of `size` places."""
    _library()
    from llguidance.hf import from_tokenizer

    try:
        return from_tokenizer(tokenizer, n_vocab=size, eos_token=sorted(ends) or None)
    except ValueError as why:
        raise UsageError(f"answers of this model can't be given a shape: {why}"[:300], code="SHAPE", param="shape", remedy="a model with a fast tokenizer") from None


def grammar(shape: Shape) -> str:
    """A shape in llguidance's own language; UsageError that says what is wrong with it and where."""
    match = _library().LLMatcher
    try:
        made = {Schema: lambda: match.grammar_from_json_schema(dict(shape.schema), overrides={"whitespace_flexible": False}),  # type: ignore[union-attr]
                Pattern: lambda: match.grammar_from_regex(shape.pattern), Grammar: lambda: match.grammar_from_lark(shape.text)}[type(shape)]()  # type: ignore[union-attr]
    except (ValueError, TypeError) as why:
        raise _wrong(shape, str(why)) from None
    if said := match.validate_grammar(made):
        raise _wrong(shape, said)
    return str(made)


def _wrong(shape: Shape, why: str) -> UsageError:
    kind = {Schema: "JSON Schema", Pattern: "regular expression", Grammar: "grammar"}[type(shape)]
    return UsageError(f"the {kind} can't be obeyed: {' '.join(why.split())}"[:400], code="SHAPE", param="shape", remedy="mend it at that place")


@dataclass
class Masked:
    """Where an answer stands in its shape."""

    matcher: Any
    size: int

    @property
    def whole(self) -> bool:
        """Whether the answer may end here."""
        return bool(self.matcher.is_accepting())

    def allowed(self, size: int) -> Tensor | None:
        """Which tokens may come next, (size,), those that end the answer among them where it is whole; None where nothing may follow."""
        if self.matcher.is_stopped():
            return None
        packed = _library().numpy.allocate_token_bitmask(1, self.size)
        _library().numpy.fill_next_token_bitmask(self.matcher, packed, 0)
        bits = np.unpackbits(packed[0].view(np.uint8), bitorder="little")[:size].astype(bool)
        return torch.from_numpy(bits)

    def take(self, token: int) -> None:
        """The token that was drawn."""
        if not self.matcher.consume_token(token):
            raise UsageError(f"the shape can't be followed: {self.matcher.get_error()}"[:300], code="SHAPE", param="shape", remedy="a simpler one")


def masks(shape: Shape, known: Any) -> Masked:
    """A fresh answer's masks."""
    matcher = _library().LLMatcher(known, grammar(shape))
    if matcher.is_error():
        raise _wrong(shape, matcher.get_error())
    return Masked(matcher, known.vocab_size)
