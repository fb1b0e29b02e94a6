"""What an answer has to be: any text, one of some labels, a pattern with groups, JSON of a schema; how it is asked for, and how it is read."""
from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import islice
from typing import Any

from ilk.chat import Pattern, Schema, Shape
from ilk.errors import ModelError, UsageError
from ilk.files import parse_json
from ilk.prompts._schema import DEEPEST, check_schema, problems

_FENCED = re.compile(r"\s*```\w*\n(.*?)\n?```\s*", re.DOTALL)
_BEFORE = " \t\r\n\u3000\"'`*([“‘「"
_AFTER = " \t\r\n\u3000\"'`*)].,:;!。，：；！”’」"
LONGEST, TOLD = 1000, 3   # characters of a text that a pattern is matched with, in thousands; problems that are told


class Invalid(Exception):
    """An answer that is not what was asked for; its text says why."""


@dataclass(frozen=True)
class Free:
    """Any text, without the white space at its ends."""

    @property
    def shape(self) -> Shape | None:
        """None: nothing is asked for."""
        return None

    def parse(self, text: str) -> Any:
        """The text."""
        return text.strip()

    def facts(self) -> dict[str, Any]:
        """What stands in a file."""
        return {}


@dataclass(frozen=True)
class Labels:
    """One of some words. Case, quotation marks and a full stop do not matter.

    >>> Labels(("yes", "no")).parse('"Yes."')
    'yes'
    """

    labels: tuple[str, ...]

    def __post_init__(self) -> None:
        plain = [bare(one) for one in self.labels]
        if len(plain) < 2 or not all(plain) or len(set(plain)) < len(plain):
            raise UsageError("labels are two or more different words", code="PROMPT", remedy='labels = ["yes", "no"]')

    @property
    def shape(self) -> Shape | None:
        """A pattern of exactly these."""
        return Pattern("|".join(map(re.escape, self.labels)))

    def parse(self, text: str) -> Any:
        """The label; Invalid for anything else."""
        found = next((one for one in self.labels if bare(one) == bare(text)), None)
        if found is None:
            raise Invalid(f"{text.strip()[:60]!r} is none of {', '.join(self.labels)}")
        return found

    def facts(self) -> dict[str, Any]:
        """What stands in a file."""
        return {"labels": list(self.labels)}


@dataclass(frozen=True)
class Groups:
    """A text that a regular expression matches from end to end: its named groups, else its groups, else the whole.

    >>> Groups("(?P<low>[0-9]+)-(?P<high>[0-9]+)").parse("3-7")
    {'low': '3', 'high': '7'}
    """

    pattern: str

    def __post_init__(self) -> None:
        try:
            re.compile(self.pattern)
        except (re.error, RecursionError, OverflowError) as why:
            raise UsageError(f"the pattern can't be read: {why}", code="PROMPT", param="pattern") from None

    @property
    def shape(self) -> Shape | None:
        """The pattern, its groups without names, since not every model's masks know of names."""
        return Pattern(re.sub(r"\(\?P<\w+>", "(?:", self.pattern))

    def parse(self, text: str) -> Any:
        """What the groups hold."""
        found = re.fullmatch(self.pattern, text.strip()) if len(text) <= 1000 * LONGEST else None
        if found is None:
            raise Invalid(f"{text.strip()[:60]!r} does not match {self.pattern}")
        return found.groupdict() or list(found.groups()) or found[0]

    def facts(self) -> dict[str, Any]:
        """What stands in a file."""
        return {"pattern": self.pattern}


@dataclass(frozen=True)
class Json:
    """JSON of a schema. A fence of backticks around it does not matter.

    >>> Json({"type": "object", "properties": {"n": {"type": "integer"}}, "required": ["n"]}).parse('{"n": 3}')
    {'n': 3}
    """

    schema: Mapping[str, Any]

    def __post_init__(self) -> None:
        check_schema(self.schema)

    @property
    def shape(self) -> Shape | None:
        """The schema."""
        return Schema(self.schema)

    def parse(self, text: str) -> Any:
        """The value; Invalid says what is wrong with it, and where."""
        fenced = _FENCED.fullmatch(text)
        try:
            value = parse_json((fenced[1] if fenced else text).encode("utf-8", "replace"), "the answer")
        except ModelError as why:
            raise Invalid(why.message) from None
        if _deep(value):
            raise Invalid(f"the answer is nested deeper than {DEEPEST}")
        if wrong := list(islice(problems(value, self.schema), TOLD)):
            raise Invalid("; ".join(wrong))
        return value

    def facts(self) -> dict[str, Any]:
        """What stands in a file: TOML has no null, so a schema that holds one is written as JSON."""
        text = json.dumps(self.schema, ensure_ascii=False)
        return {"schema": text if "null" in text else dict(self.schema)}


def _deep(value: Any) -> bool:
    """Whether a value is nested deeper than is looked at."""
    here = [value]
    for _ in range(DEEPEST):
        here = [inner for one in here for inner in (one.values() if isinstance(one, Mapping) else one if isinstance(one, list) else ())]
    return bool(here)


Output = Free | Labels | Groups | Json


def bare(text: str) -> str:
    """A short answer without what stands around it.

    >>> bare(" **Yes.** ")
    'yes'
    """
    return text.casefold().lstrip(_BEFORE).rstrip(_AFTER)


def output(facts: Mapping[str, Any]) -> Output:
    """What a file says of its answers; UsageError for what can't be meant."""
    if len(facts) > 1 or (odd := set(facts) - {"labels", "pattern", "schema"}):
        raise UsageError(f"an output is one of labels, pattern and schema, not {', '.join(map(str, facts)) if len(facts) > 1 else odd.pop()}", code="PROMPT")
    if "labels" in facts:
        labels = facts["labels"]
        if not isinstance(labels, list) or not all(isinstance(one, str) for one in labels):
            raise UsageError("labels are a list of texts", code="PROMPT", remedy='labels = ["yes", "no"]')
        return Labels(tuple(labels))
    if "pattern" in facts:
        if not isinstance(facts["pattern"], str):
            raise UsageError("a pattern is a text", code="PROMPT")
        return Groups(facts["pattern"])
    if "schema" in facts:
        return Json(_schema(facts["schema"]))
    return Free()


def _schema(said: Any) -> Mapping[str, Any]:
    """A schema as a table, or as a text of JSON."""
    if isinstance(said, str):
        try:
            said = parse_json(said.encode(), "the schema")
        except ModelError as why:
            raise UsageError(why.message, code="SCHEMA") from None
    if not isinstance(said, Mapping):
        raise UsageError("a schema is a table, or a text of JSON", code="SCHEMA")
    return said
