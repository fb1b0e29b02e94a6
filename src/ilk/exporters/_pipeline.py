"""Opens a folder of diffusers that holds a text-to-image pipeline of Stable Diffusion's shape: safetensors only, and no code but diffusers' own classes."""
from __future__ import annotations

from pathlib import Path
from typing import Any

from ilk.errors import ModelError, UsageError
from ilk.families._painting import Painted, Painter, Tokens, noise_levels
from ilk.lift import Same
from ilk.modalities._image_codecs import Pixels
from ilk.modalities.image import Image
from ilk.model import Model
from ilk.space import Reals
from ilk.store import parse_json

INDEX = "model_index.json"
PARTS = {"unet": ("diffusers", "UNet2DConditionModel"), "vae": ("diffusers", "AutoencoderKL"), "text_encoder": ("transformers", "CLIPTextModel"),
         "tokenizer": ("transformers", "CLIPTokenizer")}
ANSWERS = {"epsilon": "eps", "v_prediction": "v", "sample": "x0"}


def opened(at: Path) -> Model:
    """The pipeline as a model of pictures; ModelError for another one or a damaged one, UsageError where the libraries are missing."""
    index = _read(at / INDEX)
    for name, (library, kind) in PARTS.items():
        if (said := index.get(name)) != [library, kind]:
            raise ModelError(f"{at} is no pipeline that ilk can open: its {name} is {said}, not {kind} of {library}", code="FOREIGN")
    libraries = _libraries()
    made = {name: _part(libraries[library], kind, at / name) for name, (library, kind) in PARTS.items()}
    settings = _read(at / "scheduler" / "scheduler_config.json")
    steps = libraries["diffusers"].DDPMScheduler.from_config(settings)
    answer = settings.get("prediction_type", "epsilon")
    if answer not in ANSWERS:
        raise ModelError(f"{at}: its network answers {answer!r}, which ilk does not know", code="FOREIGN")
    family = Painter(predict=ANSWERS[answer], unet=made["unet"], vae=made["vae"], encoder=made["text_encoder"], tokens=Tokens(made["tokenizer"]),   # type: ignore[arg-type]
                     sigmas=noise_levels(steps.alphas_cumprod))
    return _model(family, at)


def _model(family: Painter, at: Path) -> Model:
    """Pictures in the size that the UNet was made for."""
    low = family.unet.config.sample_size
    low = (low, low) if isinstance(low, int) else tuple(low)
    larger = 2 ** (len(family.vae.config.block_out_channels) - 1)
    modality = Image(shape=(low[0] * larger, low[1] * larger, family.vae.config.out_channels))
    codec = Pixels(modality)
    body = Painted(family, Reals(codec.shape), Reals((family.unet.config.in_channels, *low)))
    return Model(modality, codec, Same(codec.space), body, card={"data": "unknown: weights of others", "source": at.name})


def _part(library: Any, kind: str, at: Path) -> Any:
    """One network or the tokenizer, from safetensors on this machine."""
    safe = {} if kind == "CLIPTokenizer" else {"use_safetensors": True}
    try:
        made = getattr(library, kind).from_pretrained(str(at), local_files_only=True, **safe)
    except (OSError, ValueError, KeyError, TypeError, RuntimeError) as why:
        raise ModelError(f"{at} can't be opened: {str(why).splitlines()[0][:200]}", code="FOREIGN", remedy="weights have to be there as safetensors") from None
    return made.eval().requires_grad_(False) if hasattr(made, "requires_grad_") else made


def _read(at: Path) -> dict[str, Any]:
    try:
        facts = parse_json(at.read_bytes(), at.name)
    except OSError as why:
        raise ModelError(f"{at} can't be read: {why.strerror}", code="UNREADABLE") from None
    if not isinstance(facts, dict):
        raise ModelError(f"{at} holds no settings", code="FOREIGN")
    return facts


def _libraries() -> dict[str, Any]:
    from importlib import import_module

    try:
        return {name: import_module(name) for name in ("diffusers", "transformers")}
    except ImportError as why:
        raise UsageError(f"{why.name} is not installed", code="EXTRA", remedy="pip install 'ilk[diffusers]'") from None
