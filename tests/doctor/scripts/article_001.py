# fault: missing_import, undefined_name, non_scalar_backward, detached_generator, generator_sign, missing_sigmoid, swapped_labels, noise_as_real, unused_data, no_zero_grad, needless_retain_graph, optimizer_in_loop, range_mismatch, samples_printed
"""A GAN for digits with the faults of a well-known tutorial, in other words: nothing here is as it should be."""
import torch.nn as nn
import torch.nn.functional as F
import torch.optim as optim
import torchvision.datasets as datasets
import torchvision.transforms as transforms


class Generator(nn.Module):
    def __init__(self, noise_size, pixels):
        super(Generator, self).__init__()
        self.first = nn.Linear(noise_size, 256)
        self.second = nn.Linear(256, 512)
        self.last = nn.Linear(512, pixels)

    def forward(self, noise):
        h = self.first(noise)
        h = F.relu(h)
        h = self.second(h)
        h = F.relu(h)
        h = self.last(h)
        h = F.tanh(h)
        return h


class Discriminator(nn.Module):
    def __init__(self, pixels):
        super(Discriminator, self).__init__()
        self.first = nn.Linear(pixels, 512)
        self.second = nn.Linear(512, 256)
        self.last = nn.Linear(256, 1)

    def forward(self, picture):
        h = self.first(picture)
        h = F.leaky_relu(h)
        h = self.second(h)
        h = F.leaky_relu(h)
        h = self.last(h)
        return h


def both_losses(G, D, noise):
    loss_G = D(G(noise).detach())
    loss_D = -torch.mean(torch.log(D(G(noise).detach())))
    loss_D += -torch.mean(torch.log(1 - D(torch.randn_like(noise))))
    return loss_G, loss_D


def one_epoch(G, D, noise, device, size, rate, rounds):
    G.to(device)
    D.to(device)

    opt_G = optim.Adam(G.parameters(), lr=rate)
    opt_D = optim.Adam(D.parameters(), lr=rate)

    for k in range(rounds):
        noise = torch.randn(size, noise.size(1)).to(device)
        loss_G, loss_D = both_losses(G, D, noise)
        loss_G.backward(retain_graph=True)
        loss_D.backward()
        opt_G.step()
        opt_D.step()


digits = datasets.MNIST(root="data", train=True, transform=transforms.ToTensor(), download=True)

device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
noise_size = 100
pixels = 784

G = Generator(noise_size, pixels).to(device)
D = Discriminator(pixels).to(device)

for epoch in range(100):
    one_epoch(G, D, noise, device, size=128, rate=0.0002, rounds=10)

    # how good is it?
    with torch.no_grad():
        pictures = G(torch.randn(16, noise_size).to(device))
        if torch.cuda.is_available():
            pictures = pictures.cpu()
        print(pictures)
