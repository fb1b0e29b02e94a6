# fault: mean_in_elbo
import torch
from torch import nn, optim

class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.f1 = nn.Linear(784, 256)
        self.m = nn.Linear(256, 10)
        self.v = nn.Linear(256, 10)
        self.f2 = nn.Linear(10, 256)
        self.f3 = nn.Linear(256, 784)

    def forward(self, x):
        h = torch.relu(self.f1(x))
        m, v = self.m(h), self.v(h)
        z = m + torch.exp(v / 2) * torch.randn_like(m)
        return torch.sigmoid(self.f3(torch.relu(self.f2(z)))), m, v

net = Net()
opt = optim.Adam(net.parameters())
bce = nn.BCELoss()

def step(x):
    y, m, v = net(x)
    recon_loss = bce(y, x)
    kl_loss = -0.5 * torch.sum(1 + v - m.pow(2) - v.exp(), dim=1).mean()
    loss = recon_loss + kl_loss
    opt.zero_grad()
    loss.backward()
    opt.step()
    return loss.item()
