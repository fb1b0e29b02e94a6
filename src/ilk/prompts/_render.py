"""Texts with {{variables}}, by jinja2's sandbox, of which a small part is let through. What is put in is data: it is never read as a template."""
from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any

from jinja2 import StrictUndefined, TemplateError, TemplateSyntaxError, nodes
from jinja2 import Template as Compiled
from jinja2.sandbox import ImmutableSandboxedEnvironment

from ilk.errors import UsageError

MOST = 1 << 20   # characters of a rendered text
LOOP = ("index", "first", "last")
ALLOWED = (nodes.Template, nodes.Output, nodes.TemplateData, nodes.Name, nodes.Const, nodes.List, nodes.Tuple, nodes.If, nodes.For, nodes.CondExpr, nodes.Filter,
           nodes.Compare, nodes.Operand, nodes.And, nodes.Or, nodes.Not, nodes.Getattr)
WORDS = {nodes.Call: "calls", nodes.Getitem: "items by number or name", nodes.Macro: "macros", nodes.Include: "includes", nodes.Import: "imports",
         nodes.Assign: "assignments", nodes.Block: "blocks", nodes.Extends: "parents"}


class Wrong(Exception):
    """What is wrong with a text, and in which of its lines."""

    def __init__(self, what: str, line: int) -> None:
        super().__init__(what)
        self.what, self.line = what, line


def _shown(value: Any) -> Any:
    """How a value is written: texts as they are, anything else as JSON has it."""
    return value if isinstance(value, str | StrictUndefined) else json.dumps(value, ensure_ascii=False)


def _joined(value: Any, by: str = ", ") -> str:
    if not isinstance(value, list | tuple):
        raise UsageError("`join` is of a list", code="PROMPT", remedy="a variable of type array")
    return by.join(str(_shown(one)) for one in value)


FILTERS: dict[str, Callable[..., Any]] = {
    "lower": lambda value: str(_shown(value)).lower(), "upper": lambda value: str(_shown(value)).upper(), "trim": lambda value: str(_shown(value)).strip(),
    "length": len, "join": _joined, "json": lambda value: json.dumps(value, ensure_ascii=False)}
_SANDBOX = ImmutableSandboxedEnvironment(autoescape=False, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True, keep_trailing_newline=True, finalize=_shown)
_SANDBOX.filters, _SANDBOX.tests, _SANDBOX.globals = FILTERS, {}, {}


def names(text: str) -> dict[str, tuple[int, bool]]:
    """The variables of a text: the line that first names each, and whether it is gone through in a loop. Wrong for anything that is not let through."""
    try:
        tree = _SANDBOX.parse(text)
    except TemplateSyntaxError as why:
        raise Wrong(str(why.message), why.lineno) from None
    except RecursionError:
        raise Wrong("nested too deep", 1) from None
    found: dict[str, tuple[int, bool]] = {}
    _walk(tree, frozenset(), found)
    return found


def _walk(node: nodes.Node, bound: frozenset[str], found: dict[str, tuple[int, bool]]) -> None:
    _check(node, bound)
    if isinstance(node, nodes.Name) and node.name not in bound:
        found.setdefault(node.name, (node.lineno, False))
    if isinstance(node, nodes.For):
        if not isinstance(node.iter, nodes.Name) or not isinstance(node.target, nodes.Name) or bound or node.recursive or node.test:
            raise Wrong("a loop goes through one variable, and stands in no other loop", node.lineno)
        found[node.iter.name] = (found.get(node.iter.name, (node.lineno, True))[0], True)
        bound = frozenset((node.target.name, "loop"))
        for child in (*node.body, *node.else_):
            _walk(child, bound, found)
        return
    for child in node.iter_child_nodes():
        _walk(child, bound, found)


def _check(node: nodes.Node, bound: frozenset[str]) -> None:
    """Wrong for a node that does more than put a value in its place."""
    if not isinstance(node, ALLOWED):
        raise Wrong(f"{WORDS.get(type(node), type(node).__name__.lower())} are not let through in prompts", node.lineno)
    if isinstance(node, nodes.CondExpr) and node.expr2 is None:
        raise Wrong("an `if` inside a value needs an `else`", node.lineno)
    if isinstance(node, nodes.Filter) and node.name not in FILTERS:
        raise Wrong(f"no filter {node.name!r}; there are: {', '.join(FILTERS)}", node.lineno)
    if isinstance(node, nodes.Getattr) and not (isinstance(node.node, nodes.Name) and node.node.name == "loop" and "loop" in bound and node.attr in LOOP):
        raise Wrong("attributes are not let through in prompts", node.lineno)


@lru_cache(256)
def _compiled(text: str) -> Compiled:
    names(text)
    return _SANDBOX.from_string(text)


def rendered(text: str, values: Mapping[str, Any]) -> str:
    """The text with values in their places. UsageError where they do not fit, or for more than 2^20 characters."""
    made: list[str] = []
    size = 0
    try:
        for piece in _compiled(text).generate(values):
            size += len(piece)
            if size > MOST:
                raise UsageError(f"the prompt becomes longer than {MOST} characters", code="TOO_LARGE", remedy="shorter values")
            made.append(piece)
    except Wrong as why:
        raise UsageError(f"line {why.line} of the text: {why.what}", code="PROMPT") from None
    except (TemplateError, TypeError, ValueError, OverflowError, RecursionError) as why:
        if isinstance(why, UsageError):
            raise
        raise UsageError(f"the prompt can't be rendered: {why}", code="PROMPT", remedy="check the values against what the prompt does with them") from None
    return "".join(made)
