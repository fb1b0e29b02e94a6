# fault: range_mismatch
import torch
from torch import nn
from torch.utils.data import DataLoader
from torchvision import datasets, transforms

tfm = transforms.Compose([transforms.Resize(64), transforms.CenterCrop(64), transforms.ToTensor()])
faces = DataLoader(datasets.ImageFolder("celeba", tfm), batch_size=128, shuffle=True)


class Decoder(nn.Module):
    def __init__(self, z=128):
        super().__init__()
        self.fc = nn.Linear(z, 256 * 8 * 8)
        self.up = nn.Sequential(
            nn.ConvTranspose2d(256, 128, 4, 2, 1), nn.ReLU(),
            nn.ConvTranspose2d(128, 64, 4, 2, 1), nn.ReLU(),
            nn.ConvTranspose2d(64, 3, 4, 2, 1), nn.Tanh())

    def forward(self, z):
        return self.up(self.fc(z).view(-1, 256, 8, 8))


encoder = nn.Sequential(nn.Conv2d(3, 64, 4, 2, 1), nn.ReLU(), nn.Conv2d(64, 128, 4, 2, 1), nn.ReLU(), nn.Flatten(), nn.Linear(128 * 256, 128))
decoder = Decoder()
opt = torch.optim.Adam([*encoder.parameters(), *decoder.parameters()], lr=2e-4)
for x, _ in faces:
    loss = nn.functional.mse_loss(decoder(encoder(x)), x)
    opt.zero_grad()
    loss.backward()
    opt.step()
