"""The losses of adversarial networks, taken apart: what the judge's output on made and on real items is driven to."""
from __future__ import annotations

import ast
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from ._nets import is_noise, judges, makes, role_of
from ._syntax import Env, after, constant, position, tokens
from ._trees import Program

LOSSY = {"loss", "err", "error", "cost"}
MEANS = {"mean", "sum", "reduce_mean", "reduce_sum", "squeeze", "view", "reshape", "flatten", "average"}
TARGETED = {"bce", "mse", "criterion", "loss", "entropy", "adversarial", "mseloss", "bceloss", "gan"}


@dataclass(frozen=True, eq=False)
class Term:
    """One output of the judge in a loss: driven up (1) or down (0); `linear` where it stands without a logarithm or the like."""

    call: ast.Call
    target: int
    linear: bool
    cut: bool
    env: Env | None


@dataclass(frozen=True, eq=False)
class Loss:
    """What one of the two networks minimises."""

    of: str
    value: ast.expr
    at: ast.AST


def losses(code: Program) -> list[Loss]:
    """The losses of both networks: what is gone backward from, what a tape differentiates, and what is named so."""
    found = [*_backward(code), *_taped(code)]
    return found or list(_by_name(code))


def _backward(code: Program) -> Iterator[Loss]:
    for call in code.calls:
        if isinstance(call.func, ast.Attribute) and call.func.attr == "backward":
            value = call.func.value
            if of := _named(value) or _stepped(code, call):
                yield Loss(of, value, call)


def _taped(code: Program) -> Iterator[Loss]:
    for call in code.calls:
        if code.tail(call) == "gradient" and len(call.args) > 1:
            words = [role_of(n.id if isinstance(n, ast.Name) else n.attr) for n in ast.walk(call.args[1]) if isinstance(n, ast.Name | ast.Attribute)]
            if of := next((w for w in words if w), ""):
                yield Loss(of, call.args[0], call)


def _by_name(code: Program) -> Iterator[Loss]:
    for name, called in code.functions.items():
        if (of := loss_role(name)) and called.body and isinstance(last := called.body[-1], ast.Return) and last.value is not None:
            yield Loss(of, last.value, last)
    for scope in code.bindings.values():
        for name, bounds in scope.items():
            if (of := loss_role(name)) and bounds[-1].value is not None:
                yield Loss(of, bounds[-1].value, bounds[-1].where)


def loss_role(name: str) -> str:
    """Whose loss a name means."""
    words = tokens(name)
    if not words & LOSSY:
        return ""
    return "d" if words & {"d", "disc", "discriminator", "critic", "c"} else "g" if words & {"g", "gen", "generator"} else ""


def _named(value: ast.expr) -> str:
    return loss_role(value.id) if isinstance(value, ast.Name) else ""


def _stepped(code: Program, call: ast.Call) -> str:
    """Whose optimiser is stepped next: by what it was given, else by its name."""
    block = code.scope(call)
    later = [c for c in code.calls if code.tail(c) == "step" and position(c) > after(call) and code.scope(c) is block and isinstance(c.func, ast.Attribute)]
    return optimiser_role(code, later[0].func.value) if later and isinstance(later[0].func, ast.Attribute) else ""


def optimiser_role(code: Program, optimiser: ast.expr) -> str:
    """Whose optimiser it is."""
    if not isinstance(optimiser, ast.Name | ast.Attribute):
        return ""
    roles = {r for n in code.flow(optimiser) if isinstance(n, ast.Attribute) and n.attr == "parameters" for r in [_net_role(n.value)] if r}
    if roles:
        return roles.pop() if len(roles) == 1 else ""
    words = tokens(optimiser.id if isinstance(optimiser, ast.Name) else optimiser.attr)
    return "d" if words & {"d", "disc", "discriminator", "critic", "c"} else "g" if words & {"g", "gen", "generator"} else ""


def _net_role(net: ast.expr) -> str:
    return role_of(net.id if isinstance(net, ast.Name) else net.attr if isinstance(net, ast.Attribute) else "")


def terms(code: Program, loss: Loss) -> list[Term]:
    """The judge's outputs in a loss."""
    return list(_terms(code, loss.value, 1, False, None, 0))


def _terms(code: Program, node: ast.AST, sign: int, cut: bool, env: Env | None, deep: int) -> Iterator[Term]:
    if deep > 20:
        return
    if isinstance(node, ast.Name):
        for value, inner in code.sources(node, env):
            yield from _terms(code, value, sign, cut, inner, deep + 1)
    elif isinstance(node, ast.BinOp):
        yield from _summed(code, node, sign, cut, env, deep + 1)
    elif isinstance(node, ast.Subscript) and isinstance(node.value, ast.Call) and isinstance(at := constant(node.slice), int):
        for value, inner in code.returned(node.value, env):
            yield from _terms(code, value.elts[at] if isinstance(value, ast.Tuple) and at < len(value.elts) else value, sign, cut, inner, deep + 1)
    elif isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
        yield from _terms(code, node.operand, -sign, cut, env, deep + 1)
    elif isinstance(node, ast.Call):
        yield from _call(code, node, sign, cut, env, deep + 1)


def _summed(code: Program, node: ast.BinOp, sign: int, cut: bool, env: Env | None, deep: int) -> Iterator[Term]:
    if isinstance(node.op, ast.Pow):                     # (D(x) - 1) ** 2 and D(x) ** 2
        low = node.left
        one = isinstance(low, ast.BinOp) and isinstance(low.op, ast.Sub) and constant(low.right) in (1, 1.0)
        yield from _driven(code, low.left if one and isinstance(low, ast.BinOp) else low, 1 if one else 0, cut, env)
        return
    weight = [constant(x) for x in (node.left, node.right)]
    flip = -1 if any(isinstance(w, int | float) and w < 0 for w in weight) and isinstance(node.op, ast.Mult | ast.Div) else 1
    yield from _terms(code, node.left, sign * flip, cut, env, deep)
    yield from _terms(code, node.right, -sign if isinstance(node.op, ast.Sub) else sign * flip, cut, env, deep)


def _call(code: Program, call: ast.Call, sign: int, cut: bool, env: Env | None, deep: int) -> Iterator[Term]:
    last = code.tail(call)
    inner = call.args[0] if call.args else None
    if judges(code, call):
        yield Term(call, int(sign < 0), True, cut, env)
    elif isinstance(call.func, ast.Attribute) and (last in MEANS or last == "detach") and code.path(call.func.value).split(".")[0] not in ("torch", "tensorflow", "numpy"):
        yield from _terms(code, call.func.value, sign, cut or last == "detach", env, deep)
    elif inner is None:
        return
    elif last in MEANS:
        yield from _terms(code, inner, sign, cut, env, deep)
    elif last in ("log", "logsigmoid", "log_sigmoid") or last in ("softplus", "relu"):
        yield from _driven(code, inner, int(sign < 0), cut, env)
    elif back := code.returned(call, env):
        for value, within in back:
            yield from _terms(code, value, sign, cut, within, deep)
    elif len(call.args) > 1 and (tokens(last) | set(last.lower().split("_"))) & TARGETED:
        yield from _targeted(code, call, cut, env)


def _driven(code: Program, node: ast.AST, target: int, cut: bool, env: Env | None) -> Iterator[Term]:
    """Outputs within a growing function of them that is driven up (1) or down (0): minus signs turn that round."""
    for term in _terms(code, node, -1 if target else 1, cut, env, 1):
        yield Term(term.call, term.target, False, term.cut, term.env)


def _targeted(code: Program, call: ast.Call, cut: bool, env: Env | None) -> Iterator[Term]:
    """Of a loss of outputs and targets: either may stand first."""
    for output, target in (call.args[:2], call.args[1::-1]):
        found = list(_terms(code, output, 1, cut, env, 1)) or _inside(code, output, cut, env)
        aim = level(code, target, env)
        if found and aim is not None:
            yield from (Term(t.call, aim, False, t.cut, t.env) for t in found)


def _inside(code: Program, output: ast.expr, cut: bool, env: Env | None) -> list[Term]:
    return [Term(n, 0, False, cut, env) for n in code.flow(output, lambda n: isinstance(n, ast.Call) and makes(code, n), env) if isinstance(n, ast.Call)
            and judges(code, n)][:1]


def level(code: Program, node: ast.AST, env: Env | None = None, deep: int = 0) -> int | None:
    """Whether labels are ones or zeros; None where that can't be told."""
    if deep > 12:
        return None
    if isinstance(value := constant(node), int | float) and not isinstance(value, bool):
        return int(value >= 0.5)
    if isinstance(node, ast.Name):
        found = {level(code, v, inner, deep + 1) for v, inner in code.sources(node, env)}
        return found.pop() if len(found) == 1 else None
    if isinstance(node, ast.Attribute):
        found = {level(code, v, env, deep + 1) for v in code.attribute(node)}
        return found.pop() if len(found) == 1 else None
    if not isinstance(node, ast.Call):
        return level(code, node.value, env, deep + 1) if isinstance(node, ast.Subscript) else _scaled(code, node, env, deep)
    last = code.tail(node)
    if last in ("ones", "ones_like", "zeros", "zeros_like"):
        return int(last.startswith("ones"))
    if last in ("full", "full_like", "fill_", "fill"):
        return level(code, node.args[-1] if last == "fill_" else node.args[1], env, deep + 1) if len(node.args) > (last != "fill_") else None
    return level(code, node.func.value, env, deep + 1) if isinstance(node.func, ast.Attribute) and last in ("to", "view", "reshape", "cuda", "float", "expand",
            "unsqueeze", "type", "type_as") else None


def _scaled(code: Program, node: ast.AST, env: Env | None, deep: int) -> int | None:
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Mult | ast.Sub):
        factor = constant(node.right) if isinstance(constant(node.right), int | float) else constant(node.left)
        other = node.left if isinstance(constant(node.right), int | float) else node.right
        return level(code, other, env, deep + 1) if isinstance(factor, int | float) and 0 <= factor <= 2 else None
    return None


def made(code: Program, term: Term) -> bool:
    """Whether the judge is shown what the other network makes."""
    return any(makes(code, n) for a in term.call.args for n in code.flow(a, env=term.env))


def attached(code: Program, term: Term) -> bool:
    """Whether gradients reach the network that makes the items, through some way."""
    return not term.cut and any(makes(code, n) and not ungraded(code, n) for a in term.call.args for n in code.flow(a, cuts(code), term.env))


def cuts(code: Program) -> Callable[[ast.AST], bool]:
    """What lets no gradient through."""
    return lambda n: isinstance(n, ast.Call) and code.tail(n) in ("detach", "stop_gradient", "numpy", "item")


def ungraded(code: Program, node: ast.AST) -> bool:
    """Whether it stands where no gradients are kept."""
    return any(isinstance(n, ast.With | ast.AsyncWith) and any("no_grad" in ast.dump(i) or "inference_mode" in ast.dump(i) for i in n.items) for n in code.ancestors(node))


def noise_alone(code: Program, term: Term) -> bool:
    """Whether the judge is shown bare noise in the place of real items."""
    if not term.call.args or made(code, term):
        return False
    first = term.call.args[0]
    while isinstance(first, ast.Call) and isinstance(first.func, ast.Attribute) and first.func.attr in ("to", "view", "reshape", "cuda", "float", "flatten"):
        first = first.func.value
    if isinstance(first, ast.Name):
        values = [v for v, _ in code.sources(first, term.env)]
        return bool(values) and all(is_noise(code, v) for v in values)
    return is_noise(code, first)
