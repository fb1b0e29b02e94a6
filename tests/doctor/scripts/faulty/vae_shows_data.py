# fault: reconstructions_as_samples
import matplotlib.pyplot as plt
import torch
import torch.nn.functional as F
from torch import nn


class VAE(nn.Module):
    def __init__(self):
        super().__init__()
        self.e = nn.Linear(784, 400)
        self.mu, self.lv = nn.Linear(400, 20), nn.Linear(400, 20)
        self.d = nn.Sequential(nn.Linear(20, 400), nn.ReLU(), nn.Linear(400, 784))

    def forward(self, x):
        h = F.relu(self.e(x))
        mu, lv = self.mu(h), self.lv(h)
        z = mu + torch.randn_like(mu) * torch.exp(lv / 2)
        return self.d(z), mu, lv


def fit(model, loader):
    opt = torch.optim.Adam(model.parameters(), lr=1e-3)
    for x, _ in loader:
        x = x.flatten(1)
        out, mu, lv = model(x)
        loss = F.binary_cross_entropy_with_logits(out, x, reduction="sum") - 0.5 * torch.sum(1 + lv - mu * mu - lv.exp())
        opt.zero_grad(); loss.backward(); opt.step()


def show_generated(model, test_x):
    generated = torch.sigmoid(model(test_x)[0])
    for i in range(16):
        plt.subplot(4, 4, i + 1)
        plt.imshow(generated[i].detach().view(28, 28), cmap="gray")
    plt.savefig("generated.png")
