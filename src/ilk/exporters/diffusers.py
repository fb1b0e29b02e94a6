"""diffusers: the UNet of a diffusion model, for UNet2DModel.from_pretrained(FOLDER, subfolder="unet")."""
from __future__ import annotations

import json
import os
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, cast

from torch import Tensor

from ilk import registry
from ilk.distribution import Port, describe
from ilk.errors import ModelError, ResourceError
from ilk.exporter import Exporter
from ilk.exporters._pipeline import INDEX, opened
from ilk.families._denoising import Denoising
from ilk.files import atomic, not_written
from ilk.model import Model, load, save
from ilk.nets._noise import ANSWERS
from ilk.nets.unet2d import UNet, UNet2D
from ilk.space import Discrete
from ilk.store import read_folder, tensors_from_bytes, tensors_to_bytes, write_folder

VERSION = "0.42.1"  # of diffusers: the one that the tests compare with
NET = "net."
WEIGHTS, REST = "diffusion_pytorch_model.safetensors", "rest.safetensors"
FORMULAS = {  # of ilk.nets._noise.ANSWERS: what the network is shown of x, and what its answer means
    "v": ("x / (1 + s**2)**0.5", "x / (1 + s**2) + s / (1 + s**2)**0.5 * inner"), "eps": ("x / (1 + s**2)**0.5", "x - s * inner"),
    "x0": ("x / (1 + s**2)**0.5", "inner"), "u": ("x / (1 + s)", "(x - s * inner) / (1 + s)")}
README = """# {family} of {modality}, for diffusers

```python
from diffusers import UNet2DModel
from safetensors.torch import load_file

unet = UNet2DModel.from_pretrained("{folder}", subfolder="unet")
rest = load_file("{folder}/rest.safetensors")
```

The network is the inner part of a denoiser: this is how to call it. Its time is a floating number that stands for a noise level, not a number of steps.

```python
import math
import torch
from torch.nn import functional as F

@torch.no_grad()
def denoise(x, sigma{classes}):
    # x = data + sigma * noise, (n, {shape}), and sigma (n,) -> the expected data, where data = (image - rest["center"]) / rest["scale"]
{code}
```
{labels}
`ilk.exporters.diffusers.Diffusers().read("{folder}")` is the model again, with the weights that `unet/` has by then.
"""


@dataclass(frozen=True)
class Diffusers(Exporter):
    """A folder: `unet/` as diffusers reads it, the rest as ilk does, and how to call it."""

    def refuses(self, model: Model) -> str | None:
        """Anything but a denoising UNet2D that knows one label at most, with nothing given."""
        body = model.body
        if not isinstance(body, Denoising) or not isinstance(body.net, UNet):
            return "writes diffusion models of images whose network is a UNet2D"
        if model.givens:
            return "can't write what is given to a model"
        if len(body.about) > 1 or not all(isinstance(s, Discrete) for s in body.about.values()):
            return f"can write one label as context, not {', '.join(f'{k} ({describe(s)})' for k, s in body.about.items())}"
        return None

    def write(self, model: Model, to: Path) -> list[Path]:
        """Writes beside the place first, then renames."""
        body = cast(Denoising, model.body)
        net = _net(body)
        weights, rest = _parted(body.state().tensors)
        unet = {"config.json": json.dumps(config_of(net.recipe, net.port), indent=2).encode(), WEIGHTS: tensors_to_bytes(weights)}
        readme = _readme(body, registry.name_of("modalities", model.modality), to.name)
        part = to.with_name(f".{to.name}.part")
        try:
            write_folder(part, {"ilk.json": _facts(model), "README.md": readme.encode("utf-8", "replace"), REST: tensors_to_bytes(rest)})
            for name, data in unet.items():
                with atomic(part / "unet" / name) as file:
                    file.write(data)
            os.replace(part, to)
        except OSError as why:
            raise why if isinstance(why, ResourceError) else not_written(to, why) from None
        finally:
            shutil.rmtree(part, ignore_errors=True)
        return sorted(p for p in to.rglob("*") if p.is_file())

    def read(self, at: str | Path) -> Model:
        """The model again, with the weights of `unet/`, which may have been trained on elsewhere; or a text-to-image pipeline of others."""
        if (Path(at) / INDEX).exists():
            return opened(Path(at))
        files = read_folder(at := Path(at), ("ilk.json", REST))
        weights = {NET + k: v for k, v in tensors_from_bytes(_bytes(at / "unet" / WEIGHTS), WEIGHTS).items()}
        with TemporaryDirectory() as folder:
            whole = tensors_to_bytes({**tensors_from_bytes(files[REST], REST), **weights})
            write_folder(Path(folder, "model"), {"ilk.json": files["ilk.json"], "model.safetensors": whole})
            return load(Path(folder, "model"))


def config_of(recipe: UNet2D, port: Port) -> dict[str, Any]:
    """The config of the UNet2DModel that has the weights of a UNet2D and says the same."""
    step = 2 ** (len(recipe.multiples) - 1)
    attends = [recipe.attends(i) for i in range(len(recipe.multiples))]
    return {
        "_class_name": "UNet2DModel", "_diffusers_version": VERSION,
        "sample_size": [size + -size % step for size in port.takes[1:]], "in_channels": port.takes[0], "out_channels": port.gives[0],
        "time_embedding_type": "positional", "flip_sin_to_cos": True, "freq_shift": 0, "num_class_embeds": port.about or None,
        "block_out_channels": list(recipe.channels), "layers_per_block": recipe.blocks, "dropout": recipe.dropout,
        "down_block_types": ["AttnDownBlock2D" if a else "DownBlock2D" for a in attends],
        "up_block_types": ["AttnUpBlock2D" if a else "UpBlock2D" for a in reversed(attends)],
        "attention_head_dim": recipe.head, "norm_num_groups": recipe.groups, "attn_norm_num_groups": recipe.groups, "norm_eps": 1e-5,
        "act_fn": "silu", "resnet_time_scale_shift": "scale_shift", "downsample_padding": 1}


def _parted(tensors: Mapping[str, Tensor]) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    """The tensors of the network, by diffusers' names, and the others."""
    mine = {k.removeprefix(NET): t for k, t in tensors.items() if k.startswith(NET)}
    return mine, {k: t for k, t in tensors.items() if not k.startswith(NET)}


def _facts(model: Model) -> bytes:
    with TemporaryDirectory() as folder:
        return (save(model, Path(folder, "model")) / "ilk.json").read_bytes()


def _readme(body: Denoising, modality: str, folder: str) -> str:
    """How to call the network."""
    port = _net(body).port
    labels = f"\nClass k is the k-th of `labels` in ilk.json, from 0; class {port.about - 1} stands for no label.\n" if port.about else ""
    return README.format(family=registry.name_of("families", body.family), modality=modality, folder=folder, code=_code(body), labels=labels,
                         classes=", classes" if port.about else "", shape=", ".join(map(str, body.shape)))


def _code(body: Denoising) -> str:
    """The lines that call the network, for people to copy."""
    net = _net(body)
    shown, meant = FORMULAS[next(k for k, a in ANSWERS.items() if a is body.answer)]
    high, wide = net.port.takes[1:]
    full = config_of(net.recipe, net.port)["sample_size"]
    filled, cut = (f"F.pad(inner, (0, {full[1] - wide}, 0, {full[0] - high}))", f"[..., :{high}, :{wide}]") if full != [high, wide] else ("inner", "")
    lines = ["s = sigma.reshape(-1, 1, 1, 1)", f"inner = {shown}"]
    lines += [f"inner = F.pixel_unshuffle(inner, {body.fold})"] if body.fold > 1 else []
    lines += [f"inner = unet({filled}, sigma.atan() * 2000 / math.pi{', class_labels=classes' if net.port.about else ''}).sample{cut}"]
    lines += [f"inner = F.pixel_shuffle(inner, {body.fold})"] if body.fold > 1 else []
    return "\n".join(f"    {line}" for line in [*lines, f"return {meant}"])


def _net(body: Denoising) -> UNet:
    """The network, which `refuses` has looked at."""
    return cast(UNet, body.net)


def _bytes(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as why:
        raise ModelError(f"{path} can't be read: {why.strerror}", code="UNREADABLE") from None
