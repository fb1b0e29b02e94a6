# fault: unconstrained_critic, shared_optimizer
import torch


class WGAN:
    def __init__(self, generator, critic, z_dim=64, lr=1e-4):
        self.generator, self.critic, self.z_dim = generator, critic, z_dim
        self.optimizer = torch.optim.RMSprop(list(self.generator.parameters()) + list(self.critic.parameters()), lr=lr)

    def noise(self, n):
        return torch.randn(n, self.z_dim)

    def critic_loss(self, x):
        return self.critic(self.generator(self.noise(len(x))).detach()).mean() - self.critic(x).mean()

    def generator_loss(self, n):
        return -self.critic(self.generator(self.noise(n))).mean()

    def fit(self, loader, epochs=10):
        for _ in range(epochs):
            for x, _ in loader:
                self.optimizer.zero_grad()
                self.critic_loss(x).backward()
                self.optimizer.step()
                self.optimizer.zero_grad()
                self.generator_loss(len(x)).backward()
                self.optimizer.step()
        return self
