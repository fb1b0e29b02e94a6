"""The rules of style that a program can check: sizes of files, functions, signatures and recipes; docstrings; tests that assert."""
from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import fields
from functools import cache
from pathlib import Path
from statistics import median

import pytest

from ilk import registry

ROOT = Path(__file__).parents[2]
HOME = ROOT / "src" / "ilk"
AXES = ("families", "modalities", "metrics", "nets", "train", "decoding", "samplers", "pages", "catalogue", "exporters", "attacks", "trackers", "verbs", "faults")
LONGEST_FILE, LONGEST_FUNCTION, MEDIAN, NINE_TENTHS, MOST_PARAMETERS, MOST_FIELDS = 300, 60, 4, 15, 7, 12
# Longer than the rule allows, and why. A name that no longer breaks the rule must leave this list.
LONG_FILES: dict[str, str] = {}
# A command's parameters are its flags: commands/ is read off by the parser, console/ takes what that was given.
FLAGS = ("commands", "console")
RECIPES = ("families", "modalities", "decoding", "samplers", "nets")
ASSERTING = ("raises", "warns", "suppress", "fail", "assert_allclose", "assert_close", "assert_array_equal", "assert_frame_equal")

Function = ast.FunctionDef | ast.AsyncFunctionDef


def sources(under: Path) -> list[Path]:
    return sorted(under.rglob("*.py"))


@cache
def tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


def functions(path: Path) -> list[Function]:
    return [n for n in ast.walk(tree(path)) if isinstance(n, Function)]


def body_lines(node: Function) -> int:
    body = node.body[1:] if ast.get_docstring(node) is not None else node.body
    return body[-1].end_lineno - body[0].lineno + 1 if body and body[-1].end_lineno else 0


def parameters(node: Function) -> int:
    names = [a.arg for a in (*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs)]
    return len([n for n in names if n not in ("self", "cls")])


def shown(path: Path, node: ast.AST) -> str:
    return f"{path.relative_to(ROOT).as_posix()}:{getattr(node, 'lineno', 0)} {getattr(node, 'name', '')}"


def test_axis_files_are_short() -> None:
    sizes = {p.relative_to(HOME).as_posix(): len(p.read_text(encoding="utf-8").splitlines()) for axis in AXES for p in sources(HOME / axis)}
    assert {name: n for name, n in sizes.items() if n > LONGEST_FILE and name not in LONG_FILES} == {}
    assert [name for name in LONG_FILES if sizes.get(name, 0) <= LONGEST_FILE] == [], "these are short enough now: take them off the list"


def test_functions_are_short() -> None:
    long = [shown(p, f) for p in sources(HOME) for f in functions(p) if (f.end_lineno or 0) - f.lineno + 1 > LONGEST_FUNCTION]
    assert long == []


def test_most_functions_are_very_short() -> None:
    lines = sorted(body_lines(f) for p in sources(HOME) for f in functions(p))
    assert median(lines) <= MEDIAN and lines[int(0.9 * len(lines))] <= NINE_TENTHS


def test_no_keyword_soup() -> None:
    soup = [shown(p, f) for p in sources(HOME) for f in functions(p) if not f.name.startswith("_") and f.args.kwarg is not None]
    assert soup == []


def test_few_parameters() -> None:
    many = [f"{shown(p, f)}: {parameters(f)}" for p in sources(HOME) if p.parent.name not in FLAGS for f in functions(p) if parameters(f) > MOST_PARAMETERS]
    assert many == []


@pytest.mark.parametrize(("axis", "name"), [(axis, name) for axis in RECIPES for name in registry.names(axis)])
def test_few_options_a_recipe(axis: str, name: str) -> None:
    recipe = registry.get(axis, name)
    assert len(fields(recipe)) <= MOST_FIELDS


def public(node: ast.Module | ast.ClassDef, protocol: bool = False) -> Iterator[ast.AST]:
    """Definitions that need a docstring: public ones of modules and public classes. A Protocol's own says what its methods do."""
    for child in node.body:
        if isinstance(child, ast.ClassDef) and not child.name.startswith("_"):
            yield child
            yield from public(child, any("Protocol" in ast.unparse(b) for b in child.bases))
        elif isinstance(child, Function) and not child.name.startswith("_") and not protocol:
            yield child


@pytest.mark.parametrize("path", sources(HOME), ids=lambda p: p.relative_to(HOME).as_posix())
def test_every_public_name_says_what_it_is(path: Path) -> None:
    assert ast.get_docstring(tree(path)), f"{path.name} has no docstring"
    bare = [shown(path, n) for n in public(tree(path)) if isinstance(n, Function | ast.ClassDef) and not ast.get_docstring(n)]
    assert bare == []


def asserts(node: ast.AST, helpers: frozenset[str]) -> bool:
    """Whether a test can fail by what it finds: an assert, an exception that is the only one allowed, or a helper or check that asserts."""
    for n in ast.walk(node):
        if isinstance(n, ast.Assert | ast.Raise) or (isinstance(n, ast.ExceptHandler) and n.type is not None and ast.unparse(n.type) != "Exception"):
            return True
        if isinstance(n, ast.Call):
            name = n.func.attr if isinstance(n.func, ast.Attribute) else n.func.id if isinstance(n.func, ast.Name) else ""
            if name in ASSERTING or name in helpers or name.startswith(("check", "require", "assert")):
                return True
    return False


def helpers_of(paths: list[Path]) -> frozenset[str]:
    """Functions of the tests that assert, themselves or by another."""
    every = [f for p in paths for f in functions(p)]
    known: frozenset[str] = frozenset()
    while True:
        more = frozenset(f.name for f in every if asserts(f, known))
        if more == known:
            return known
        known = more


def test_every_test_asserts_something() -> None:
    paths = [p for p in sources(ROOT / "tests") if "plugin" not in p.parts]
    helpers = helpers_of(paths)
    idle = [shown(p, f) for p in paths if p.name.startswith("test_") for f in functions(p) if f.name.startswith("test_") and f.name not in helpers]
    assert idle == []
