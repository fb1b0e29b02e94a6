import torch
import torch.nn as nn
from torch.utils.data import DataLoader
from torchvision import datasets, transforms

categorical_loss, adversarial_loss, continuous_loss = nn.CrossEntropyLoss(), nn.MSELoss(), nn.MSELoss()


class Discriminator(nn.Module):
    def __init__(self, classes=10, codes=2):
        super().__init__()
        self.trunk = nn.Sequential(nn.Linear(1024, 512), nn.LeakyReLU(0.2), nn.Linear(512, 128), nn.LeakyReLU(0.2))
        self.adv, self.aux, self.latent = nn.Linear(128, 1), nn.Sequential(nn.Linear(128, classes)), nn.Linear(128, codes)

    def forward(self, img):
        h = self.trunk(img.view(img.shape[0], -1))
        return self.adv(h), self.aux(h), self.latent(h)


class Generator(nn.Module):
    def __init__(self, n_in=74):
        super().__init__()
        self.net = nn.Sequential(nn.Linear(n_in, 256), nn.ReLU(), nn.Linear(256, 1024), nn.Tanh())

    def forward(self, noise, labels, code):
        return self.net(torch.cat((noise, labels, code), -1)).view(-1, 1, 32, 32)


generator, discriminator = Generator(), Discriminator()
dataloader = DataLoader(datasets.MNIST("mnist", train=True, download=True, transform=transforms.Compose(
    [transforms.Resize(32), transforms.ToTensor(), transforms.Normalize([0.5], [0.5])])), batch_size=64, shuffle=True)
optimizer_G = torch.optim.Adam(generator.parameters(), lr=2e-4, betas=(0.5, 0.999))
optimizer_D = torch.optim.Adam(discriminator.parameters(), lr=2e-4, betas=(0.5, 0.999))
optimizer_info = torch.optim.Adam([*generator.parameters(), *discriminator.parameters()], lr=2e-4, betas=(0.5, 0.999))

for epoch in range(200):
    for imgs, labels in dataloader:
        n = imgs.shape[0]
        valid, fake = torch.ones(n, 1), torch.zeros(n, 1)
        z, c = torch.randn(n, 62), torch.rand(n, 2) * 2 - 1
        k = torch.randint(0, 10, (n,))
        onehot = nn.functional.one_hot(k, 10).float()
        optimizer_G.zero_grad()
        gen_imgs = generator(z, onehot, c)
        validity, _, _ = discriminator(gen_imgs)
        g_loss = adversarial_loss(validity, valid)
        g_loss.backward()
        optimizer_G.step()
        optimizer_D.zero_grad()
        real_pred, _, _ = discriminator(imgs)
        fake_pred, _, _ = discriminator(gen_imgs.detach())
        d_loss = (adversarial_loss(real_pred, valid) + adversarial_loss(fake_pred, fake)) / 2
        d_loss.backward()
        optimizer_D.step()
        optimizer_info.zero_grad()
        _, pred_label, pred_code = discriminator(generator(z, onehot, c))
        info_loss = categorical_loss(pred_label, k) + 0.1 * continuous_loss(pred_code, c)
        info_loss.backward()
        optimizer_info.step()
