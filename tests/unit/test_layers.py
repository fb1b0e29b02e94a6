"""Which module may import which, read off the syntax tree: lower layers know nothing of higher ones."""
from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

HOME = Path(__file__).parents[2] / "src" / "ilk"
LAYERS = (
    ("errors", "rng", "batch", "space", "captions", "rules", "constraints", "given", "grammar", "region", "store", "files", "letters",
     "sentences", "memory", "machine", "coding"),
    ("run", "registry"),
    ("distribution", "lift", "dataset", "modality", "metric", "recipe", "exporter", "quantity", "fault", "attack", "tracker", "records",
     "chat", "shapes", "backend", "reader", "vectors", "tuning", "checked", "sandbox"),
    ("model",),
    ("families", "modalities", "metrics", "nets", "train", "decoding", "samplers", "pages", "catalogue", "exporters", "quantities", "faults", "attacks",
     "trackers", "backends", "tunings", "readers", "indexes", "tasks"),
    ("verbs", "presets", "prompts", "rag", "truth"),
    ("cli", "commands", "console", "flags", "progress", "demo", "testing", "concepts", "serve", "jobs", "__main__"),
)
RANK = {name: rank for rank, layer in enumerate(LAYERS) for name in layer}
AXES = LAYERS[4]
BESIDE = {"families": {"nets", "decoding", "samplers", "train"}, "metrics": set(), "modalities": set(), "exporters": {"families", "modalities", "nets"},
          "attacks": {"metrics"}, "backends": {"catalogue", "exporters", "modalities"}, "tasks": {"metrics"}}
# Inside functions an import may go up, so that importing a lower layer stays cheap and free of circles; only here:
UP = {
    ("distribution", "train"),   # Neural.fit runs the one training loop
    ("model", "verbs"),          # Model's eight methods are verbs
    ("metrics", "verbs"),        # figures that need a score
    ("quantities", "verbs"),     # a density is a score
    ("shapes", "backends"),      # patterns that may take for ever are matched by what shapes answers
}


def modules() -> list[Path]:
    return sorted(HOME.rglob("*.py"))


def part_of(path: Path) -> str:
    return path.relative_to(HOME).with_suffix("").parts[0]


def imported(path: Path) -> Iterator[tuple[str, int, bool]]:
    """Every ilk module that a file imports: its top name, the line, and whether the import stands inside a function."""
    package = ["ilk", *path.relative_to(HOME).parts[:-1]]
    tree = ast.parse(path.read_text(encoding="utf-8"))
    yield from _walk(tree.body, package, False)


def _walk(body: list[ast.stmt], package: list[str], inside: bool) -> Iterator[tuple[str, int, bool]]:
    for node in body:
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
            continue
        if isinstance(node, ast.Import | ast.ImportFrom):
            yield from ((name, node.lineno, inside) for name in _names(node, package))
        deeper = inside or isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        for field in ("body", "orelse", "finalbody", "handlers", "cases"):
            yield from _walk(getattr(node, field, []), package, deeper)


def _names(node: ast.Import | ast.ImportFrom, package: list[str]) -> Iterator[str]:
    if isinstance(node, ast.Import):
        full = [alias.name.split(".") for alias in node.names]
    else:
        base = package[: len(package) - node.level + 1] if node.level else []
        base = base + (node.module or "").split(".") if node.module else base
        full = [[*base, alias.name] for alias in node.names]
    yield from (name[1] for name in full if name[0] == "ilk" and len(name) > 1 and name[1] in RANK)


def test_every_module_has_a_layer() -> None:
    assert {part_of(p) for p in modules()} - {"__init__"} <= set(RANK)


@pytest.mark.parametrize("path", modules(), ids=lambda p: p.relative_to(HOME).as_posix())
def test_imports_go_down(path: Path) -> None:
    mine = part_of(path)
    if mine == "__init__":
        found = [f"line {line}: {name}" for name, line, inside in imported(path) if not inside]
        assert not found, "ilk/__init__.py imports nothing until it is asked"
        return
    wrong = []
    for name, line, inside in imported(path):
        up, aside = RANK[name] > RANK[mine], mine in AXES and name in AXES and name != mine and name not in BESIDE.get(mine, set())
        if (up or aside) and not (inside and (mine, name) in UP):
            wrong.append(f"line {line} imports {name}{' inside a function' if inside else ''}")
    assert not wrong, f"{path.relative_to(HOME)}: {'; '.join(wrong)}"


def test_importing_ilk_imports_neither_torch_nor_polars() -> None:
    import subprocess
    import sys

    code = "import ilk, sys; dir(ilk); print(sorted({'torch', 'polars', 'numpy', 'sklearn'} & set(sys.modules)))"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "[]"


def test_the_walk_sees_what_is_there() -> None:
    found = set(imported(HOME / "model.py"))
    assert ("verbs", True) in {(name, inside) for name, _, inside in found} and ("lift", False) in {(name, inside) for name, _, inside in found}
    assert {name for name, _, inside in imported(HOME / "console" / "learn.py") if not inside} >= {"verbs", "model", "recipe", "registry"}
