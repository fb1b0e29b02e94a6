"""Shapes of answers as masks of tokens, through the library llguidance."""
from __future__ import annotations

import json
import re
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ..chat import Pattern, Schema, Shape
from ..errors import UsageError

_UNESCAPED = re.compile(r"\\.|/|\n", re.DOTALL)   # what is escaped already, and what must be between the slashes of a grammar


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
    """A shape as a grammar that llguidance reads, its JSON without needless white space; UsageError that says what is wrong with it and where."""
    if isinstance(shape, Schema):
        return _checked(_json(shape.schema), lambda: f"JSON Schema can't be obeyed at {_place(dict(shape.schema), shape.schema)}")
    if isinstance(shape, Pattern):
        return _checked(f"start: /(?:{_UNESCAPED.sub(_escaped, shape.pattern)})/", lambda: "regular expression can't be obeyed")
    return _checked(shape.text, lambda: "grammar can't be obeyed")


def _escaped(found: re.Match[str]) -> str:
    return {"/": r"\/", "\n": r"\n"}.get(found[0], found[0])


def _checked(made: str, what: Callable[[], str]) -> str:
    if said := _library().LLMatcher.validate_grammar(made):
        lines = [line.strip() for line in said.splitlines() if line.strip()]
        why = " ".join(line for line in lines if not line.startswith(("1 |", "^")))
        raise UsageError(f"the {what()}: {why}"[:400], code="SHAPE", param="shape", remedy="mend it at that place")
    return made


def _json(schema: Mapping[str, Any]) -> str:
    try:
        return f"start: %json {json.dumps({**schema, 'x-guidance': {'whitespace_flexible': False}}, allow_nan=False)}"
    except (TypeError, ValueError, RecursionError) as why:
        raise UsageError(f"the JSON Schema is no JSON: {why}"[:300], code="SHAPE", param="shape", remedy="mend it at that place") from None


def _place(schema: Any, root: Mapping[str, Any], at: str = "#") -> str:
    """The innermost part of a schema that can't be obeyed by itself, as a path."""
    for path, part in _parts(schema):
        if not isinstance(part, Mapping) or _library().LLMatcher.validate_grammar(_json({"$defs": root.get("$defs", {}), **part})):
            return _place(part, root, f"{at}/{path}")
    return at


def _parts(schema: Any) -> Iterator[tuple[str, Any]]:
    if not isinstance(schema, Mapping):
        return
    for word in ("properties", "$defs", "patternProperties"):
        if isinstance(inside := schema.get(word), Mapping):
            yield from ((f"{word}/{name}", part) for name, part in inside.items() if part is not True and part is not False)
    for word in ("anyOf", "oneOf", "allOf", "prefixItems"):
        if isinstance(inside := schema.get(word), list):
            yield from ((f"{word}/{i}", part) for i, part in enumerate(inside) if not isinstance(part, bool))
    yield from ((word, schema[word]) for word in ("items", "additionalProperties") if isinstance(schema.get(word), Mapping))


class _Bytes:
    """A tokenizer whose tokens are bytes, as llguidance asks for one."""

    eos_token_id, bos_token_id, special_token_ids = 256, None, [256]
    tokens = [*(bytes([i]) for i in range(256)), b"<end>"]

    def __call__(self, text: str | bytes) -> list[int]:
        return list(text.encode() if isinstance(text, str) else text)


@cache
def _bytes() -> Any:
    library = _library()
    return library.LLTokenizer(library.TokenizerWrapper(_Bytes()))


def fits(shape: Shape, text: str) -> bool:
    """Whether a whole text has the shape.

    >>> fits(Schema({"type": "integer", "minimum": 3}), "12"), fits(Pattern("[ab]+"), "abc")
    (True, False)
    """
    matcher, given = _library().LLMatcher(_bytes(), grammar(shape)), list(text.encode())
    return matcher.try_consume_tokens(given) == len(given) and bool(matcher.is_accepting())


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
    return Masked(_library().LLMatcher(known, grammar(shape)), known.vocab_size)
