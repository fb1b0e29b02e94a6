"""hf: a model of transformers, by the path of its folder (or GGUF file), a name that ilk knows, or its name on Hugging Face."""
from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

from annotated_types import Interval

from ..backend import Backend
from ..catalogue import PRETRAINED, names, pretrained
from ..chat import Chat, Embeds
from ..errors import UsageError, nearest

FILES = ("*.json", "*.safetensors", "*.txt", "*.model", "*.jinja")   # what is fetched of a model: never pickles, never code
_NAME = re.compile(r"[\w.-]{1,96}/[\w.-]{1,96}")


@dataclass(frozen=True, kw_only=True)
class HF(Backend):
    """Decoders answer, go on, weigh and count; encoders make vectors. Weights are read from safetensors only, and no code of a model is ever run.

    `window` makes the model's own window smaller; `revision` is a branch, tag or commit on Hugging Face. HF_ENDPOINT names a mirror, HF_HUB_OFFLINE=1 stays offline.
    """

    precision: Literal["float32", "bfloat16", "float16"] = "float32"
    device: str = "cpu"
    window: Annotated[int, Interval(ge=2)] | None = None
    revision: str = "main"

    def names(self) -> Sequence[str]:
        """Those that come from a package registry; any other stands as owner/name."""
        return names(PRETRAINED)

    def open(self, name: str) -> Chat | Embeds:
        """A decoder, or an encoder."""
        from ._folder import opened

        return opened(f"hf:{name}", self.pull(name), self.precision, self.device, self.window)

    def pull(self, name: str) -> Path:
        """The folder; what is not on this machine is fetched."""
        from ._folder import dequantised

        at = Path(name).expanduser()
        if name and at.is_dir():
            return at
        if at.suffix == ".gguf" and at.is_file():
            return dequantised(at)
        if name in self.names():
            found = pretrained(name)
            return next((dequantised(f) for f in sorted(found.glob("*.gguf"))), found)
        if not _NAME.fullmatch(name):
            raise UsageError(f"there is no folder and no model {name[:80]!r}", code="UNKNOWN_MODEL", param="model",
                             remedy=f"a path, or owner/name as on Hugging Face; {nearest(name, self.names())}")
        return _fetched(name, self.revision)


def _fetched(name: str, revision: str) -> Path:
    try:
        from huggingface_hub import errors, snapshot_download
    except ImportError:
        raise UsageError("models are fetched with the library huggingface_hub, which is not installed", code="MISSING_EXTRA", param="model",
                         remedy='pip install "ilk[hf]"') from None
    try:
        return Path(snapshot_download(name, revision=revision, allow_patterns=list(FILES)))
    except (errors.GatedRepoError, errors.RepositoryNotFoundError) as why:
        raise UsageError(f"Hugging Face gives no {name} ({type(why).__name__}): there is none, or it needs a licence accepted and HF_TOKEN set",
                         code="UNKNOWN_MODEL", param="model", remedy="look at its page on Hugging Face") from None
    except (errors.HfHubHTTPError, errors.LocalEntryNotFoundError, errors.OfflineModeIsEnabled, OSError, ValueError) as why:
        raise UsageError(f"{name} is not on this machine and can't be fetched ({type(why).__name__}: {' '.join(str(why).split())[:120]})", code="OFFLINE", param="model",
                         remedy="fetch it when online (`ilk pull`), name a mirror in HF_ENDPOINT, or give the path of a folder") from None
