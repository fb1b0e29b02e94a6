"""A prompt as an object: a text with variables, and all that belongs to it. Read from a file, checked, rendered to turns."""
from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from difflib import unified_diff
from pathlib import Path
from typing import Any

from ilk import recipe
from ilk.chat import Turn, Want
from ilk.errors import DataError, UsageError, nearest
from ilk.files import atomic
from ilk.modalities._files import read_bytes
from ilk.modality import Limits
from ilk.prompts._render import Wrong, names, rendered
from ilk.prompts._toml import MOST, Source, joined, split
from ilk.prompts.outputs import Free, Invalid, Json, Output, output
from ilk.prompts.variables import Variable

TOKENS = 1024   # of an answer, where a prompt does not say
MODEL = ("temperature", "most", "top_p", "top_k", "min_p", "stop")
TEXTS = ("name", "about", "system", "style")


@dataclass(frozen=True)
class Example:
    """Values of the variables, the answer that is right for them, and perhaps how one comes to it."""

    values: Mapping[str, Any]
    answer: str
    reasoning: str = ""


@dataclass(frozen=True, kw_only=True)
class Template:
    """A prompt: `body` is what the user says, with {{variables}}; `system` and `style` are what the model is told beforehand, and may hold them too.

    `want` is how answers are made unless somebody says otherwise: the likeliest token each time, 1,024 of them at most. Anything that does not fit together is
    refused when it is made.

    >>> greeting = Template(name="greeting", system="Be short.", body="Say hello to {{name}}.", variables={"name": Variable()})
    >>> [(turn.role, turn.text) for turn in greeting.turns({"name": "{{name}}"})]
    [('system', 'Be short.'), ('user', 'Say hello to {{name}}.')]
    """

    name: str
    body: str
    version: int = 1
    about: str = ""
    system: str = ""
    style: str = ""
    variables: Mapping[str, Variable] = field(default_factory=dict)
    output: Output = Free()
    want: Want = Want(temperature=0.0, most=TOKENS)
    examples: tuple[Example, ...] = ()

    def __post_init__(self) -> None:
        for key in ("body", "system", "style"):
            object.__setattr__(self, key, getattr(self, key).replace("\r\n", "\n").replace("\r", "\n").strip("\n"))
        for text in (self.body, self.system, self.style):
            try:
                used = names(text)
            except Wrong as why:
                raise UsageError(f"line {why.line}: {why.what}", code="PROMPT") from None
            if lacking := [name for name in used if name not in self.variables]:
                raise UsageError(f"line {used[lacking[0]][0]}: no variable {lacking[0]!r}", code="PROMPT", remedy=nearest(lacking[0], self.variables))
        for number, example in enumerate(self.examples, 1):
            self._check(number, example)

    def _check(self, number: int, example: Example) -> None:
        try:
            self.filled(example.values)
            self.output.parse(example.answer)
        except (Invalid, UsageError) as why:
            raise UsageError(f"example {number}: {why}", code="PROMPT") from None

    def filled(self, values: Mapping[str, Any]) -> dict[str, Any]:
        """A value for every variable; UsageError that names what is unknown, missing or of the wrong type."""
        if odd := [name for name in values if name not in self.variables]:
            raise UsageError(f"{self.name} has no variable {odd[0]!r}", code="VARIABLE", param=odd[0], remedy=nearest(odd[0], self.variables))
        found = {}
        for name, variable in self.variables.items():
            value = values.get(name)
            if value is None and variable.default is None:
                raise UsageError(f"{self.name} needs a value of {name!r}", code="VARIABLE", param=name, remedy=variable.about or f"a {variable.type}")
            found[name] = variable.default if value is None else variable.taken(name, value)
        return found

    def asked(self, values: Mapping[str, Any]) -> str:
        """The body with values in it."""
        return rendered(self.body, self.filled(values))

    def turns(self, values: Mapping[str, Any], examples: Sequence[Example] | None = None, reasoned: bool = False) -> tuple[Turn, ...]:
        """What a model is sent: the system's turn, a pair of turns for each example (its own by default; with how it came to its answer if `reasoned`), the user's."""
        known = self.filled(values)
        told = "\n\n".join(text for text in (rendered(self.system, known), rendered(self.style, known)) if text)
        made = [Turn.of("system", told)] if told else []
        for one in self.examples if examples is None else examples:
            answer = f"{one.reasoning}\n{one.answer}" if reasoned and one.reasoning else one.answer
            made += [Turn.of("user", self.asked(one.values)), Turn.of("assistant", answer)]
        return (*made, Turn.of("user", rendered(self.body, known)))

    def facts(self) -> dict[str, Any]:
        """All but the body, as the front matter has it; what is as by default is left out."""
        plain = Want(temperature=0.0, most=TOKENS)
        model = {k: list(v) if isinstance(v, tuple) else v for k in MODEL if (v := getattr(self.want, k)) != getattr(plain, k)}
        parts = {"output": self.output.facts(), "model": model, "variables": {name: one.facts() for name, one in self.variables.items()},
                 "examples": [{"values": dict(e.values), "answer": e.answer, **({"reasoning": e.reasoning} if e.reasoning else {})} for e in self.examples]}
        return {"name": self.name, "version": self.version, **{k: v for k in TEXTS[1:] if (v := getattr(self, k))}, **{k: v for k, v in parts.items() if v}}

    @property
    def text(self) -> str:
        """The file of it, always written the same way."""
        return joined(self.facts(), self.body)

    @property
    def fingerprint(self) -> str:
        """SHA-256 of all that a model could notice: not of name, version and `about`."""
        said = {**{k: v for k, v in self.facts().items() if k not in ("name", "version", "about")}, "body": self.body}
        return hashlib.sha256(json.dumps(said, sort_keys=True).encode()).hexdigest()

    def __str__(self) -> str:
        return f"{self.name}@{self.version}"

    @classmethod
    def read(cls, at: str | Path) -> Template:
        """The prompt in a file; DataError with the line of what is wrong."""
        data = read_bytes(Path(at), Limits(bytes=4 * MOST))
        try:
            text = data.decode("utf-8")
        except UnicodeDecodeError as why:
            raise DataError(f"{at} is no UTF-8 from byte {why.start} on", code="FORMAT") from None
        return cls.parse(text, str(at))

    @classmethod
    def parse(cls, text: str, where: str = "prompt") -> Template:
        """The prompt that a file's text describes. Variables that no table declares are texts, if none is declared at all; loops go through lists."""
        source = split(text, where)
        return _Reading(source).template()

    def write(self, to: str | Path) -> None:
        """Its file, whole or not at all."""
        with atomic(Path(to)) as file:
            file.write(self.text.encode())


def diff(old: Template, new: Template) -> str:
    """What differs between two prompts, line by line as files; "" if nothing does."""
    return "\n".join(unified_diff(old.text.splitlines(), new.text.splitlines(), str(old), str(new), lineterm=""))


@dataclass(frozen=True)
class _Reading:
    """A file being read: every part is made by itself, so that what is wrong has its place."""

    source: Source

    def template(self) -> Template:
        known = ("version", *TEXTS, "variables", "output", "model", "examples")
        said = self.source.facts
        if odd := [k for k in said if k not in known]:
            raise self.source.wrong(f"no such key: {odd[0]}", (odd[0],), remedy=nearest(odd[0], known))
        texts = {k: self._of(str, k, "") for k in TEXTS}
        texts["name"] = texts["name"] or Path(self.source.where).stem
        version = self._of(int, "version", 1)
        if version < 1:
            raise self.source.wrong(f"version is {version}", ("version",), remedy="a whole number from 1")
        variables = self._variables(texts)
        self._texts(texts, variables)
        answers: Output = self._made(lambda: output(self._of(dict, "output", {})), ("output",))
        bare = Template(**texts, body=self.source.body, version=version, variables=variables, output=answers, want=self._want())
        examples = tuple(self._example(i, one, bare) for i, one in enumerate(self._of(list, "examples", [])))
        return Template(**{**{f.name: getattr(bare, f.name) for f in fields(bare)}, "examples": examples})

    def _of(self, kind: type[Any], key: str, default: Any) -> Any:
        found = self.source.facts.get(key, default)
        if not isinstance(found, kind) or (kind is int and isinstance(found, bool)):
            raise self.source.wrong(f"{key} is no {WORDS[kind]}", (key,))
        return found

    def _made(self, make: Any, path: Sequence[str | int]) -> Any:
        """What is made, or an error at its place."""
        try:
            return make()
        except UsageError as why:
            raise self.source.wrong(why.message, path, remedy=why.remedy) from None

    def _variables(self, texts: Mapping[str, str]) -> dict[str, Variable]:
        if "variables" not in self.source.facts:
            return {name: Variable(type="array" if looped else "string") for text in (self.source.body, texts["system"], texts["style"])
                    for name, (_, looped) in _names(text).items()}
        found = {}
        for name, said in self._of(dict, "variables", {}).items():
            path = ("variables", name)
            facts = {"type": said} if isinstance(said, str) else said
            if not name.isidentifier() or name == "loop":
                raise self.source.wrong(f"{name!r} is no name of a variable", path, remedy="letters, digits and _")
            if not isinstance(facts, dict) or (odd := set(facts) - {f.name for f in fields(Variable)}):
                raise self.source.wrong(f"variable {name}: " + (f"no such key: {odd.pop()}" if isinstance(facts, dict) else "it is a type, or a table with a type"), path,
                                        remedy=f"there are: {', '.join(f.name for f in fields(Variable))}")
            found[name] = self._made(lambda facts=facts: Variable(**facts), path)
        return found

    def _texts(self, texts: Mapping[str, str], variables: Mapping[str, Variable]) -> None:
        """DataError for a text that can't be rendered: with the line of the body, or of the key that holds it."""
        for key, text in (("body", self.source.body), ("system", texts["system"]), ("style", texts["style"])):
            def place(line: int, key: str = key) -> int | None:
                return self.source.first + line - 1 if key == "body" else None
            try:
                used = names(text)
            except Wrong as why:
                raise self.source.wrong(why.what, (key,), place(why.line)) from None
            for name, (line, looped) in used.items():
                if name not in variables:
                    raise self.source.wrong(f"no variable {name!r} is declared", (key,), place(line), nearest(name, variables))
                if looped and variables[name].type != "array":
                    raise self.source.wrong(f"{name} is gone through in a loop and is no array", (key,), place(line), f'{name} = "array" in [variables]')

    def _want(self) -> Want:
        said = self._of(dict, "model", {})
        if odd := [k for k in said if k not in MODEL]:
            raise self.source.wrong(f"model has no {odd[0]!r}", ("model", odd[0]), remedy=nearest(odd[0], MODEL))
        made: Want = self._made(lambda: recipe.made(Want, {"temperature": 0.0, "most": TOKENS, **said}), ("model", *list(said)[:1]))
        return made

    def _example(self, i: int, said: Any, bare: Template) -> Example:
        path = ("examples", i)
        if not isinstance(said, dict) or not isinstance(said.get("values"), dict) or "answer" not in said or set(said) - {"values", "answer", "reasoning"}:
            raise self.source.wrong(f"example {i + 1} is no table of values, an answer and perhaps reasoning", path, remedy='values = {text = "..."} and answer = "..."')
        answer = said["answer"]
        text = answer if isinstance(answer, str) else json.dumps(answer, ensure_ascii=False, default=str)
        if not isinstance(said.get("reasoning", ""), str) or (not isinstance(answer, str) and not isinstance(bare.output, Json)):
            raise self.source.wrong(f"example {i + 1}: answers and reasoning are texts", path)
        made = Example(said["values"], text, said.get("reasoning", ""))
        self._made(lambda: bare._check(i + 1, made), path)
        return made


WORDS = {str: "text", int: "whole number", dict: "table", list: "list of tables"}


def _names(text: str) -> dict[str, tuple[int, bool]]:
    """The variables of a text, none of one that can't be read: that is told with its place later."""
    try:
        return names(text)
    except Wrong:
        return {}
