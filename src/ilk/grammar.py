"""Givens in writing: what the command line takes, and how a report names them. A text is read, never evaluated."""
from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import MISSING, fields
from typing import Any

from .errors import UsageError
from .given import SORTS, Avoid, Given, Keep, Label, Like, Prompt, Towards, Where, as_given
from .rules import Reader, Value, rule_error

LONGEST = 1 << 24
_CALL = re.compile(rf"\s*({'|'.join(SORTS)})\s*\(")
_NAMED = re.compile(r"\s*([a-z]+)\s*=(?!=)")
_DECODER = json.JSONDecoder()


def written(given: Given) -> str:
    """A given as the command line takes it; `given_of` gives it back.

    >>> written(Avoid(Where("age > 60")))
    "Avoid(Where('age > 60'))"
    >>> written(Keep({"age": 42}))
    '{"age": 42}'
    """
    if isinstance(given, Where) and not is_call(given.rule) and not given.rule.lstrip().startswith("{"):
        return given.rule
    if isinstance(given, Keep):
        return json.dumps(dict(given.values), ensure_ascii=False)
    said = [(f, getattr(given, f.name)) for f in fields(given)]
    return f"{type(given).__name__}({', '.join(_argument(value) for f, value in said if value != f.default or f.default is MISSING)})"


def _argument(value: Any) -> str:
    if isinstance(value, Where):
        return f"Where({_quoted(value.rule)})"
    if isinstance(value, Label | Prompt | Like | Keep | Towards | Avoid):
        return written(value)
    return _quoted(value) if isinstance(value, str) else json.dumps(value, ensure_ascii=False) if isinstance(value, list | Mapping) else repr(value)


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


def is_call(text: str) -> bool:
    """Whether a text begins as a given in writing does: `Label(`."""
    return _CALL.match(text) is not None


def given_of(text: str) -> Given:
    """A given from its writing: a rule, a mapping of values to keep as JSON, or a call such as Label(3); UsageError with a caret for anything else.

    >>> given_of("Towards('age', strength=2)")
    Towards(quantity='age', strength=2)
    """
    if len(text) > LONGEST:
        raise UsageError(f"a given of {len(text)} characters; the limit is {LONGEST}", code="RULE", param="given")
    if text.lstrip().startswith("{"):
        reader = _Calls(text)
        return reader.whole(as_given(reader.mapping()))
    if not is_call(text):
        return as_given(text)
    reader = _Calls(text)
    return reader.whole(reader.call())


class _Calls(Reader):
    """Recursive descent over NAME(VALUE, NAME=VALUE, ...)."""

    def whole(self, given: Given) -> Given:
        """What was read, if nothing is left."""
        if self.rule[self.at:].strip():
            self.start = len(self.rule) - len(self.rule[self.at:].lstrip())
            raise rule_error(self.rule, self.start, "nothing more")
        return given

    def call(self) -> Given:
        """One given and its arguments."""
        found = _CALL.match(self.rule, self.at)
        if found is None:
            raise rule_error(self.rule, self.at, f"one of {', '.join(SORTS)}")
        begin, sort, self.at = found.start(1), SORTS[found[1]], found.end()
        names = [f.name for f in fields(sort)]
        said: dict[str, Any] = {}
        mark = ("mark", ",")
        while mark == ("mark", ","):
            self._one(names, said)
            mark = self.next()
        if mark != ("mark", ")"):
            raise rule_error(self.rule, self.start, "',' or ')'")
        if absent := [f.name for f in fields(sort) if f.default is MISSING and f.name not in said]:
            raise rule_error(self.rule, self.start, absent[0])
        try:
            made: Given = sort(**said)
        except UsageError as why:
            raise rule_error(self.rule, begin, f"{why.remedy or 'a rule'} ({why.message.splitlines()[0]})") from None
        return made

    def _one(self, names: list[str], said: dict[str, Any]) -> None:
        """One argument: by its name, or the next that is not said."""
        begin = len(self.rule) - len(self.rule[self.at:].lstrip())
        if named := _NAMED.match(self.rule, self.at):
            name, self.at = named[1], named.end()
        else:
            name = next((n for n in names if n not in said), "")
        if name not in names or name in said:
            raise rule_error(self.rule, begin, f"one of {', '.join(n for n in names if n not in said)}" if len(said) < len(names) else "')'")
        said[name] = self.value(name)

    def value(self, name: str) -> Any:
        """A constant, a list or a mapping as JSON has them, or what `Avoid` avoids."""
        if name == "what":
            return self._avoided()
        if name == "values":
            return self.mapping()
        if self._next_is("[{"):
            return self._json()
        return self.constant()

    def _avoided(self) -> Given:
        if self._next_is("{"):
            return as_given(self.mapping())
        if self._next_is("'\""):
            begin = self.at
            try:
                return as_given(str(self.constant()))
            except UsageError as why:
                raise rule_error(self.rule, begin, f"a rule: {why.message.splitlines()[0]}") from None
        if (found := _CALL.match(self.rule, self.at)) and found[1] == "Avoid":
            raise rule_error(self.rule, found.start(1), "what is to be avoided, such as Label(3)")
        return self.call()

    def mapping(self) -> dict[str, Value]:
        """Values by name."""
        begin = self.at
        found = self._json()
        if not isinstance(found, dict) or not found or not all(isinstance(v, float | int | str | None) for v in found.values()):
            raise rule_error(self.rule, begin, 'values by name, such as {"age": 42}')
        return found

    def _next_is(self, marks: str) -> bool:
        return self.rule[self.at:self.at + 4096].lstrip()[:1] in tuple(marks)

    def _json(self) -> Any:
        begin = len(self.rule) - len(self.rule[self.at:].lstrip())
        try:
            found, self.at = _DECODER.raw_decode(self.rule, begin)
        except (ValueError, RecursionError) as why:
            raise rule_error(self.rule, getattr(why, "pos", begin), "a list or a mapping as JSON has them") from None
        return found
