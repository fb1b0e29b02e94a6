"""Pipelines of Stable Diffusion's shape, of tiny random weights that diffusers writes: opened, drawn from, edited, refused where they are unsafe."""
from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import ilk
from ilk.batch import Batch
from ilk.errors import ModelError, UsageError
from ilk.exporters._pipeline import PARTS
from ilk.exporters.diffusers import Diffusers
from ilk.families._painting import noise_levels
from ilk.rng import Rng

SCHEDULE = {"beta_start": 0.00085, "beta_end": 0.012, "beta_schedule": "scaled_linear", "num_train_timesteps": 1000}
INDEX = {name: [library, kind] for name, (library, kind) in PARTS.items()}


def written(at: Path, predict: str = "epsilon") -> Path:
    """A pipeline with an untrained network of every sort."""
    diffusers, transformers = pytest.importorskip("diffusers"), pytest.importorskip("transformers")
    with Rng(0).as_global():
        unet = diffusers.UNet2DConditionModel(sample_size=8, in_channels=4, out_channels=4, layers_per_block=1, block_out_channels=(8, 16), cross_attention_dim=16,
                                              down_block_types=("DownBlock2D", "CrossAttnDownBlock2D"), up_block_types=("CrossAttnUpBlock2D", "UpBlock2D"),
                                              attention_head_dim=4, norm_num_groups=4)
        vae = diffusers.AutoencoderKL(block_out_channels=(8, 8), down_block_types=("DownEncoderBlock2D",) * 2, up_block_types=("UpDecoderBlock2D",) * 2,
                                      latent_channels=4, norm_num_groups=4, layers_per_block=1)
        text = transformers.CLIPTextModel(transformers.CLIPTextConfig(vocab_size=40, hidden_size=16, intermediate_size=32, num_hidden_layers=1, num_attention_heads=2,
                                                                      max_position_embeddings=12, bos_token_id=38, eos_token_id=39))
    unet.save_pretrained(at / "unet")
    vae.save_pretrained(at / "vae")
    text.save_pretrained(at / "text_encoder")
    letters = "abcdefghijklmnopqr"
    words = [*letters, *(f"{c}</w>" for c in letters), "!", "!</w>", "<|startoftext|>", "<|endoftext|>"]
    (at / "tokenizer").mkdir()
    (at / "tokenizer" / "vocab.json").write_text(json.dumps({w: i for i, w in enumerate(words)}))
    (at / "tokenizer" / "merges.txt").write_text("#version: 0.2\n")
    settings = {"model_max_length": 12, "bos_token": "<|startoftext|>", "eos_token": "<|endoftext|>", "pad_token": "<|endoftext|>", "unk_token": "<|endoftext|>"}
    (at / "tokenizer" / "tokenizer_config.json").write_text(json.dumps({**settings, "tokenizer_class": "CLIPTokenizer"}))
    diffusers.DDIMScheduler(**SCHEDULE, prediction_type=predict).save_pretrained(at / "scheduler")
    (at / "model_index.json").write_text(json.dumps({"_class_name": "StableDiffusionPipeline", **INDEX, "scheduler": ["diffusers", "DDIMScheduler"]}))
    return at


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return written(tmp_path_factory.mktemp("pipeline"))


@pytest.fixture(scope="module")
def model(folder: Path) -> ilk.Model:
    return Diffusers().read(folder)


FAST = ilk.DPMSolver(steps=3)


def test_prompts_guidance_and_seeds(model: ilk.Model) -> None:
    asked = model.given(ilk.Prompt("a bad cab"))
    items = asked.sample(2, seed=3, how=FAST)
    assert items.shape == (2, 16, 16, 3) and items.dtype == np.uint8
    assert np.array_equal(items, asked.sample(2, seed=3, how=FAST)) and np.array_equal(items[:1], asked.sample(1, seed=3, how=FAST))
    assert not np.array_equal(items, model.given(ilk.Prompt("go")).sample(2, seed=3, how=FAST))
    assert not np.array_equal(items, asked.sample(2, seed=3, how=ilk.DPMSolver(steps=3, guidance=1.0)))
    assert np.array_equal(model.sample(1, seed=3, how=FAST), asked.sample(1, seed=3, how=ilk.DPMSolver(steps=3, guidance=0.0)))
    assert np.array_equal(model.given(ilk.Prompt("zzz")).sample(1, seed=3, how=FAST).shape, (1, 16, 16, 3))   # no word is unknown


def test_inpainting_keeps_the_rest_to_the_bit(model: ilk.Model) -> None:
    picture = np.random.default_rng(0).integers(0, 256, (1, 16, 16, 3), dtype=np.uint8)
    made = model.given(ilk.Prompt("bead")).edit(picture, ilk.box(4, 4, 12, 12), n=2, how=FAST)
    outside = np.ones((16, 16), dtype=bool)
    outside[4:12, 4:12] = False
    assert np.array_equal(made[:, outside], np.repeat(picture[:, outside], 2, 0))
    assert not np.array_equal(made[0, 4:12, 4:12], made[1, 4:12, 4:12])
    assert model.given(ilk.Prompt("bead")).given({"0,0,0": 3}).met.met.sort == "guided"


def test_codes_lead_back(model: ilk.Model) -> None:
    made = model.sample(1, seed=1, how=FAST)
    near, same = ilk.vary(model, made, 0.1, seed=2), ilk.vary(model, made, 0.0, seed=2)
    assert near.shape == same.shape == made.shape
    latents = model.body.through
    z = Batch(Rng(5).normal(1, *latents.space.shape))
    assert float((latents.decode(latents.encode(z)).tensor - z.tensor).abs().mean()) < 0.05


@pytest.mark.parametrize("predict", ["epsilon", "v_prediction", "sample"])
def test_the_expected_data_are_those_of_diffusers(tmp_path: Path, predict: str) -> None:
    diffusers = pytest.importorskip("diffusers")
    found = Diffusers().read(written(tmp_path / "p", predict))
    latents, scheduler = found.body.through, diffusers.DDIMScheduler(**SCHEDULE, prediction_type=predict, clip_sample=False)
    told: Any = {"caption": found.vocabulary.batch(["a cab", "no"])}   # type: ignore[union-attr]
    words = latents.context.said(told, 2)[0]
    for step in (5, 400, 980):
        noisy = Rng(1).normal(2, *latents.space.shape).float()
        alpha = scheduler.alphas_cumprod[step]
        sigma = ((1 - alpha) / alpha).sqrt().double()
        with torch.no_grad():
            said = latents.net(noisy, step, encoder_hidden_states=words).sample
            mine = latents.denoise(noisy.double() / alpha.double().sqrt(), sigma.expand(2), told)
        theirs = scheduler.set_timesteps(1000) or scheduler.step(said, step, noisy).pred_original_sample
        torch.testing.assert_close(mine.float(), theirs, atol=2e-4, rtol=2e-4)


def test_the_whole_way_is_that_of_diffusers(model: ilk.Model, folder: Path) -> None:
    """Euler's steps from the same noise, with guidance, by diffusers' own pipeline."""
    diffusers = pytest.importorskip("diffusers")
    parts = {name: getattr(pytest.importorskip(library), kind).from_pretrained(str(folder / name)) for name, (library, kind) in PARTS.items()}
    scheduler = diffusers.EulerDiscreteScheduler(**SCHEDULE, timestep_spacing="linspace")
    pipe = diffusers.StableDiffusionPipeline(**parts, scheduler=scheduler, safety_checker=None, feature_extractor=None, requires_safety_checker=False)
    pipe.set_progress_bar_config(disable=True)
    scheduler.set_timesteps(6)
    sigmas, body = scheduler.sigmas.tolist(), model.body
    noise = Rng(2).normal(1, *body.through.space.shape).float()
    theirs = pipe("a cab", num_inference_steps=6, guidance_scale=3.0, latents=noise, output_type="latent").images
    context = {"caption": model.vocabulary.batch(["a cab"])}   # type: ignore[union-attr]
    with torch.no_grad():
        *_, mine = ilk.Euler(steps=6).states(body.through.guided(context, 3.0), noise * scheduler.init_noise_sigma, sigmas, lambda i: noise)
    torch.testing.assert_close(mine.float(), theirs, atol=2e-3, rtol=2e-3)


def test_levels_are_those_of_the_schedule() -> None:
    alphas = torch.linspace(0.999, 0.0, 10)
    sigmas = noise_levels(alphas)
    assert len(sigmas) == 9 and bool((sigmas.diff() > 0).all())
    torch.testing.assert_close(1 / (1 + sigmas**2), alphas[:9].double())


def test_what_it_refuses(model: ilk.Model, folder: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="stays in its own folder"):
        model.save(tmp_path / "m")
    other = tmp_path / "other"
    shutil.copytree(folder, other)
    facts = json.loads((other / "model_index.json").read_text())
    (other / "model_index.json").write_text(json.dumps({**facts, "unet": ["my_code", "MyUNet"]}))
    with pytest.raises(ModelError, match=r"its unet is \['my_code', 'MyUNet'\], not UNet2DConditionModel of diffusers"):
        Diffusers().read(other)
    (other / "model_index.json").write_text(json.dumps(facts))
    weights = other / "unet" / "diffusion_pytorch_model.safetensors"
    weights.rename(weights.with_suffix(".bin"))
    with pytest.raises(ModelError, match="can't be opened"):
        Diffusers().read(other)
    (other / "scheduler" / "scheduler_config.json").write_text("[]")
    weights.with_suffix(".bin").rename(weights)
    with pytest.raises(ModelError, match="holds no settings"):
        Diffusers().read(other)


def test_without_the_libraries_it_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import sys

    (tmp_path / "model_index.json").write_text(json.dumps(INDEX))
    monkeypatch.setitem(sys.modules, "diffusers", None)
    with pytest.raises(UsageError, match="diffusers is not installed") as caught:
        Diffusers().read(tmp_path)
    assert "ilk[diffusers]" in (caught.value.remedy or "")
