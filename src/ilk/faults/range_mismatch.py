"""The data and what is made lie in different ranges."""
from __future__ import annotations

import ast
from collections.abc import Iterator

from ._nets import JUDGES, net_ending, role_of
from ._script import Place, ScriptFault
from ._syntax import constant, tokens
from ._trees import Program

MADE = {"g", "gen", "generator", "decoder", "vae", "autoencoder", "ae", "dec", "gan", "dcgan"}


class RangeMismatch(ScriptFault):
    """Pictures in [0, 1] as ToTensor gives them, and a generator that ends with tanh."""

    why = "the discriminator can tell real from made by the range alone, and no output fits the data"
    remedy = "scale the data as the output: x * 2 - 1 or Normalize((0.5,), (0.5,)) for tanh, [0, 1] for a sigmoid"

    def places(self, code: Program) -> Iterator[Place]:
        """Where it is."""
        data = _range(code)
        for node, name, ends in _makers(code):
            if (data, ends) in (("unit", "tanh"), ("signed", "sigmoid")):
                yield node, f"{name} ends with {ends}, the data are in {'[0, 1]' if data == 'unit' else '[-1, 1]'}"


def _makers(code: Program) -> Iterator[tuple[ast.AST, str, str]]:
    """Networks that make pictures, with what they end with."""
    for name, made in code.classes.items():
        if tokens(name) & MADE and not tokens(name) & JUDGES:
            yield made, name, net_ending(code, made)
    for name, bounds in code.bindings.get(code.tree, {}).items():
        for b in bounds:
            value = b.value
            while isinstance(value, ast.Call) and isinstance(value.func, ast.Attribute) and value.func.attr in ("to", "cuda"):
                value = value.func.value
            if role_of(name) == "g" and isinstance(value, ast.Call) and code.tail(value) == "Sequential":
                yield b.where, name, net_ending(code, value)


def _range(code: Program) -> str:
    """unit, signed, or nothing where the program does not say so plainly."""
    pictures = any(code.tail(c) == "ToTensor" for c in code.calls)
    divided = [n for n in code.of(ast.BinOp) if isinstance(n, ast.BinOp) and isinstance(n.op, ast.Div) and constant(n.right) in (255, 255.0)]
    normal = [c for c in code.calls if code.tail(c) == "Normalize"]
    if normal:
        half = all(len(c.args) > 1 and all(constant(e) == 0.5 for a in c.args[:2] for e in (a.elts if isinstance(a, ast.Tuple | ast.List) else [a])) for c in normal)
        return "signed" if half and len(normal) == 1 else ""
    shifted = any(isinstance(n, ast.BinOp) and isinstance(n.op, ast.Sub | ast.Add) and constant(n.right) in (1, 1.0, 0.5, 127.5) and _scaled(n.left) for n in code.all)
    shifted = shifted or any(isinstance(n, ast.BinOp) and isinstance(n.op, ast.Div) and constant(n.right) in (127.5, 0.5) for n in code.all)
    shifted = shifted or any(isinstance(n, ast.AugAssign) and constant(n.value) in (2, 2.0, 127.5) for n in code.all) or code.mentions("Lambda", "normalize",
            "rescale", "Rescaling", "scale")
    return "unit" if (pictures or divided) and not shifted else ""


def _scaled(node: ast.expr) -> bool:
    """A product with 2, a name or a quotient: what a shift to [-1, 1] is made of. Counters are none of these."""
    if isinstance(node, ast.BinOp):
        return isinstance(node.op, ast.Div) or 2 in (constant(node.left), constant(node.right)) or 2.0 in (constant(node.left), constant(node.right))
    return False
