"""A program as rules see it: dotted names, what a name was bound to, and what flows into an expression. Nothing is run."""
from __future__ import annotations

import ast
from collections import deque
from collections.abc import Callable, Iterator
from functools import cached_property, lru_cache

from ilk.fault import Script

from ._syntax import COMMON, Bound, Env, Function, Scope, Seen, after, argument, bound_by, constant, pairs, parameters, position, returns, tokens

MOST, PATIENCE = 3000, 40_000   # nodes that are followed from one expression; names that one rule follows


@lru_cache(maxsize=4)
def program(script: Script) -> Program:
    """The script, looked through once for all rules."""
    return Program(script)


class Program:
    """A syntax tree with its parents, names and bindings."""

    def __init__(self, script: Script) -> None:
        self.script, self.tree = script, script.tree
        self.followed = 0
        tree = script.tree
        self.parent = {child: node for node in ast.walk(tree) for child in ast.iter_child_nodes(node)}
        self.all = sorted((n for n in ast.walk(tree) if hasattr(n, "lineno")), key=position)

    def of(self, *kinds: type[ast.AST]) -> list[ast.AST]:
        """The nodes of some kinds, as they stand in the text."""
        return [n for n in self.all if isinstance(n, kinds)]

    @cached_property
    def calls(self) -> list[ast.Call]:
        """Every call, as they stand in the text."""
        return [n for n in self.all if isinstance(n, ast.Call)]

    @cached_property
    def imports(self) -> dict[str, str]:
        """Dotted names by what they are called here."""
        found: dict[str, str] = {}
        for n in self.all:
            if isinstance(n, ast.Import):
                found |= {a.asname or a.name.split(".")[0]: a.name if a.asname else a.name.split(".")[0] for a in n.names}
            elif isinstance(n, ast.ImportFrom):
                found |= {a.asname or a.name: f"{n.module or ''}.{a.name}" for a in n.names}
        return found

    @cached_property
    def functions(self) -> dict[str, Function]:
        """Functions and methods by name; of several, the last."""
        return {n.name: n for n in self.all if isinstance(n, Function)}

    @cached_property
    def classes(self) -> dict[str, ast.ClassDef]:
        """Classes by name."""
        return {n.name: n for n in self.all if isinstance(n, ast.ClassDef)}

    @cached_property
    def words(self) -> set[str]:
        """Every identifier, attribute, keyword and parameter of the program."""
        named = {n.id for n in self.all if isinstance(n, ast.Name)} | {n.attr for n in self.all if isinstance(n, ast.Attribute)}
        return named | {n.arg for n in self.all if isinstance(n, ast.keyword | ast.arg) and n.arg} | set(self.functions) | set(self.classes) | set(self.imports)

    @cached_property
    def tokens(self) -> set[str]:
        """The words of all identifiers."""
        return {t for w in self.words for t in tokens(w)}

    def path(self, node: ast.AST) -> str:
        """The dotted name, with what imports say: `nn.Linear` is torch.nn.Linear; `?` stands for what is no name."""
        if isinstance(node, ast.Call):
            return "?"
        if isinstance(node, ast.Attribute):
            return f"{self.path(node.value)}.{node.attr}"
        return self.imports.get(node.id, COMMON.get(node.id, node.id)) if isinstance(node, ast.Name) else "?"

    def tail(self, call: ast.AST) -> str:
        """The last word of what is called."""
        return self.path(call.func).rpartition(".")[2] if isinstance(call, ast.Call) else ""

    def ancestors(self, node: ast.AST) -> Iterator[ast.AST]:
        """From the nearest outwards."""
        while node in self.parent:
            node = self.parent[node]
            yield node

    def near(self, node: ast.AST, *kinds: type[ast.AST]) -> ast.AST | None:
        """The nearest ancestor of some kinds, within the function that the node is in."""
        for outer in self.ancestors(node):
            if isinstance(outer, kinds):
                return outer
            if isinstance(outer, Function | ast.Lambda):
                return None
        return None

    def scope(self, node: ast.AST) -> Scope:
        """The function that the node is in, or the module."""
        for outer in self.ancestors(node):
            if isinstance(outer, Scope):
                return outer
        return self.tree

    def statement(self, node: ast.AST) -> ast.AST:
        """The statement that the node is part of."""
        while not isinstance(node, ast.stmt | ast.Module) and node in self.parent:
            node = self.parent[node]
        return node

    def home(self, node: ast.AST) -> ast.ClassDef | None:
        """The class that the node is in."""
        return next((n for n in self.ancestors(node) if isinstance(n, ast.ClassDef)), None)

    @cached_property
    def bindings(self) -> dict[ast.AST, dict[str, list[Bound]]]:
        """What names are bound to, by the scope that they belong to, in the order of the text."""
        found: dict[ast.AST, dict[str, list[Bound]]] = {}
        for node in self.all:
            for bound in bound_by(node):
                if bound.value is not None and bound.value not in self.parent:   # what += stands for is not in the text
                    self.parent |= {bound.value: node} | dict.fromkeys(ast.iter_child_nodes(bound.value), bound.value)
                found.setdefault(self.scope(node), {}).setdefault(bound.name, []).append(bound)
        return found

    @cached_property
    def attributes(self) -> dict[str, list[tuple[ast.ClassDef | None, ast.expr]]]:
        """What `self.NAME` is made, by name: assignments and buffers, with their classes."""
        found: dict[str, list[tuple[ast.ClassDef | None, ast.expr]]] = {}
        for node in self.all:
            for target, value in pairs(node):
                if isinstance(target, ast.Attribute) and isinstance(target.value, ast.Name) and target.value.id == "self":
                    found.setdefault(target.attr, []).append((self.home(node), value))
            if isinstance(node, ast.Call) and self.tail(node) == "register_buffer" and len(node.args) > 1 and isinstance(name := constant(node.args[0]), str):
                found.setdefault(name, []).append((self.home(node), node.args[1]))
        return found

    def attribute(self, node: ast.Attribute) -> list[ast.expr]:
        """What `self.NAME` was made in its own class."""
        if not (isinstance(node.value, ast.Name) and node.value.id == "self"):
            return []
        own = self.home(node)
        return [value for home, value in self.attributes.get(node.attr, []) if home is own]

    def bounds(self, name: ast.Name) -> list[Bound]:
        """The bindings that a name may stand for where it is read: the last before it, and those before that where the last may not have happened."""
        scope: ast.AST = self.scope(name)
        while True:
            if found := self.bindings.get(scope, {}).get(name.id):
                return self._reaching(found, name) if scope is self.scope(name) else found
            if isinstance(scope, Function | ast.Lambda) and name.id in parameters(scope):
                return []
            if isinstance(scope, ast.Module):
                return []
            scope = self.scope(scope)

    def _reaching(self, found: list[Bound], name: ast.Name) -> list[Bound]:
        outside, kept = set(self.ancestors(name)), []
        for bound in reversed([b for b in found if after(b.where) <= position(name) or (b.each and position(b.where) < position(name))]):
            kept.append(bound)
            if self.parent.get(bound.where) in outside or bound.where in outside:
                break
        return kept or ([] if name.id in parameters(self.scope(name)) else found[-1:])   # what an earlier turn of a loop has left

    def sources(self, name: ast.Name, env: Env | None = None) -> list[Seen]:
        """Expressions that a name stands for: those bound, else the arguments that its function is called with. RuntimeError where names lead to names without end."""
        self.followed += 1
        if self.followed > PATIENCE:
            raise RuntimeError("names lead to one another without end")
        if bounds := self.bounds(name):
            return [seen for b in bounds if b.value is not None for seen in self._part(b, env)]
        if env is not None and name.id in env:
            return [env[name.id]]
        scope = self.scope(name)
        return [(value, None) for value in self._arguments(scope, name.id)] if isinstance(scope, Function) else []

    def _part(self, bound: Bound, env: Env | None) -> Iterator[Seen]:
        whole = bound.value
        if bound.part is not None and isinstance(whole, ast.Call) and self.local(whole) is not None:
            for value, inner in self.returned(whole, env):
                yield (value.elts[bound.part], inner) if isinstance(value, ast.Tuple) and bound.part < len(value.elts) else (value, inner)
        elif bound.each and isinstance(whole, ast.Tuple | ast.List):   # for D, x in ((D_A, a), (D_B, b))
            for one in whole.elts:
                yield (one.elts[bound.part], env) if bound.part is not None and isinstance(one, ast.Tuple) and bound.part < len(one.elts) else (one, env)
        elif whole is not None:
            yield whole, env

    def local(self, call: ast.Call) -> Function | None:
        """The function or method of this program that is called, by name."""
        if isinstance(call.func, ast.Name):
            return self.functions.get(call.func.id)
        if isinstance(call.func, ast.Attribute) and isinstance(call.func.value, ast.Name) and call.func.value.id not in self.imports:
            found = self.functions.get(call.func.attr)
            return found if found is not None and self.home(found) is not None else None
        return None

    def returned(self, call: ast.Call, env: Env | None = None) -> list[Seen]:
        """What a call of a function of this program returns, its parameters bound to the arguments."""
        if (called := self.local(call)) is None:
            return []
        names = [p for p in parameters(called) if p not in ("self", "cls")]
        inner: Env = {**{p: (a, env) for p, a in zip(names, call.args, strict=False) if not isinstance(a, ast.Starred)},
                      **{k.arg: (k.value, env) for k in call.keywords if k.arg}}
        return [(value, inner) for value in returns(called)]

    @cached_property
    def callers(self) -> dict[Function, list[ast.Call]]:
        """The calls of each function."""
        found: dict[Function, list[ast.Call]] = {}
        for call in self.calls:
            if (called := self.local(call)) is not None:
                found.setdefault(called, []).append(call)
        return found

    def _arguments(self, called: Function, name: str) -> list[ast.expr]:
        names = [p for p in parameters(called) if p not in ("self", "cls")]
        at = names.index(name) if name in names else -1
        found = [argument(c, at, name) for c in self.callers.get(called, ()) if at >= 0 and self.scope(c) is not called]
        return [f for f in found if f is not None]

    def flow(self, start: ast.expr, skip: Callable[[ast.AST], bool] = lambda _: False, env: Env | None = None) -> Iterator[ast.AST]:
        """Everything that goes into an expression: its parts, what its names stand for, what the functions return that it calls."""
        seen: set[int] = set()
        stack: deque[tuple[ast.AST, Env | None]] = deque([(start, env)])
        while stack and len(seen) < MOST:   # the nearest first, and no more: a long program may tie everything to everything
            node, env = stack.popleft()
            if id(node) in seen or skip(node):
                continue
            seen.add(id(node))
            yield node
            if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load):
                stack += self.sources(node, env)
            elif isinstance(node, ast.Attribute):
                stack += [(value, None) for value in self.attribute(node)]
            if isinstance(node, ast.Call):
                stack += self.returned(node, env)
            stack += [(child, env) for child in ast.iter_child_nodes(node)]

    def inside(self, node: ast.AST, *kinds: type[ast.AST]) -> list[ast.AST]:
        """The parts of a node of some kinds, as they stand in the text."""
        return sorted((n for n in ast.walk(node) if isinstance(n, kinds)), key=position)

    def mentions(self, *names: str) -> bool:
        """Whether any of these is an identifier of the program."""
        return any(n in self.words for n in names)


