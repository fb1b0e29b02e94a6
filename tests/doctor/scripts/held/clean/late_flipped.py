"""Labels flipped on both sides, which is a known trick."""
import torch
import torch.nn.functional as F


def losses(netD, real, fake):
    ones, zeros = torch.ones(len(real), 1), torch.zeros(len(real), 1)
    d = F.binary_cross_entropy_with_logits(netD(real), zeros) + F.binary_cross_entropy_with_logits(netD(fake.detach()), ones)
    g = F.binary_cross_entropy_with_logits(netD(fake), zeros)
    return d, g


def fit(netG, netD, loader, nz=64):
    optG = torch.optim.Adam(netG.parameters(), lr=1e-4, betas=(0.0, 0.99))
    optD = torch.optim.Adam(netD.parameters(), lr=1e-4, betas=(0.0, 0.99))
    for real, _ in loader:
        fake = netG(torch.randn(len(real), nz))
        errD, errG = losses(netD, real, fake)
        optG.zero_grad()
        errG.backward(retain_graph=True)
        optG.step()
        optD.zero_grad()
        losses(netD, real, fake)[0].backward()
        optD.step()
    return netG
