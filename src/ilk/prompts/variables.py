"""A variable of a prompt: its type, its default, and values taken for it."""
from __future__ import annotations

from dataclasses import dataclass, fields
from math import isfinite
from typing import Any, Literal, get_args

from ilk.errors import ModelError, UsageError
from ilk.files import parse_json

Type = Literal["string", "integer", "number", "boolean", "array"]
_TRUTHS = {"true": True, "false": False}


@dataclass(frozen=True, kw_only=True)
class Variable:
    """What may stand in a place of a prompt. Without a default it has to be given; `values` are the only ones allowed; `most` characters or elements.

    >>> Variable(type="integer").taken("n", "3")
    3
    """

    type: Type = "string"
    about: str = ""
    default: Any = None
    values: tuple[Any, ...] = ()
    most: int = 200_000

    def __post_init__(self) -> None:
        if self.type not in get_args(Type):
            raise UsageError(f"no type {str(self.type)[:40]!r}", code="PROMPT", remedy=f"one of: {', '.join(get_args(Type))}")
        if not isinstance(self.about, str) or not isinstance(self.most, int) or isinstance(self.most, bool) or self.most < 1 or not isinstance(self.values, tuple | list):
            raise UsageError("a variable has a type, a text `about`, a default, a list of `values`, and `most`, a whole number from 1", code="PROMPT")
        object.__setattr__(self, "values", tuple(self.values))
        if self.default is not None:
            object.__setattr__(self, "default", self.taken("default", self.default))

    def taken(self, name: str, value: Any) -> Any:
        """The value in its type, also from a text such as a cell of a CSV; UsageError that names the variable."""
        made = self._read(value) if isinstance(value, str) and self.type != "string" else value
        if not _is(self.type, made):
            raise UsageError(f"{name} is {str(value)[:60]!r}, which is no {self.type}", code="VALUE", param=name, remedy="or declare another type under [variables]")
        if self.values and made not in self.values:
            raise UsageError(f"{name} is {str(value)[:60]!r}", code="VALUE", param=name, remedy=f"one of: {', '.join(map(str, self.values))}")
        if isinstance(made, str | list) and len(made) > self.most:
            raise UsageError(f"{name} is {len(made)} {'characters' if isinstance(made, str) else 'elements'} long; the limit is {self.most}", code="TOO_LARGE", param=name,
                             remedy="a shorter one, or a larger `most` in the prompt's file")
        return made

    def _read(self, text: str) -> Any:
        """A text as the value it stands for; the text itself where it stands for none."""
        if self.type == "boolean":
            return _TRUTHS.get(text.strip().lower(), text)
        try:
            return int(text) if self.type == "integer" else float(text) if self.type == "number" else parse_json(text.encode("utf-8", "replace"), "the list")
        except (ValueError, ModelError):
            return text

    def facts(self) -> dict[str, Any]:
        """What stands in a file: all but defaults."""
        said = {f.name: getattr(self, f.name) for f in fields(self) if getattr(self, f.name) != f.default}
        return {"type": self.type, **{k: list(v) if isinstance(v, tuple) else v for k, v in said.items()}}


def _is(kind: str, value: Any) -> bool:
    if kind == "array":
        return isinstance(value, list) and all(isinstance(v, str | bool | int) or (isinstance(v, float) and isfinite(v)) for v in value)
    if isinstance(value, bool) or kind == "boolean":
        return isinstance(value, bool) and kind == "boolean"
    if kind == "number":
        return isinstance(value, int | float) and isfinite(value)
    return isinstance(value, int if kind == "integer" else str)
