import torch
import torch.nn.functional as F


class Process:
    def __init__(self, T=1000, device="cpu"):
        self.T = T
        self.beta = torch.linspace(1e-4, 0.02, T, device=device).view(T, 1, 1, 1)
        self.alpha = 1 - self.beta
        self.alpha_bar = torch.cumprod(self.alpha, 0)

    def diffuse(self, x0):
        t = torch.randint(0, self.T, (x0.shape[0],), device=x0.device)
        eps = torch.randn_like(x0)
        return self.alpha_bar[t].sqrt() * x0 + (1 - self.alpha_bar[t]).sqrt() * eps, t, eps

    def one_step(self, x, t):
        return (1 - self.beta[t]).sqrt() * x + self.beta[t].sqrt() * torch.randn_like(x)

    @torch.inference_mode()
    def generate(self, net, shape):
        net.eval()
        x = torch.randn(shape)
        for i in range(self.T - 1, -1, -1):
            eps = net(x, torch.full((shape[0],), i))
            x = (x - self.beta[i] / (1 - self.alpha_bar[i]).sqrt() * eps) / self.alpha[i].sqrt()
            if i > 0:
                x += self.beta[i].sqrt() * torch.randn_like(x)
        return x


def train_step(net, opt, process, x0):
    net.train()
    xt, t, eps = process.diffuse(x0)
    loss = F.mse_loss(net(xt, t), eps)
    opt.zero_grad()
    loss.backward()
    opt.step()
    return loss.item()
