"""Commands: pretrained models fetched, and what there is of them."""
from __future__ import annotations

from typing import Annotated

from cyclopts import Parameter

from ilk.commands._shared import SHELL, Json, say


def pull(
    address: Annotated[str, Parameter(help="scheme:name, such as gguf:smollm2-135m-instruct or hf:Qwen/Qwen2.5-0.5B-Instruct (ilk list models).")], /, *,
    json: Json = False,
) -> None:
    """Fetch a pretrained model's files, so that it opens offline from then on: weights as safetensors or GGUF, never code.

    Examples: `ilk pull hf:all-minilm-l6-v2`, `ilk pull ms:Qwen/Qwen2.5-0.5B-Instruct`.
    """
    from ilk.console.models import pull_command

    say(*pull_command(address, quiet=SHELL.as_json))


def list_models() -> None:
    """What `ilk list models` says."""
    from ilk.console.models import models_command

    say(*models_command())
