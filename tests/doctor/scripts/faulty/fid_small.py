# fault: few_fid_samples
import torch
from torchmetrics.image.fid import FrechetInceptionDistance


def judge(generator, test_loader, z_dim=128):
    fid = FrechetInceptionDistance(feature=2048, normalize=True)
    for x, _ in test_loader:
        fid.update(x, real=True)
    generator.eval()
    n_samples = 500
    with torch.no_grad():
        z = torch.randn(n_samples, z_dim)
        made = (generator(z) + 1) / 2
    fid.update(made, real=False)
    return fid.compute().item()


def compare(generators, loader):
    for name, g in generators.items():
        print(name, judge(g, loader))
