"""Shapes of answers as grammars, and texts held against them, through the library llguidance."""
from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cache
from typing import Any

from ..chat import Pattern, Schema, Shape
from ..errors import UsageError

STEP, LARGEST = 1e-6, 10**15   # of numbers that a schema sets no end to: a small model may go on with digits for ever
_UNESCAPED = re.compile(r"\\.|/|\n", re.DOTALL)   # what is escaped already, and what must be between the slashes of a grammar


def library() -> Any:
    """The library llguidance; UsageError where it is missing."""
    try:
        import llguidance
        import llguidance.numpy
    except ImportError:
        raise UsageError("shapes of answers need the library llguidance, which is not installed", code="MISSING_EXTRA", param="shape",
                         remedy='pip install "ilk[llm]"') from None
    return llguidance


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
    if said := library().LLMatcher.validate_grammar(made):
        lines = [line.strip() for line in said.splitlines() if line.strip()]
        why = " ".join(line for line in lines if not line.startswith(("1 |", "^")))
        raise UsageError(f"the {what()}: {why}"[:400], code="SHAPE", param="shape", remedy="mend it at that place")
    return made


def _json(schema: Mapping[str, Any]) -> str:
    try:
        return f"start: %json {json.dumps({**_ending(schema), 'x-guidance': {'whitespace_flexible': False}}, allow_nan=False)}"
    except (TypeError, ValueError, RecursionError) as why:
        raise UsageError(f"the JSON Schema is no JSON: {why}"[:300], code="SHAPE", param="shape", remedy="mend it at that place") from None


def _ending(schema: Any) -> Any:
    """A schema whose numbers come to an end: without a step or bounds of its own, six decimals and fifteen digits before them. Whatever it allows the old one allows."""
    if isinstance(schema, list):
        return [_ending(part) for part in schema]
    if not isinstance(schema, Mapping):
        return schema
    found = {key: rule if key in ("enum", "const", "default", "examples") else _ending(rule) for key, rule in schema.items()}
    kinds = [schema.get("type")] if isinstance(schema.get("type"), str) else schema.get("type")
    if not isinstance(kinds, list) or not {"number", "integer"} & {k for k in kinds if isinstance(k, str)}:
        return found
    low, high = (next((v for k in keys if isinstance(v := schema.get(k), int | float)), None) for keys in (("minimum", "exclusiveMinimum"), ("maximum", "exclusiveMaximum")))
    if "number" in kinds and "multipleOf" not in schema and (low is None or high is None or high - low > 1000 * STEP):
        found["multipleOf"] = STEP
    if low is None and (high is None or high > -LARGEST):
        found["minimum"] = -LARGEST
    if high is None and (low is None or low < LARGEST):
        found["maximum"] = LARGEST
    return found


def _place(schema: Any, root: Mapping[str, Any], at: str = "#") -> str:
    """The innermost part of a schema that can't be obeyed by itself, as a path."""
    for path, part in _parts(schema):
        if not isinstance(part, Mapping) or library().LLMatcher.validate_grammar(_json({"$defs": root.get("$defs", {}), **part})):
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


class _Alphabet:
    """A tokenizer of single characters or bytes, as llguidance asks for one; the last token is the end, and tokens of more are never said."""

    bos_token_id = None

    def __init__(self, tokens: Sequence[bytes], end: int) -> None:
        self.tokens, self.eos_token_id = list(tokens), end
        self.special_token_ids = [i for i, t in enumerate(tokens) if t.startswith(b"<") and len(t) > 1]
        self._place = {t: i for i, t in enumerate(tokens)}

    def __call__(self, text: str | bytes) -> list[int]:
        said = text.decode("utf-8", "replace") if isinstance(text, bytes) else text
        return [self._place[c.encode()] for c in said if c.encode() in self._place]


def alphabet(tokens: Sequence[bytes], end: int) -> Any:
    """Tokens that are bytes or characters, for masks."""
    made = library()
    return made.LLTokenizer(made.TokenizerWrapper(_Alphabet(tokens, end)))


@cache
def _bytes() -> Any:
    return alphabet([*(bytes([i]) for i in range(256)), b"<end>"], 256)


def fits(shape: Shape, text: str) -> bool:
    """Whether a whole text has the shape.

    >>> fits(Schema({"type": "integer", "minimum": 3}), "12"), fits(Pattern("[ab]+"), "abc")
    (True, False)
    """
    matcher, given = library().LLMatcher(_bytes(), grammar(shape)), list(text.encode())
    return matcher.try_consume_tokens(given) == len(given) and bool(matcher.is_accepting())
