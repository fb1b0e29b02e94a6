"""What is shown as generated is a reconstruction."""
from __future__ import annotations

import ast
from collections.abc import Iterator

from ._kl import kernel
from ._nets import NOISE
from ._script import Place, ScriptFault
from ._syntax import Function, tokens
from ._trees import Program

SHOWS = {"imshow", "save_image", "imsave", "plot_images", "make_grid", "show_images", "plot_samples", "show", "savefig", "plot"}
SAID = {"generate", "generated", "generation", "sample", "samples", "sampled", "new", "synthetic", "made"}
GRIDS = NOISE | {"linspace", "meshgrid", "ppf"}


class ReconstructionsAsSamples(ScriptFault):
    """A variational autoencoder judged by decode(encode(x)) alone."""

    why = "these pictures are the data seen through the network; they say nothing of what it makes from the prior"
    remedy = "decode z drawn from N(0, I): decoder(torch.randn(n, codes))"

    def places(self, code: Program) -> Iterator[Place]:
        """Where it is."""
        if not any(isinstance(n, ast.BinOp) and kernel(n) for n in code.all) or _from_prior(code):
            return
        for call in code.calls:
            if {code.tail(call)} & SHOWS or tokens(code.tail(call)) & {"plot", "show", "draw"}:
                for arg in call.args:
                    if _model_of_data(code, arg) and _claims(code, call):
                        yield call, ""


def _from_prior(code: Program) -> bool:
    """Whether anything is decoded from noise or a grid: outside the method that draws codes for training."""
    for call in code.calls:
        if code.tail(call) in GRIDS and not _training(code, call):
            return True
    return any(code.tail(c) in ("sample", "generate", "sample_prior") for c in code.calls)


def _training(code: Program, call: ast.Call) -> bool:
    """Within what computes the model's output: its forward pass, or a method that this calls."""
    scope = code.scope(call)
    if not isinstance(scope, Function):
        return False
    by = {getattr(code.scope(c), "name", "") for c in code.calls if code.tail(c) == scope.name}
    return bool({scope.name, *by} & {"forward", "call", "encode", "__call__", "train_step", "reparameterize", "loss"})


def _model_of_data(code: Program, arg: ast.expr) -> bool:
    """Whether a picture comes from a call of a model with data, rather than from the data alone."""
    return any(isinstance(n, ast.Call) and n.args and (tokens(code.tail(n)) & {"vae", "model", "autoencoder", "net", "predict", "decode", "decoder", "ae", "reconstruct"})
               for n in code.flow(arg))


def _claims(code: Program, call: ast.Call) -> bool:
    """Whether names, texts or comments near by say that they are new items."""
    lines = code.script.text.split("\n")
    near = "\n".join(lines[max(0, call.lineno - 6): (call.end_lineno or call.lineno) + 2]).lower()
    return bool(SAID & {t for w in near.replace("_", " ").split() for t in tokens(w)}) or "生成" in near
