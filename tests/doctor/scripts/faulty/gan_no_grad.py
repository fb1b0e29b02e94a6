# fault: detached_generator
import torch
from torch import nn

class Trainer:
    def __init__(self, G, D, lr=2e-4):
        self.G, self.D = G, D
        self.opt_g = torch.optim.Adam(G.parameters(), lr, betas=(0.5, 0.999))
        self.opt_d = torch.optim.Adam(D.parameters(), lr, betas=(0.5, 0.999))
        self.bce = nn.BCEWithLogitsLoss()

    def step(self, real):
        n = real.size(0)
        ones, zeros = torch.ones(n, 1), torch.zeros(n, 1)
        z = torch.randn(n, 64)
        with torch.no_grad():
            fake = self.G(z)
        self.opt_d.zero_grad()
        loss_d = self.bce(self.D(real), ones) + self.bce(self.D(fake), zeros)
        loss_d.backward()
        self.opt_d.step()
        self.opt_g.zero_grad()
        loss_g = self.bce(self.D(fake), ones)
        loss_g.backward()
        self.opt_g.step()
        return loss_d.item(), loss_g.item()
