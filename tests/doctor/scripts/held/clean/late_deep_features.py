import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.data import DataLoader
from torchmetrics.image.fid import FrechetInceptionDistance
from torchvision import datasets, transforms

real = DataLoader(datasets.CIFAR10("data", train=True, transform=transforms.ToTensor()), batch_size=100)


def judge(netG, n=10000, nz=128):
    fid = FrechetInceptionDistance(normalize=True)
    netG.eval()
    with torch.no_grad():
        for x, _ in real:
            fid.update(x, real=True)
        for _ in range(n // 100):
            fake = netG(torch.randn(100, nz))
            fid.update(fake * 0.5 + 0.5, real=False)
    return fid.compute().item()


class NetG(nn.Module):
    def __init__(self, nz=128):
        super().__init__()
        self.fc = nn.Linear(nz, 256 * 16)
        self.up1 = nn.ConvTranspose2d(256, 128, 4, 2, 1)
        self.up2 = nn.ConvTranspose2d(128, 64, 4, 2, 1)
        self.up3 = nn.ConvTranspose2d(64, 3, 4, 2, 1)

    def forward(self, z):
        h = F.relu(self.fc(z).view(-1, 256, 4, 4))
        return torch.tanh(self.up3(F.relu(self.up2(F.relu(self.up1(h))))))


netG = NetG()
netG.load_state_dict(torch.load("netG.pt", weights_only=True))
print(judge(netG))
