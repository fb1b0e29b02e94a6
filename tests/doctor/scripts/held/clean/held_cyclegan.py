import itertools

import torch
from torch import nn


class CycleGAN:
    def __init__(self, make_g, make_d, lr=2e-4):
        self.G_AB, self.G_BA = make_g(), make_g()
        self.D_A, self.D_B = make_d(), make_d()
        self.opt_G = torch.optim.Adam(itertools.chain(self.G_AB.parameters(), self.G_BA.parameters()), lr=lr, betas=(0.5, 0.999))
        self.opt_D = torch.optim.Adam(itertools.chain(self.D_A.parameters(), self.D_B.parameters()), lr=lr, betas=(0.5, 0.999))
        self.gan, self.l1 = nn.MSELoss(), nn.L1Loss()

    def step(self, a, b):
        fake_b, fake_a = self.G_AB(a), self.G_BA(b)
        pred_b, pred_a = self.D_B(fake_b), self.D_A(fake_a)
        loss_G = self.gan(pred_b, torch.ones_like(pred_b)) + self.gan(pred_a, torch.ones_like(pred_a))
        loss_G = loss_G + 10 * (self.l1(self.G_BA(fake_b), a) + self.l1(self.G_AB(fake_a), b))
        self.opt_G.zero_grad()
        loss_G.backward()
        self.opt_G.step()

        loss_D = 0
        for D, real, fake in ((self.D_A, a, fake_a), (self.D_B, b, fake_b)):
            out_real, out_fake = D(real), D(fake.detach())
            loss_D = loss_D + 0.5 * (self.gan(out_real, torch.ones_like(out_real)) + self.gan(out_fake, torch.zeros_like(out_fake)))
        self.opt_D.zero_grad()
        loss_D.backward()
        self.opt_D.step()
        return loss_G.item(), loss_D.item()
