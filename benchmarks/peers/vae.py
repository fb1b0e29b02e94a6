"""Trains pythae's VAE on binary items as its trainer does; says how fast it was and how well it fits.

    PEERS_PYTHON benchmarks/peers/vae.py ITEMS.npz FOLDER BATCH EPOCHS RATE

ITEMS.npz holds train, valid and test, (n, numbers) of 0 and 1. pythae's own networks: one hidden layer of 512, 16 latent numbers, Bernoulli
numbers; torch's AdamW with a cosine schedule by epochs; the best epoch by validation is what counts. Needs pythae. Prints one JSON line: items
a second over the whole training (`samples_per_second`) and over its training epochs alone (`steps_only`); the mean one-draw bound of the test items in nats.
"""
from __future__ import annotations

import json
import logging
import sys
import time

import numpy as np
import torch
from pythae.data.datasets import BaseDataset
from pythae.models import VAE, VAEConfig
from pythae.trainers import BaseTrainer, BaseTrainerConfig
from torch import Tensor
from torch.nn import functional as F


class Timed(BaseTrainer):
    """The trainer, with a clock around its epochs."""

    spent = 0.0

    def train_step(self, epoch: int) -> float:
        began = time.perf_counter()
        loss = super().train_step(epoch)
        self.spent += time.perf_counter() - began
        return loss


@torch.no_grad()
def bound(model: VAE, x: Tensor) -> float:
    """Mean of log p(x | z) + log p(z) - log q(z | x), one draw of z an item."""
    code = model.encoder(x)
    noise = torch.randn_like(code.embedding)
    z = code.embedding + (0.5 * code.log_covariance).exp() * noise
    fits = -F.binary_cross_entropy(model.decoder(z).reconstruction, x, reduction="none").double().sum(1)
    return float((fits - 0.5 * z.double().square().sum(1) + 0.5 * (noise.square() + code.log_covariance).double().sum(1)).mean())


def main(file: str, folder: str, batch: int, epochs: int, rate: float) -> None:
    with np.load(file) as held:
        train, valid, test = (torch.from_numpy(held[k]).float() for k in ("train", "valid", "test"))
    model = VAE(VAEConfig(input_dim=(train.shape[1],), latent_dim=16, reconstruction_loss="bce"))
    how = BaseTrainerConfig(output_dir=folder, per_device_train_batch_size=batch, per_device_eval_batch_size=1024, num_epochs=epochs, learning_rate=rate, no_cuda=True, seed=0,
                            optimizer_cls="AdamW", optimizer_params={"betas": (0.9, 0.99), "weight_decay": 1e-3}, scheduler_cls="CosineAnnealingLR", scheduler_params={"T_max": epochs})
    trainer = Timed(model, BaseDataset(train, torch.ones(len(train))), BaseDataset(valid, torch.ones(len(valid))), how)
    began = time.perf_counter()
    trainer.train()
    whole, items = time.perf_counter() - began, epochs * len(train)
    torch.manual_seed(0)
    print(json.dumps({"samples_per_second": items / whole, "steps_only": items / trainer.spent, "bound": bound(trainer._best_model.eval(), test), "threads": torch.get_num_threads()}))


if __name__ == "__main__":
    if len(sys.argv) != 6:
        sys.exit("usage: vae.py ITEMS.npz FOLDER BATCH EPOCHS RATE")
    logging.disable(logging.WARNING)
    torch.manual_seed(0)
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4]), float(sys.argv[5]))
