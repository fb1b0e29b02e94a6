# fault: shared_optimizer
import itertools

import torch
import torch.nn.functional as F


def adversarial(generator, discriminator, loader, dim=100):
    opt = torch.optim.Adam(itertools.chain(generator.parameters(), discriminator.parameters()), lr=2e-4, betas=(0.5, 0.999))
    for x, _ in loader:
        z = torch.randn(x.size(0), dim)
        fake = generator(z)
        opt.zero_grad()
        d_loss = F.softplus(-discriminator(x)).mean() + F.softplus(discriminator(fake.detach())).mean()
        d_loss.backward()
        opt.step()
        opt.zero_grad()
        g_loss = F.softplus(-discriminator(fake)).mean()
        g_loss.backward()
        opt.step()
    return generator
