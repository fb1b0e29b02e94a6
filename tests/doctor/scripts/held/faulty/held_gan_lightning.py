# fault: detached_generator
import torch
import torch.nn as nn
import torch.nn.functional as F


class GANTrainer(nn.Module):
    def __init__(self, generator, discriminator, nz=100):
        super().__init__()
        self.generator = generator
        self.discriminator = discriminator
        self.nz = nz
        self.g_opt = torch.optim.Adam(self.generator.parameters(), lr=2e-4, betas=(0.5, 0.999))
        self.d_opt = torch.optim.Adam(self.discriminator.parameters(), lr=2e-4, betas=(0.5, 0.999))

    def adversarial_loss(self, y_hat, y):
        return F.binary_cross_entropy_with_logits(y_hat, y)

    def training_step(self, imgs):
        z = torch.randn(imgs.shape[0], self.nz).type_as(imgs)
        valid = torch.ones(imgs.size(0), 1).type_as(imgs)
        self.g_opt.zero_grad()
        generated = self.generator(z)
        g_loss = self.adversarial_loss(self.discriminator(generated.detach()), valid)
        g_loss.backward()
        self.g_opt.step()

        self.d_opt.zero_grad()
        fake = torch.zeros(imgs.size(0), 1).type_as(imgs)
        real_loss = self.adversarial_loss(self.discriminator(imgs), valid)
        fake_loss = self.adversarial_loss(self.discriminator(generated.detach()), fake)
        d_loss = (real_loss + fake_loss) / 2
        d_loss.backward()
        self.d_opt.step()
        return g_loss.item(), d_loss.item()
