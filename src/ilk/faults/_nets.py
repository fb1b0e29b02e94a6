"""Networks in a program: what they are made of, what they end with, whether one makes items or judges them."""
from __future__ import annotations

import ast
from collections.abc import Iterator

from ._syntax import Env, Seen, argument, constant, keyword, method, returns, tokens
from ._trees import Program

KINDS = {"Sigmoid": "sigmoid", "sigmoid": "sigmoid", "expit": "sigmoid", "Tanh": "tanh", "tanh": "tanh", "Softmax": "softmax", "softmax": "softmax",
         "LogSoftmax": "log_softmax",
         "log_softmax": "log_softmax", "ReLU": "relu", "relu": "relu", "Softplus": "positive", "softplus": "positive", "exp": "positive", "square": "positive",
         "abs": "positive"}
LINEAR = {"Linear", "LazyLinear", "Conv1d", "Conv2d", "Conv3d", "ConvTranspose1d", "ConvTranspose2d", "Bilinear"}
KERAS = {"Dense", "Conv2D", "Conv2DTranspose", "Conv1D"}
SAME = {"view", "reshape", "squeeze", "unsqueeze", "flatten", "to", "float", "double", "cuda", "cpu", "contiguous", "Flatten", "Unflatten", "Reshape", "Identity",
        "detach", "clone",
        "numpy", "compile", "DataParallel", "Squeeze", "permute", "transpose", "chunk", "split", "unbind", "apply", "spectral_norm"}
MAKES = {"g", "gen", "generator", "netg", "gnet"}
JUDGES = {"d", "disc", "discriminator", "critic", "netd", "dnet", "dis", "discr"}
OTHER = {"loss", "opt", "optim", "optimizer", "step", "train", "grad", "penalty", "iter", "scheduler", "criterion", "err", "cost", "dataset", "loader", "acc"}
NOISE = {"randn", "randn_like", "rand", "rand_like", "normal", "standard_normal", "uniform", "truncated_normal", "random_normal", "random_uniform"}


def role_of(name: str) -> str:
    """Whether an identifier names a network that makes items (g) or one that judges them (d)."""
    words = tokens(name)
    if words & OTHER:
        return ""
    return "d" if words & JUDGES else "g" if words & MAKES else ""


def role(code: Program, callee: ast.AST) -> str:
    """That of what is called: by its name, else by the class that it is of."""
    if not isinstance(callee, ast.Name | ast.Attribute) or (isinstance(callee, ast.Name) and callee.id in code.imports):
        return ""
    last = callee.id if isinstance(callee, ast.Name) else callee.attr
    if isinstance(callee, ast.Attribute) and not (isinstance(callee.value, ast.Name) and callee.value.id == "self"):
        return ""
    if last in code.functions and last not in code.classes:
        return ""
    if found := role_of(last):
        return found
    kinds = {role_of(net.name) for net in nets(code, callee) if isinstance(net, ast.ClassDef)}
    return kinds.pop() if len(kinds) == 1 else ""


def makes(code: Program, node: ast.AST) -> bool:
    """Whether a node is a call of the network that makes items."""
    return isinstance(node, ast.Call) and role(code, node.func) == "g"


def judges(code: Program, node: ast.AST) -> bool:
    """Whether a node is a call of the network that judges them."""
    return isinstance(node, ast.Call) and role(code, node.func) == "d"


def is_noise(code: Program, node: ast.AST) -> bool:
    """Whether a node draws from a fixed law."""
    return isinstance(node, ast.Call) and code.tail(node) in NOISE


def nets(code: Program, callee: ast.AST, env: Env | None = None, deep: int = 0) -> Iterator[ast.ClassDef | ast.Call]:
    """What a network was made by: a class of this program, or the call of a layer, a Sequential among them."""
    if deep > 8:
        return
    if isinstance(callee, ast.Name | ast.Attribute):
        found: list[Seen] = code.sources(callee, env) if isinstance(callee, ast.Name) else [(v, env) for v in code.attribute(callee)]
        for value, inner in found:
            yield from nets(code, value, inner, deep + 1)
    elif isinstance(callee, ast.Call):
        yield from _made(code, callee, env, deep)


def _made(code: Program, call: ast.Call, env: Env | None, deep: int) -> Iterator[ast.ClassDef | ast.Call]:
    last = code.tail(call)
    if isinstance(call.func, ast.Name) and call.func.id in code.classes:
        yield code.classes[call.func.id]
    elif (back := code.returned(call, env)) and isinstance(call.func, ast.Name):
        for value, inner in back:
            yield from nets(code, value, inner, deep + 1)
    elif last in SAME and isinstance(call.func, ast.Attribute):
        inner_call = call.args[0] if last in ("compile", "DataParallel", "spectral_norm") and call.args else call.func.value
        yield from nets(code, inner_call, env, deep + 1)
    elif last in LINEAR | KERAS | {"Sequential"} | set(KINDS):
        yield call


def ending(code: Program, node: ast.AST, env: Env | None = None, deep: int = 0) -> str:
    """What the numbers of an expression came out of last: sigmoid, tanh, softmax, linear ...; empty where that can't be told."""
    if deep > 24:
        return ""
    if isinstance(node, ast.Tuple) and node.elts:
        return ending(code, node.elts[0], env, deep + 1)
    if isinstance(node, ast.Name):
        return _one({ending(code, value, inner, deep + 1) for value, inner in code.sources(node, env)})
    if isinstance(node, ast.Subscript):
        return ending(code, node.value, env, deep + 1)
    return _called(code, node, env, deep) if isinstance(node, ast.Call) else ""


def _one(found: set[str]) -> str:
    return found.pop() if len(found) == 1 else ""


def _called(code: Program, call: ast.Call, env: Env | None, deep: int) -> str:
    last = code.tail(call)
    if isinstance(call.func, ast.Call):                  # nn.Sigmoid()(x), layers.Dense(10, activation="softmax")(h)
        return layer_ending(code, call.func, deep + 1)
    made = list(nets(code, call.func, env))
    if made:
        return _one({net_ending(code, net, deep + 1) for net in made})
    if last in KINDS:
        return KINDS[last]
    if last in SAME and isinstance(call.func, ast.Attribute):
        return ending(code, call.func.value, env, deep + 1)
    if back := code.returned(call, env):
        return _one({ending(code, value, inner, deep + 1) for value, inner in back})
    return ""


def net_ending(code: Program, net: ast.ClassDef | ast.Call, deep: int = 0) -> str:
    """What a network ends with."""
    if isinstance(net, ast.Call):
        return layer_ending(code, net, deep)
    forward = method(net, "forward", "call", "__call__")
    values = returns(forward) if forward is not None else []
    return _one({ending(code, v, None, deep + 1) for v in values}) if values else ""


def layer_ending(code: Program, made: ast.Call, deep: int = 0) -> str:
    """What a layer, or the last of several, gives."""
    last = code.tail(made)
    if last == "Sequential":
        parts = layers(code, made)
        while parts and code.tail(parts[-1]) in SAME:
            parts = parts[:-1]
        return "" if not parts or deep > 24 else _last(code, parts[-1], deep)
    if last in KINDS:
        return KINDS[last]
    if last == "Activation" and made.args:
        return KINDS.get(str(constant(made.args[0])), "")
    if last in KERAS:
        said = argument(made, 1, "activation") if last == "Dense" else keyword(made, "activation")
        return "linear" if said is None or constant(said) == "linear" else KINDS.get(str(constant(said)), KINDS.get(code.path(said).rpartition(".")[2], ""))
    return "linear" if last in LINEAR else ""


def _last(code: Program, part: ast.expr, deep: int) -> str:
    if isinstance(part, ast.Call):
        if isinstance(part.func, ast.Name) and part.func.id in code.classes:
            return net_ending(code, code.classes[part.func.id], deep + 1)
        return layer_ending(code, part, deep + 1) or _one({net_ending(code, n, deep + 1) for n in nets(code, part)})
    return _one({net_ending(code, n, deep + 1) for n in nets(code, part)})


def layers(code: Program, sequential: ast.Call) -> list[ast.expr]:
    """The layers of a Sequential that stand there one by one; none if a list is unpacked."""
    args = sequential.args
    if len(args) == 1 and isinstance(args[0], ast.List):
        args = args[0].elts
    return [] if any(isinstance(a, ast.Starred) for a in args) else list(args)


def is_linear(code: Program, layer: ast.AST) -> bool:
    """Whether what is called is a Linear or Dense layer without an activation."""
    if not isinstance(layer, ast.Name | ast.Attribute):
        return False
    made = list(nets(code, layer))
    return bool(made) and all(isinstance(m, ast.Call) and code.tail(m) in ("Linear", "Dense") and layer_ending(code, m) == "linear" for m in made)
