"""`ilk pull` and `ilk list models`."""
from __future__ import annotations

import json
from pathlib import Path

import pytest

from ilk.cli import main

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
