# fault: swapped_labels
import torch, torch.nn as nn
from torchvision import datasets, transforms

tf = transforms.Compose([transforms.ToTensor(), transforms.Normalize([0.5], [0.5])])
loader = torch.utils.data.DataLoader(datasets.FashionMNIST(".", train=True, download=True, transform=tf), batch_size=64, shuffle=True)
gen = nn.Sequential(nn.Linear(64, 256), nn.LeakyReLU(0.2), nn.Linear(256, 784), nn.Tanh())
disc = nn.Sequential(nn.Linear(784, 256), nn.LeakyReLU(0.2), nn.Linear(256, 1), nn.Sigmoid())
loss_fn = nn.BCELoss()
opt_gen = torch.optim.Adam(gen.parameters(), lr=3e-4)
opt_disc = torch.optim.Adam(disc.parameters(), lr=3e-4)

for epoch in range(20):
    for real, _ in loader:
        real = real.view(-1, 784)
        noise = torch.randn(real.shape[0], 64)
        fake = gen(noise)
        disc_real = disc(real).view(-1)
        disc_fake = disc(fake.detach()).view(-1)
        loss_disc = (loss_fn(disc_real, torch.zeros_like(disc_real)) + loss_fn(disc_fake, torch.ones_like(disc_fake))) / 2
        opt_disc.zero_grad()
        loss_disc.backward()
        opt_disc.step()
        output = disc(fake).view(-1)
        loss_gen = loss_fn(output, torch.ones_like(output))
        opt_gen.zero_grad()
        loss_gen.backward()
        opt_gen.step()
