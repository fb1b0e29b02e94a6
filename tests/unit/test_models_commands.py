"""`ilk pull` and `ilk list models`."""
from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from pathlib import Path

import pytest

from ilk.catalogue import PRETRAINED, File, Source, entry, fetching, names
from ilk.cli import main
from ilk.errors import UsageError

from ..contract.test_backends import small


def answer(capsys: pytest.CaptureFixture[str], *words: object) -> tuple[int, dict[str, object]]:
    capsys.readouterr()
    code = main([*map(str, words), "--json"])
    return code, json.loads(capsys.readouterr().out)


def test_list_models(capsys: pytest.CaptureFixture[str]) -> None:
    code, told = answer(capsys, "list", "models")
    rows = {r["address"]: r for r in told["models"]}   # type: ignore[attr-defined, index]
    assert code == 0 and rows["gguf:smollm2-135m-instruct"]["language"] == "English" and rows["gguf:smollm2-135m-instruct"]["default"]
    assert rows["hf:all-minilm-l6-v2"]["licence"] == "Apache-2.0" and rows["hf:all-minilm-l6-v2"]["bytes"] == 91567258
    assert main(["list", "models"]) == 0
    said = capsys.readouterr().out
    assert "speaks English" in said and "ilk pull hf:Qwen/Qwen2.5-0.5B-Instruct" in said and "echo: no model at all" in said


def test_pull(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    at = small.lines(tmp_path / "lines.ilk")
    code, told = answer(capsys, "pull", f"local:{at}")
    assert code == 0 and told["at"] == str(at) and told["bytes"] == sum(f.stat().st_size for f in at.iterdir())
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    for address, wrong in (("echo:hello", "PULL"), ("nowhere:x", "UNKNOWN_BACKENDS"), ("hello", "ADDRESS"), ("hf:nope", "UNKNOWN_MODEL"), ("gguf:nope?windo=3", "OPTION"),
                           ("hf:some/thing", "OFFLINE")):
        code, told = answer(capsys, "pull", address)
        assert code == 2 and told["error"]["code"] == wrong, address   # type: ignore[index]


def test_entries_of_models_say_all_that_people_ask() -> None:
    for name in names(PRETRAINED):
        said = entry(name, PRETRAINED)
        assert said.language and said.size > 1e6 and said.licence and said.summary_zh and len(said.files[0].sha256) == 64 and all(s.version for s in said.sources)
    with pytest.raises(UsageError, match="no model named"):
        entry("smollm", PRETRAINED)


def test_an_installed_package_serves_only_what_is_pinned(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Found without running its code; another content under the same name is passed over, and so is one that is not there."""
    package = tmp_path / "some_weights_of_mine"
    package.mkdir()
    (package / "__init__.py").write_text("raise RuntimeError('imported')")
    (package / "w.gguf").write_bytes(b"weights")
    monkeypatch.syspath_prepend(tmp_path)
    source = Source("pip", "some-weights", "1.0", "some_weights_of_mine/{name}")
    good, other = File("m/w.gguf", hashlib.sha256(b"weights").hexdigest()), File("m/w.gguf", hashlib.sha256(b"other").hexdigest())
    assert fetching._installed(source, good) == package / "w.gguf" and fetching._installed(source, other) is None
    assert fetching._installed(replace(source, at="no_such_package_at_all/{name}"), good) is None
