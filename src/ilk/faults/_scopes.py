"""Names that are read where nothing has bound them: by Python's own table of symbols, and by the order of the text."""
from __future__ import annotations

import ast
import builtins
import symtable
from collections.abc import Iterator
from functools import lru_cache

from ilk.fault import Script

from ._syntax import COMMON, LOOPS, Function, parameters, position
from ._trees import Program, program

ALWAYS = {*dir(builtins), "__file__", "__name__", "__doc__", "__builtins__", "__path__", "__spec__", "__loader__", "__package__", "__annotations__", "__class__",
          "display", "get_ipython",
          "In", "Out", "reveal_type", "WindowsError", "__conditional_annotations__", "__annotate__", "__qualname__", "__module__"}
MODULES = {*COMMON, "torch", "torchvision", "numpy", "pandas", "math", "os", "sys", "random", "json", "time", "copy", "re", "sklearn", "scipy", "tensorflow", "keras",
           "jax", "argparse",
           "itertools", "functools", "pathlib", "glob", "pickle", "joblib", "tqdm", "transformers", "sns", "cv2", "datetime", "logging", "collections", "shutil",
           "csv", "string", "warnings"}


@lru_cache(maxsize=4)
def unbound(script: Script) -> tuple[tuple[ast.Name, bool], ...]:
    """Reads of names that nothing in the program binds, the first of each, and whether the name is that of a well-known module."""
    code = program(script)
    if any(isinstance(n, ast.ImportFrom) and n.names[0].name == "*" for n in code.all) or {"globals", "locals", "exec"} & set(code.words):
        return ()
    top = symtable.symtable(script.text, script.name, "exec")
    known = {s.get_name() for s in top.get_symbols() if s.is_assigned() or s.is_imported() or s.is_namespace()} | ALWAYS | _declared(top)
    missing = {name for name in _free(top) if name not in known}
    found = []
    for name in missing:
        reads = [n for n in code.all if isinstance(n, ast.Name) and n.id == name and isinstance(n.ctx, ast.Load) and not _own(code, n) and not _annotates(code, n)
                 and not _guarded(code, n)]
        if reads:
            as_module = name in MODULES and isinstance(code.parent[reads[0]], ast.Attribute)
            found.append((reads[0], as_module))
    return tuple(sorted(found, key=lambda f: position(f[0])))


def _free(table: symtable.SymbolTable) -> Iterator[str]:
    for symbol in table.get_symbols():
        if symbol.is_referenced() and (symbol.is_global() or (table.get_type() == "module" and not symbol.is_assigned() and not symbol.is_imported())):
            yield symbol.get_name()
    for child in table.get_children():
        yield from _free(child)


def _declared(table: symtable.SymbolTable) -> set[str]:
    own = {s.get_name() for s in table.get_symbols() if s.is_declared_global() and s.is_assigned()}
    return own.union(*(_declared(child) for child in table.get_children()))


def _own(code: Program, node: ast.Name) -> bool:
    """Whether a function around it, a comprehension or a class binds the name."""
    for outer in code.ancestors(node):
        if isinstance(outer, Function | ast.Lambda) and node.id in parameters(outer):
            return True
        if isinstance(outer, Function | ast.ClassDef | ast.ListComp | ast.SetComp | ast.DictComp | ast.GeneratorExp) and any(
                isinstance(n, ast.Name) and n.id == node.id and isinstance(n.ctx, ast.Store) for n in ast.walk(outer)):
            return True
    return False


def _annotates(code: Program, node: ast.AST) -> bool:
    for outer in code.ancestors(node):
        inner, node = node, outer
        if isinstance(outer, ast.arg) or (isinstance(outer, ast.AnnAssign) and inner is outer.annotation) or (isinstance(outer, Function) and inner is outer.returns):
            return True
    return False


def _guarded(code: Program, node: ast.AST) -> bool:
    """Within a `try` that expects it to be missing."""
    return any(isinstance(n, ast.Try) and any(h.type is None or "NameError" in ast.dump(h.type) for h in n.handlers) for n in code.ancestors(node))


def early(code: Program) -> Iterator[tuple[ast.AST, str]]:
    """Reads at the top level, and calls of functions there, that come before a name is bound."""
    first = _first_bindings(code)
    called = _first_calls(code)
    for node in code.all:
        if not isinstance(node, ast.Name) or not isinstance(node.ctx, ast.Load) or node.id not in first or _guarded(code, node):
            continue
        scope, bound = code.scope(node), first[node.id]
        if scope is code.tree:
            if position(node) < position(bound) and not _annotates(code, node) and not _same_loop(code, node, bound) and not _inner(code, node):
                yield node, f"{node.id} is used before line {bound.lineno}, which makes it"
        elif isinstance(scope, Function) and scope.name in called and _outer(code, node, scope):
            call = called[scope.name]
            if position(call) < position(bound) and not _same_loop(code, call, bound):
                yield node, f"{scope.name} reads {node.id}, but is called on line {call.lineno}, before line {bound.lineno} makes it"


def _inner(code: Program, node: ast.AST) -> bool:
    """Within a comprehension, which binds names of its own, or a class."""
    return any(isinstance(n, ast.ListComp | ast.SetComp | ast.DictComp | ast.GeneratorExp | ast.ClassDef) for n in code.ancestors(node))


def _outer(code: Program, node: ast.Name, scope: Function) -> bool:
    """Whether the function takes the name from the module."""
    own = {n.id for n in ast.walk(scope) if isinstance(n, ast.Name) and not isinstance(n.ctx, ast.Load)} | {n.arg for n in ast.walk(scope) if isinstance(n, ast.arg)}
    own |= {n.name for n in ast.walk(scope) if isinstance(n, Function | ast.ClassDef) and n is not scope}
    own |= {a.asname or a.name.split(".")[0] for n in ast.walk(scope) if isinstance(n, ast.Import | ast.ImportFrom) for a in n.names}
    return node.id not in own and isinstance(code.scope(scope), ast.Module) and code.home(scope) is None


def _same_loop(code: Program, one: ast.AST, other: ast.AST) -> bool:
    return any(isinstance(n, LOOPS) and n in set(code.ancestors(other)) for n in code.ancestors(one))


def _first_bindings(code: Program) -> dict[str, ast.stmt]:
    """The first top-level statement after which each name of the module is bound; names that something else may bind are left out."""
    found: dict[str, ast.stmt] = {}
    loose = set(code.imports) | set(code.functions) | set(code.classes)
    loose |= {name for n in code.all if isinstance(n, ast.Global) for name in n.names} | {n.name for n in code.all if isinstance(n, ast.ExceptHandler) and n.name}
    for node in code.all:
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store) and code.scope(node) is code.tree and not _inner(code, node) and node.id not in loose:
            statement = code.statement(node)
            if isinstance(statement, ast.stmt):
                found.setdefault(node.id, statement)
    return found


def _first_calls(code: Program) -> dict[str, ast.Call]:
    """The first call of each function from the top level, directly or through one that is defined by then."""
    found: dict[str, ast.Call] = {}
    for call in code.calls:
        if isinstance(code.scope(call), ast.Module) and not _inner(code, call):
            direct = code.local(call)
            inner = [code.local(c) for c in ast.walk(direct) if isinstance(c, ast.Call) and code.scope(c) is direct] if direct is not None else []
            for called in (direct, *inner):
                if called is not None and code.home(called) is None and position(called) < position(call):
                    found.setdefault(called.name, call)
    return found
