# fault: untrusted_pickle
import urllib.request
from pathlib import Path

import torch
from torch import nn

URL = "https://example.org/models/generator.pt"
FILE = Path("generator.pt")


def build():
    return nn.Sequential(nn.Linear(128, 256), nn.ReLU(), nn.Linear(256, 784), nn.Tanh())


def pretrained():
    if not FILE.exists():
        urllib.request.urlretrieve(URL, FILE)
    net = build()
    net.load_state_dict(torch.load(FILE, map_location="cpu", weights_only=False))
    return net.eval()
