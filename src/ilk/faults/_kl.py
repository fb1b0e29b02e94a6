"""The KL term of a variational autoencoder, known by its shape: 1 + log s2 - m2 - s2."""
from __future__ import annotations

import ast

from ._syntax import Env, constant, keyword
from ._trees import Program

SUMS = {"sum", "reduce_sum", "einsum"}
AVERAGES = {"mean", "reduce_mean", "average"}


def leaves(node: ast.expr, sign: int = 1) -> list[tuple[int, ast.expr]]:
    """The terms of a sum, with their signs; numbers before a bracket are left out."""
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add | ast.Sub):
        return leaves(node.left, sign) + leaves(node.right, sign if isinstance(node.op, ast.Add) else -sign)
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
        return leaves(node.operand, -sign)
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Mult):
        for number, other in ((node.left, node.right), (node.right, node.left)):
            if isinstance(value := constant(number), int | float):
                return leaves(other, sign if value >= 0 else -sign)
    return [(sign, node)]


def kernel(node: ast.expr) -> int:
    """-1 where it is 1 + log s2 - m2 - s2 but for a factor, +1 where it is the negative of that, 0 where it is something else."""
    terms = leaves(node)
    if not 3 <= len(terms) <= 5:
        return 0
    grown = [(s, _exponent(t)) for s, t in terms if _exponent(t)]
    squares = [s for s, t in terms if _square(t)]
    if len(grown) == 1 and squares and any(ast.unparse(t) == grown[0][1] and s == -grown[0][0] for s, t in terms):
        return grown[0][0]
    logs = [s for s, t in terms if isinstance(t, ast.Call) and ast.unparse(t.func).endswith("log")]
    return squares[0] if len(logs) == 1 and len(squares) == 2 and squares[0] == squares[1] == -logs[0] else 0


def _exponent(node: ast.expr) -> str:
    """What stands in the exponent."""
    if not isinstance(node, ast.Call) or not ast.unparse(node.func).endswith("exp"):
        return ""
    return ast.unparse(node.args[0]) if node.args else ast.unparse(node.func.value) if isinstance(node.func, ast.Attribute) else ""


def _square(node: ast.expr) -> bool:
    if isinstance(node, ast.Call):
        name = ast.unparse(node.func).rpartition(".")[2]
        return name == "square" or (name in ("pow", "power") and constant(node.args[-1] if node.args else None) == 2)
    return isinstance(node, ast.BinOp) and (isinstance(node.op, ast.Pow) and constant(node.right) == 2 or isinstance(node.op, ast.Mult)
                                            and ast.unparse(node.left) == ast.unparse(node.right))


def signed(code: Program, node: ast.expr, env: Env | None = None, deep: int = 0) -> int:
    """+1 where an expression is a KL term, summed or averaged or not; -1 where it is the negative of one; 0 where it is neither."""
    if deep > 10:
        return 0
    if found := kernel(node):
        return found
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
        return -signed(code, node.operand, env, deep + 1)
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Mult | ast.Div):
        for number, other in ((node.right, node.left), (node.left, node.right)):
            if isinstance(value := constant(number), int | float):
                return signed(code, other, env, deep + 1) * (1 if value >= 0 else -1)
        return signed(code, node.left, env, deep + 1) or signed(code, node.right, env, deep + 1)
    if isinstance(node, ast.Name):
        found_all = {signed(code, v, inner, deep + 1) for v, inner in code.sources(node, env)}
        return found_all.pop() if len(found_all) == 1 else 0
    if isinstance(node, ast.Call) and (inside := reduced(code, node)) is not None:
        return signed(code, inside, env, deep + 1)
    if isinstance(node, ast.Call) and (back := code.returned(node, env)):
        found_all = {signed(code, v, inner, deep + 1) for v, inner in back}
        return found_all.pop() if len(found_all) == 1 else 0
    return 0


def reduced(code: Program, call: ast.Call) -> ast.expr | None:
    """What a sum or mean is taken of."""
    if code.tail(call) not in SUMS | AVERAGES:
        return None
    if isinstance(call.func, ast.Attribute) and code.path(call.func.value).split(".")[0] not in ("torch", "tensorflow", "numpy", "keras", "jax"):
        return call.func.value
    return call.args[0] if call.args else None


def axis(code: Program, call: ast.Call) -> object:
    """The axis of a sum or mean, None for all."""
    own = isinstance(call.func, ast.Attribute) and reduced(code, call) is call.func.value
    found = keyword(call, "dim", "axis") or (call.args[0 if own else 1] if len(call.args) > (0 if own else 1) else None)
    return constant(found) if found is not None and constant(found) is not None else (None if found is None else ast.unparse(found))


def averaged(code: Program, node: ast.expr, env: Env | None = None, deep: int = 0) -> ast.Call | None:
    """The mean that is taken over the places of a KL term, if one is."""
    if deep > 10:
        return None
    if isinstance(node, ast.Call) and code.tail(node) in AVERAGES and (inside := reduced(code, node)) is not None and _bare(code, inside, env):
        return node if axis(code, node) in (None, 1, -1) else None
    return None


def _bare(code: Program, node: ast.expr, env: Env | None, deep: int = 0) -> bool:
    """A KL term of which nothing has been summed yet."""
    if deep > 6:
        return False
    if kernel(node):
        return True
    if isinstance(node, ast.UnaryOp):
        return _bare(code, node.operand, env, deep + 1)
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Mult | ast.Div):
        return (_bare(code, node.left, env, deep + 1) and constant(node.right) is not None) or (_bare(code, node.right, env, deep + 1) and constant(node.left) is not None)
    return isinstance(node, ast.Name) and (found := code.sources(node, env)) != [] and all(_bare(code, v, inner, deep + 1) for v, inner in found)


def weighted(code: Program, node: ast.AST) -> bool:
    """Whether something other than a half multiplies it where it stands."""
    for outer in code.ancestors(node):
        if isinstance(outer, ast.BinOp) and isinstance(outer.op, ast.Mult | ast.Div):
            factors = [constant(x) for x in (outer.left, outer.right) if node not in set(ast.walk(x))]
            if any(not isinstance(f, int | float) or abs(f) not in (0.5, 1, 2) for f in factors):
                return True
        elif not isinstance(outer, ast.UnaryOp):
            return False
    return False
