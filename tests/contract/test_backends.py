"""Every backend of the registry against the checks of ilk.testing, on models that are made here."""
from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from typing import Any

import pytest

from ilk import registry
from ilk.testing import check_backend

_spec = importlib.util.spec_from_file_location("language_models", Path(__file__).parents[1] / "_language.py")
small: Any = importlib.util.module_from_spec(_spec)   # type: ignore[arg-type]
sys.modules["language_models"] = small
_spec.loader.exec_module(small)   # type: ignore[union-attr]

# How each backend gets a model; one that is not named here has tests of its own (a server, a network).
MADE = {
    "echo": [lambda at: ("", False), lambda at: ("Hello there, you whole wide world of mine and yours", False)],
    "local": [lambda at: (str(small.lines(at / "lines.ilk", tokens="bytes")), True)],
    "hf": [lambda at: (str(small.decoder(at / "decoder")), True), lambda at: (str(small.encoder(at / "encoder")), True)],
    "gguf": [lambda at: (str(small.gguf(at / "tiny.gguf")), True)],
}
NEEDS = {"hf": ("transformers", "llguidance"), "gguf": ("xllamacpp", "llguidance", "gguf"), "local": ("llguidance",)}


@pytest.mark.parametrize(("scheme", "number"), [(s, i) for s in registry.names("backends") for i in range(len(MADE.get(s, ())))])
def test_backend_does_what_all_must(scheme: str, number: int, tmp_path: Path) -> None:
    for library in NEEDS.get(scheme, ()):
        pytest.importorskip(library)
    name, shaped = MADE[scheme][number](tmp_path)
    check_backend(registry.get("backends", scheme)(), name, shaped)
