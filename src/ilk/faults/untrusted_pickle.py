"""A pickle from elsewhere is opened."""
from __future__ import annotations

import ast
from collections.abc import Iterator

from ._script import Place, ScriptFault
from ._syntax import constant, keyword
from ._trees import Program

FETCHED = {"urlretrieve", "urlopen", "hf_hub_download", "snapshot_download", "wget", "gdown", "download_url", "urllib", "requests", "cached_download", "curl",
           "load_state_dict_from_url"}
OPENS = {"torch.load", "pickle.load", "pickle.loads", "joblib.load", "dill.load", "cloudpickle.load", "pandas.read_pickle"}


class UntrustedPickle(ScriptFault):
    """torch.load(..., weights_only=False), or a pickle that was downloaded."""

    why = "a pickle runs whatever code its author put into it as soon as it is opened"
    remedy = "torch.load(..., weights_only=True), or safetensors; never a pickle from elsewhere"

    def places(self, code: Program) -> Iterator[Place]:
        """Where it is."""
        fetched = bool(FETCHED & (code.words | {p.split(".")[0] for p in code.imports.values()}))
        for call in code.calls:
            path = code.path(call.func)
            only = constant(keyword(call, "weights_only"))
            if path in OPENS and ((path == "torch.load" and only is False)
                                  or (fetched and only is not True and not (path == "torch.load" and only is None and not _own(code, call)))):
                yield call, path


def _own(code: Program, call: ast.Call) -> bool:
    """Whether what is opened comes from a call that fetches."""
    return bool(call.args) and any(isinstance(n, ast.Call) and code.tail(n) in FETCHED for n in code.flow(call.args[0]))
