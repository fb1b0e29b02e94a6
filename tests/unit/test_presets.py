"""Presets: every one builds on a standard space, survives JSON, stands in the pages, and is a name of the command's --family."""
from __future__ import annotations

import re
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Any

import pytest

import ilk
from ilk import presets, recipe, registry
from ilk.cli import main
from ilk.distribution import Distribution, Encodes, Family, Samples
from ilk.errors import UsageError
from ilk.flags import options
from ilk.lift import Lift, carried
from ilk.rng import Rng
from ilk.space import Discrete, Reals, Space
from ilk.testing._spaces import SPACES

DOCS = Path(__file__).parents[2] / "docs"
PLACES: dict[str, Space] = {**SPACES, "picture": Reals((1, 8, 8)), "levels": Discrete(4, (1, 8, 8))}


def built(made: Family, space: Space) -> tuple[Space, Lift, Distribution[Any]] | None:
    """Built for a space, or None where the family or its network does not take it."""
    if (lift := carried(space, made)) is None:
        return None
    try:
        return space, lift, made.build(lift.space, Rng(0))
    except UsageError as why:
        if why.code != "NET":
            raise
        return None


@pytest.mark.parametrize("name", presets.names())
def test_it_builds_on_a_standard_space_and_makes_items_of_it(name: str) -> None:
    made = presets.named(name)
    space, lift, body = next(found for space in PLACES.values() if (found := built(made, space)))
    if not isinstance(body, Samples):
        assert isinstance(body, Encodes)
        return
    items = lift.decode(body.sample(3, Rng(1)))
    assert len(items) == 3 and space.holds(items)


@pytest.mark.parametrize("name", presets.names())
def test_json_brings_it_back(name: str) -> None:
    made = presets.named(name)
    assert recipe.from_facts("families", recipe.facts("families", made)) == made == recipe.checked(made)


@pytest.mark.parametrize("name", presets.names())
def test_it_names_its_paper_and_says_its_recipe(name: str) -> None:
    assert re.search(r"\((.+ (19|20)\d\d|nanoGPT)", presets.summary(name))
    made = presets.named(name)
    names: dict[str, Any] = {c.__name__: c for c in _recipes(made)}
    assert read_back(presets.said(made), names) == made


def _recipes(made: Any) -> list[type]:
    inside = [v for f in fields(made) if is_dataclass(v := getattr(made, f.name))]
    return [type(made), *(c for v in inside for c in _recipes(v))]


def read_back(text: str, names: dict[str, Any]) -> Any:
    """A recipe read back from what `said` printed: calls of the named classes with constants."""
    import ast

    def value(node: ast.expr) -> Any:
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
            return names[node.func.id](**{str(k.arg): value(k.value) for k in node.keywords})
        return ast.literal_eval(node)

    return value(ast.parse(text, mode="eval").body)


def test_one_with_a_familys_name_is_its_default() -> None:
    both = [n for n in presets.names() if n in registry.names("families")]
    assert "stylegan" in both and all(presets._PRESETS[n]() == registry.get("families", n)() for n in both)


def test_the_command_takes_a_preset_and_changes_its_options() -> None:
    words, found = options(["fit", "x.npy", "--family", "nsf", "--layers", "3", "--steps", "9"])
    assert words == ["fit", "x.npy", "--family", "nsf", "--steps", "9"] and found["families"] == {"layers": 3}
    inner = options(["fit", "x.npy", "--family", "vqgan_like", "--code.book", "32"])[1]["families"]["code"]
    assert (inner.book, inner.width) == (32, 16), "what is not said stays the preset's"


def test_a_fit_by_name(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    table = tmp_path / "t.csv"
    table.write_text("a,b\n" + "".join(f"{i},{i % 7}\n" for i in range(60)))
    assert main(["fit", str(table), "--family", "latent_profiles", "--components", "2", "--steps", "3", "--out", str(tmp_path / "m.ilk")]) == 0
    family = ilk.load(tmp_path / "m.ilk").body.family
    assert family == ilk.GMM(components=2, covariance="diag")
    assert "gmm of table" in capsys.readouterr().out


def test_an_unknown_name_is_answered_with_the_nearest(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["fit", "x.csv", "--family", "wgan_pg"]) == 2
    assert "did you mean wgan_gp?" in capsys.readouterr().err
    with pytest.raises(UsageError, match="no family named"):
        presets.named("nothing")


def test_the_list_names_all(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["list", "presets"]) == 0
    assert [line.split()[0] for line in capsys.readouterr().out.splitlines()] == list(presets.names())
    assert ilk.presets is presets


@pytest.mark.parametrize("language", ["en", "zh"])
def test_the_page_lists_every_one_with_its_recipe(language: str) -> None:
    rows = [line.strip("| ").split(" | ") for line in (DOCS / language / "presets.md").read_text(encoding="utf-8").splitlines() if line.startswith("| `")]
    assert {row[0].strip("`"): row[2].strip("`") for row in rows} == {n: presets.said(presets.named(n)) for n in presets.names()}
    assert len(rows) == len(presets.names())
