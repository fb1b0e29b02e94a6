# fault: misnamed_loss
import torch
import torch.nn.functional as F
from torch import nn

enc = nn.Sequential(nn.Linear(784, 128), nn.ReLU(), nn.Linear(128, 16))
dec = nn.Sequential(nn.Linear(16, 128), nn.ReLU(), nn.Linear(128, 784), nn.Sigmoid())
opt = torch.optim.Adam([*enc.parameters(), *dec.parameters()], lr=1e-3)


def train(loader):
    for x, _ in loader:
        x = x.flatten(1)
        recon = dec(enc(x))
        cross_entropy_loss = F.mse_loss(recon, x)
        opt.zero_grad()
        cross_entropy_loss.backward()
        opt.step()
    return cross_entropy_loss.item()
