"""What no module may use, read off the syntax tree: pickles, global randomness, evaluated text, shells, bare asserts."""
from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
MODULES = ("pickle", "cPickle", "dill", "cloudpickle", "joblib", "random", "shelve", "marshal")
NAMES = ("torch.load", "torch.save", "torch.manual_seed", "torch.seed", "torch.cuda.manual_seed", "torch.cuda.manual_seed_all", "yaml.load", "yaml.unsafe_load",
         "tempfile.mktemp", "os.system", "os.popen", "numpy.load_pickle")
BUILTINS = ("eval", "exec", "compile", "__import__")
GENERATORS = ("Philox", "Generator", "SeedSequence", "BitGenerator")   # the only names of numpy.random that hold no global state
# May seed torch's global generator, and puts it back: the one place through which nn.init and dropout draw.
SEEDS = {"src/ilk/rng.py"}
# Looks whether the global generators were touched, and draws nothing from them.
LOOKS = {"src/ilk/testing/_same.py": ("random", "numpy.random.get_state")}
# Checks that any package may run raise AssertionError by design.
ASSERTS = "src/ilk/testing/"


def files() -> list[Path]:
    found = [p for top in ("src/ilk", "benchmarks", "scripts") for p in sorted((ROOT / top).rglob("*.py"))]
    return [p for p in found if "benchmarks/peers" not in p.as_posix()]   # peers are other people's libraries, run as they are


def name_of(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def faults(code: str, where: str) -> Iterator[str]:
    tree = ast.parse(code)
    short = {a.asname or a.name.split(".")[0]: a.name if a.asname else a.name.split(".")[0] for n in ast.walk(tree) if isinstance(n, ast.Import) for a in n.names}
    short |= {a.asname or a.name: f"{n.module}.{a.name}" for n in ast.walk(tree) if isinstance(n, ast.ImportFrom) and n.module and not n.level for a in n.names}
    for node in ast.walk(tree):
        line = f"{where}:{getattr(node, 'lineno', 0)}"
        for module in _modules(node):
            if module.split(".")[0] in MODULES and module not in LOOKS.get(where, ()):
                yield f"{line} imports {module}"
        said = _said(node, short)
        if said in NAMES and not (where in SEEDS and said.endswith("manual_seed")):
            yield f"{line} uses {said}"
        if said.startswith("numpy.random.") and said.split(".")[2] not in GENERATORS and said not in LOOKS.get(where, ()):
            yield f"{line} uses {said}"
        if isinstance(node, ast.Attribute) and node.attr == "manual_seed" and where not in SEEDS:
            yield f"{line} seeds a generator"
        if isinstance(node, ast.Call):
            yield from (f"{line} {why}" for why in _call(node))
        if isinstance(node, ast.Assert) and where.startswith("src/ilk/") and not where.startswith(ASSERTS):
            yield f"{line} asserts"


def _modules(node: ast.AST) -> list[str]:
    if isinstance(node, ast.Import):
        return [a.name for a in node.names]
    return [node.module] if isinstance(node, ast.ImportFrom) and node.module and not node.level else []


def _said(node: ast.AST, short: dict[str, str]) -> str:
    """A dotted name as it is written, its first word as imported: np.random.seed is numpy.random.seed."""
    parts: list[str] = []
    while isinstance(node, ast.Attribute):
        parts.append(node.attr)
        node = node.value
    return ".".join([short.get(node.id, node.id), *reversed(parts)]) if isinstance(node, ast.Name) else ""


def _call(node: ast.Call) -> Iterator[str]:
    if isinstance(node.func, ast.Name) and node.func.id in BUILTINS:
        yield f"calls {node.func.id}"
    for word in node.keywords:
        true = isinstance(word.value, ast.Constant) and word.value.value is True
        if true and word.arg in ("shell", "allow_pickle"):
            yield f"passes {word.arg}=True"


@pytest.mark.parametrize("path", files(), ids=name_of)
def test_nothing_banned(path: Path) -> None:
    assert not list(faults(path.read_text(encoding="utf-8"), name_of(path)))


@pytest.mark.parametrize("code", [
    "import pickle", "from joblib import dump", "import random", "import torch\ntorch.load('x')", "from torch import save\nsave({}, 'x')",
    "import torch\ntorch.manual_seed(1)", "import torch\ntorch.default_generator.manual_seed(1)", "import numpy as np\nnp.random.seed(1)",
    "import numpy as np\nnp.random.default_rng()", "from numpy.random import normal\nnormal()",
    "eval('1')", "exec('1')", "compile('1', '', 'eval')", "import subprocess\nsubprocess.run('ls', shell=True)", "import numpy as np\nnp.load('x', allow_pickle=True)",
    "import tempfile\ntempfile.mktemp()", "assert True"])
def test_each_is_found(code: str) -> None:
    assert list(faults(code, "src/ilk/some.py"))


@pytest.mark.parametrize("code", [
    "import torch\ntorch.nn.Linear(1, 1).eval()", "import re\nre.compile('a')", "import numpy as np\nnp.random.Generator(np.random.Philox(key=1))"])
def test_what_is_allowed_is_not(code: str) -> None:
    assert not list(faults(code, "src/ilk/some.py"))
