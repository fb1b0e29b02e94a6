import torch
from torch import autograd, optim
from torch.nn import functional as F
from tqdm import tqdm


def d_logistic_loss(real_pred, fake_pred):
    return F.softplus(-real_pred).mean() + F.softplus(fake_pred).mean()


def g_nonsaturating_loss(fake_pred):
    return F.softplus(-fake_pred).mean()


def d_r1_loss(real_pred, real_img):
    (grad_real,) = autograd.grad(outputs=real_pred.sum(), inputs=real_img, create_graph=True)
    return grad_real.pow(2).reshape(grad_real.shape[0], -1).sum(1).mean()


def requires_grad(model, flag=True):
    for p in model.parameters():
        p.requires_grad = flag


def train(args, loader, generator, discriminator, g_ema):
    g_optim = optim.Adam(generator.parameters(), lr=args.lr, betas=(0, 0.99))
    d_optim = optim.Adam(discriminator.parameters(), lr=args.lr, betas=(0, 0.99))
    for i in tqdm(range(args.iter)):
        real_img = next(loader)
        requires_grad(generator, False)
        requires_grad(discriminator, True)
        fake_img, _ = generator(torch.randn(args.batch, args.latent))
        d_loss = d_logistic_loss(discriminator(real_img), discriminator(fake_img))
        discriminator.zero_grad()
        d_loss.backward()
        d_optim.step()
        if i % args.d_reg_every == 0:
            real_img.requires_grad = True
            real_pred = discriminator(real_img)
            r1_loss = d_r1_loss(real_pred, real_img)
            discriminator.zero_grad()
            (args.r1 / 2 * r1_loss * args.d_reg_every + 0 * real_pred[0]).mean().backward()
            d_optim.step()
        requires_grad(generator, True)
        requires_grad(discriminator, False)
        fake_img, _ = generator(torch.randn(args.batch, args.latent))
        g_loss = g_nonsaturating_loss(discriminator(fake_img))
        generator.zero_grad()
        g_loss.backward()
        g_optim.step()
        with torch.no_grad():
            for p, q in zip(g_ema.parameters(), generator.parameters()):
                p.lerp_(q, 1 - args.decay)
