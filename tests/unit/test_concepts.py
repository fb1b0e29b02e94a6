"""The map of families: its pictures and pages are what the registry says, and the four great kinds are siblings."""
from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree

import pytest

from ilk import registry
from ilk.cli import main
from ilk.concepts import KINDS, Known, branches, known, learners, svg, tree

ROOT = Path(__file__).parents[2]
# What textbooks call them; a family that is not here is told by the rules alone.
TEXTBOOK = {"gan": "adversarial", "stylegan": "adversarial", "vae": "latent variable", "hierarchical_vae": "latent variable", "vqvae": "latent variable",
            "autoencoder": "latent variable", "made": "autoregressive", "pixelcnn": "autoregressive", "wavenet": "autoregressive", "rnn": "autoregressive",
            "transformer": "autoregressive", "ngram": "autoregressive", "diffusion": "diffusion", "flow_matching": "diffusion", "flow": "flow", "rbm": "energy",
            "gmm": "hidden causes", "hmm": "hidden causes", "circuit": "hidden causes", "chow_liu": "closed form", "copula": "closed form", "chain": "composed",
            "latent": "composed", "mixture": "composed",
            "cascade": "composed", "score": "diffusion", "discrete_diffusion": "diffusion", "cyclegan": "adversarial", "insertion": "autoregressive"}
DENSITY = {"gan": ("none",), "stylegan": ("none",), "vae": ("bound",), "diffusion": ("bound",), "flow": ("exact",), "transformer": ("exact",), "chow_liu": ("exact",)}


@pytest.fixture(scope="module")
def rows() -> list[Known]:
    return [known(name) for name in learners()]


def test_kinds_are_those_of_the_textbooks(rows: list[Known]) -> None:
    found = {row.name: row for row in rows}
    assert {name: row.kind for name, row in found.items() if name in TEXTBOOK} == {name: kind for name, kind in TEXTBOOK.items() if name in found}
    assert {name: found[name].densities for name in DENSITY} == DENSITY and len(set(TEXTBOOK) & set(found)) > 20


def test_every_family_stands_once_and_kinds_are_siblings(rows: list[Known]) -> None:
    every = branches(rows)
    assert sorted(n for _, kinds in every for _, names in kinds for n in names) == [row.name for row in rows]
    depth = {name: line.index(name) for line in tree(rows).split("\n") for name in KINDS if f"-- {name}:" in line or f"-- {name}," in line}
    assert {"adversarial", "latent variable", "autoregressive", "diffusion"} <= set(depth) and len(set(depth.values())) == 1


@pytest.mark.parametrize("language", ["en", "zh"])
def test_the_drawing_has_all_names_inside_its_frame(rows: list[Known], language: str) -> None:
    root = ElementTree.fromstring(svg(rows, language))   # type: ignore[arg-type]
    texts = [e for e in root.iter() if e.tag.endswith("text")]
    said = ", ".join(str(e.text) for e in texts).split(", ")
    _, _, wide, tall = map(float, root.attrib["viewBox"].split())
    assert {row.name for row in rows} <= set(said)
    assert all(float(e.attrib["y"]) < tall and float(e.attrib["x"]) + 7.5 * len(str(e.text)) < wide for e in texts)


def test_pictures_and_pages_are_as_committed() -> None:
    ran = subprocess.run([sys.executable, str(ROOT / "scripts" / "make_map.py"), "--check"], cwd=ROOT, check=False)
    assert ran.returncode == 0, "run python scripts/make_map.py"


def test_the_command(rows: list[Known], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["list", "families", "--map"]) == 0
    assert capsys.readouterr().out.startswith("a law of items")
    assert main(["list", "families", "--full", "--json"]) == 0
    said = {f["name"]: f for f in json.loads(capsys.readouterr().out)["families"]}
    assert "picture" in said["stylegan"]["spaces"] and "label" in said["gan"]["beside"] and "NextToken" in said["ngram"]["can"]
    assert main(["list", "metrics", "--map"]) == 2
