# fault: no_zero_grad, generator_sign
import torch
from torch import nn

BATCH, LATENT = 128, 20
generator = nn.Sequential(nn.Linear(LATENT, 40), nn.ReLU(), nn.Linear(40, 2))
critic = nn.Sequential(nn.Linear(2, 40), nn.ReLU(), nn.Linear(40, 1), nn.Sigmoid())
bce = nn.BCELoss()
gen_optimizer = torch.optim.Adam(generator.parameters())
critic_optimizer = torch.optim.Adam(critic.parameters())


def real_points(n):
    angle = 2 * torch.pi * torch.rand(n)
    return torch.stack((torch.sin(angle), torch.cos(angle)), dim=1)


for round_ in range(2000):
    truth = critic(real_points(BATCH))
    lies = critic(generator(torch.randn(BATCH, LATENT)).detach())
    critic_loss = bce(truth, torch.ones_like(truth)) + bce(lies, torch.zeros_like(lies))
    critic_loss.backward()
    critic_optimizer.step()
    lies = critic(generator(torch.randn(BATCH, LATENT)))
    generator_loss = bce(lies, torch.zeros_like(lies))
    generator_loss.backward()
    gen_optimizer.step()
