"""code: programs, their functions and classes as sections; read, never run."""
from __future__ import annotations

import ast
import re
import warnings
from collections.abc import Iterator, Sequence

from ..modality import Limits
from ..reader import Document, Reader, Section
from ._clean import cleaned, decoded, sections

_DEEP = 20
_TOP = re.compile(r"(?:\A|(?<=\n))(?=[^\s}\])#/*;,<-])(?P<head>[^\n]*[({:=][^\n]*)", re.MULTILINE)


class Code(Reader):
    """Python by its syntax tree; other languages by lines that begin at the margin and open something."""

    suffixes = (".py", ".pyi", ".js", ".mjs", ".ts", ".tsx", ".jsx", ".java", ".c", ".h", ".cc", ".cpp", ".hpp", ".cs", ".go", ".rs", ".rb", ".php", ".swift", ".kt",
                ".scala", ".sh", ".sql", ".r", ".jl", ".lua", ".toml", ".yaml", ".yml", ".json", ".ini", ".cfg")

    def read(self, name: str, data: bytes, limits: Limits) -> Sequence[Document]:
        """The program's text with its sections.

        >>> [s.title for s in Code().read("a.py", b"class A:\\n    def b(self): ...\\n", Limits())[0].sections]
        ['class A', 'def b']
        """
        text, notes = cleaned(decoded(data, limits))
        heads = _others(text)
        if name.lower().endswith((".py", ".pyi")):
            try:
                with warnings.catch_warnings(action="ignore"):
                    tree = ast.parse(text)
                return [Document(name, text, _python(text, tree), {}, notes)]
            except (SyntaxError, ValueError, RecursionError, MemoryError):
                notes = (*notes, "not valid Python: sections are guesses")
        return [Document(name, text, sections(heads, len(text)), {}, notes)]


def _python(text: str, tree: ast.Module) -> tuple[Section, ...]:
    lines = [0, *(i + 1 for i, c in enumerate(text) if c == "\n")]
    found: list[Section] = []
    todo: list[tuple[int, ast.AST]] = [(1, node) for node in reversed(tree.body)]
    while todo:
        level, node = todo.pop()
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef) and node.end_lineno is not None:
            first = min([node.lineno, *(d.lineno for d in node.decorator_list)])
            end = lines[node.end_lineno] if node.end_lineno < len(lines) else len(text)
            found.append(Section(f"{'class' if isinstance(node, ast.ClassDef) else 'def'} {node.name}", level, lines[first - 1], end))
            todo += [(level + 1, child) for child in reversed(node.body)] if level < _DEEP else []
    return tuple(found)


def _others(text: str) -> Iterator[tuple[int, int, str]]:
    return ((found.start(), 1, found["head"].strip(" {(")) for found in _TOP.finditer(text))
