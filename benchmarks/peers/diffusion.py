"""Trains diffusers' UNet2DModel for some seconds by the loop of its example of unconditional generation, and writes pictures made by several samplers.

    PEERS_PYTHON benchmarks/peers/diffusion.py PICTURES.npy SECONDS COUNT FOLDER SEED

PICTURES.npy holds bytes, (n, height, width, 1). The example's settings: noise predicted over 1,000 linear steps, AdamW at 1e-4, warm-up of 500 steps
and then half a cosine (by the clock, so that it ends with the time), gradients clipped at 1, averaged weights. The network is the one that ilk trains
beside it, on whole pictures. Each batch size gets SECONDS of its own: 16, the example's default, and 64. Left out, in its favour: the loading of data,
logging and checkpoints. Pictures are made in 50 steps. Needs diffusers. Writes COUNT pictures a way to FOLDER/WAY.npy, and prints a JSON line for each way.
"""
from __future__ import annotations

import json
import sys
import time
from math import cos, pi
from pathlib import Path
from typing import Any

import numpy as np
import torch
from diffusers import DDIMScheduler, DDPMScheduler, DPMSolverMultistepScheduler, UNet2DModel
from diffusers.training_utils import EMAModel
from torch import Tensor
from torch.nn import functional as F

BATCHES, STEPS, WARM, CHUNK = (16, 64), 50, 500, 250
WAYS: dict[str, Any] = {"ddim": DDIMScheduler, "dpm_solver": DPMSolverMultistepScheduler}


def network(x: Tensor) -> UNet2DModel:
    return UNet2DModel(sample_size=tuple(x.shape[2:]), in_channels=1, out_channels=1, block_out_channels=(32, 64), layers_per_block=1, norm_num_groups=8, attn_norm_num_groups=8, attention_head_dim=32,
                       down_block_types=("DownBlock2D", "DownBlock2D"), up_block_types=("UpBlock2D", "UpBlock2D"), resnet_time_scale_shift="scale_shift")


def trained(x: Tensor, batch: int, seconds: float) -> tuple[UNet2DModel, int, float]:
    """The network with its averaged weights, how many steps it took, and the mean loss of the last hundred."""
    net, noising = network(x), DDPMScheduler(num_train_timesteps=1000, beta_schedule="linear")
    optimiser = torch.optim.AdamW(net.parameters(), lr=1e-4, betas=(0.95, 0.999), weight_decay=1e-6, eps=1e-8)
    ema = EMAModel(net.parameters(), decay=0.9999, use_ema_warmup=True, inv_gamma=1.0, power=0.75, model_cls=UNet2DModel, model_config=net.config)
    losses: list[float] = []
    order = torch.randperm(len(x))
    began = time.monotonic()
    while (spent := time.monotonic() - began) < seconds:
        at = len(losses) % (len(x) // batch) * batch
        if at == 0:
            order = torch.randperm(len(x))
        clean = x[order[at:at + batch]]
        noise, when = torch.randn_like(clean), torch.randint(0, 1000, (batch,))
        loss = F.mse_loss(net(noising.add_noise(clean, noise, when), when).sample, noise)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(net.parameters(), 1.0)
        for group in optimiser.param_groups:
            group["lr"] = 1e-4 * min(1.0, len(losses) / WARM) * 0.5 * (1 + cos(pi * spent / seconds))
        optimiser.step()
        optimiser.zero_grad()
        ema.step(net.parameters())
        losses.append(loss.item())
    ema.copy_to(net.parameters())
    return net.eval(), len(losses), float(np.mean(losses[-100:]))


@torch.no_grad()
def made(net: UNet2DModel, way: str, shape: tuple[int, ...]) -> np.ndarray[Any, Any]:
    """Pictures, as the pipelines make them."""
    sampler = WAYS[way].from_config(DDPMScheduler(num_train_timesteps=1000, beta_schedule="linear").config)
    sampler.set_timesteps(STEPS)
    x = torch.randn(shape)
    for when in sampler.timesteps:
        x = sampler.step(net(x, when).sample, when, x).prev_sample
    pixels: np.ndarray[Any, Any] = ((x / 2 + 0.5).clamp(0, 1) * 255).round().byte().permute(0, 2, 3, 1).numpy()
    return pixels


def main(file: str, seconds: float, count: int, folder: str, seed: int) -> None:
    x = torch.from_numpy(np.load(file)).permute(0, 3, 1, 2).float() / 127.5 - 1
    for batch in BATCHES:
        torch.manual_seed(seed)
        net, steps, loss = trained(x, batch, seconds)
        for way in WAYS:
            torch.manual_seed(seed)
            pictures = np.concatenate([made(net, way, (min(CHUNK, count - i), *x.shape[1:])) for i in range(0, count, CHUNK)])
            np.save(Path(folder) / f"{way}_{batch}.npy", pictures)
            print(json.dumps({"way": f"{way}_{batch}", "steps": steps, "loss": loss, "threads": torch.get_num_threads()}), flush=True)


if __name__ == "__main__":
    if len(sys.argv) != 6:
        sys.exit("usage: diffusion.py PICTURES.npy SECONDS COUNT FOLDER SEED")
    main(sys.argv[1], float(sys.argv[2]), int(sys.argv[3]), sys.argv[4], int(sys.argv[5]))
