# fault: generator_sign
import torch
import torch.nn as nn


def train_gan(netG, netD, loader, nz, epochs, device):
    criterion = nn.BCEWithLogitsLoss()
    optD = torch.optim.Adam(netD.parameters(), lr=2e-4)
    optG = torch.optim.Adam(netG.parameters(), lr=2e-4)
    for epoch in range(epochs):
        for real, _ in loader:
            real = real.to(device)
            real_label = torch.ones(real.size(0), 1, device=device)
            fake_label = torch.zeros(real.size(0), 1, device=device)
            optD.zero_grad()
            fake = netG(torch.randn(real.size(0), nz, device=device))
            lossD = criterion(netD(real), real_label) + criterion(netD(fake.detach()), fake_label)
            lossD.backward()
            optD.step()
            optG.zero_grad()
            lossG = criterion(netD(fake), fake_label)
            lossG.backward()
            optG.step()
        print(epoch, lossD.item(), lossG.item())
