"""The stub of `ilk` is up to date, and type checkers know what ilk.fit and ilk.GMM are."""
from __future__ import annotations

import ast
import importlib.util
import subprocess
import sys
from pathlib import Path

import pytest

import ilk

from ._pages import ROOT, environment

STUB = ROOT / "src" / "ilk" / "__init__.pyi"
PROGRAM = '''
import ilk

model = ilk.fit({"a": [1.0, 2.0, 3.0]}, ilk.GMM(components=2, covariance="diag"), seed=1)
found: ilk.Score = ilk.score(model.given("a > 1"), [1.0])
same: ilk.Model = ilk.load(model.save("a.ilk"))
print(found.mean, found.sort, ilk.evaluate(same, [1.0])["nats"].value, ilk.Where("a > 1").rule)
'''
WRONG = '\nimport ilk\n\nilk.fit([1.0], "gmm")\nilk.GMM(component=2)\nilk.nothing\n'


def test_stub_is_as_committed() -> None:
    ran = subprocess.run([sys.executable, "scripts/make_stub.py", "--check"], cwd=ROOT, env=environment(), check=False)
    assert ran.returncode == 0, "run python scripts/make_stub.py"


def test_stub_names_all_that_is_there() -> None:
    named = {n.asname for s in ast.parse(STUB.read_text(encoding="utf-8")).body if isinstance(s, ast.ImportFrom) for n in s.names}
    outside = {registry_class for registry_class in dir(ilk) if registry_class not in named and not registry_class.startswith("__")}
    from ilk import registry

    plugins = {registry.class_name(axis, name) for axis in ilk._AXES for name in registry._installed(axis)}  # type: ignore[attr-defined]
    assert outside <= plugins


# ilk.given is the module of givens, and Model.given the verb; the function of this name is to leave ilk._HOMES.
HIDDEN_BY_MODULE = ["given"] if "given" in dir(ilk) else []


@pytest.mark.parametrize("name", sorted(dir(ilk)))
def test_every_name_can_be_had(name: str) -> None:
    assert getattr(ilk, name) is not None


def test_no_name_is_a_submodule_too() -> None:
    """Once `ilk.x` is imported as a module, the attribute is the module, whatever __getattr__ would have given."""
    assert [n for n in dir(ilk) if not n.startswith("__") and importlib.util.find_spec(f"ilk.{n}") is not None] == HIDDEN_BY_MODULE


@pytest.mark.slow
def test_mypy_knows_the_names(tmp_path: Path) -> None:
    found = []
    for text in (PROGRAM, WRONG):
        (tmp_path / "program.py").write_text(text, encoding="utf-8")
        found.append(subprocess.run(
            [sys.executable, "-m", "mypy", "--strict", "--config-file=", "--follow-imports=silent", "--cache-dir", str(tmp_path / "cache"), "program.py"],
            cwd=tmp_path, env=environment(MYPYPATH=str(ROOT / "src")), capture_output=True, text=True, check=False))
    assert found[0].returncode == 0, found[0].stdout
    assert found[1].stdout.count("error:") == 3, found[1].stdout
