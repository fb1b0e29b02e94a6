"""Case 16, the engine's part: a prompt longer than the context is refused before a piece of an answer is there, with both numbers."""
from __future__ import annotations

from pathlib import Path

import pytest
from tests.serve._models import WORDS, pieces, running

import ilk
from ilk.errors import UsageError
from ilk.serve.engine.pool import Pool


@pytest.mark.slow
def test_longer_than_the_context(tmp_path: Path) -> None:
    model = ilk.fit(WORDS, ilk.Transformer(layers=1, heads=2, width=16, context=16), budget=ilk.Steps(3))
    model.save(tmp_path / "models" / "small.ilk")

    async def work(engine: Pool) -> None:
        for op, body in (("continue_", {"text": "the cat " * 9}), ("chat", {"turns": [{"role": "user", "parts": [{"words": "the cat " * 9}]}]})):
            with pytest.raises(UsageError) as why:
                await pieces(engine, "small", op, body)
            assert why.value.code == "CONTEXT" and "(n_prompt)" in str(why.value) and "16 tokens (n_ctx)" in str(why.value)
        assert (await pieces(engine, "small", "continue_", {"text": "the", "want": {"most": 3}}))[-1]["end"]["read"] == 3

    running(tmp_path, work)
