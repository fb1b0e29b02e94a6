# fault: generator_sign
import torch

def critic_step(critic, gen, x, opt, latent):
    z = torch.randn(len(x), latent)
    loss = critic(gen(z).detach()).mean() - critic(x).mean()
    opt.zero_grad()
    loss.backward()
    opt.step()
    with torch.no_grad():
        for p in critic.parameters():
            p.clamp_(-0.01, 0.01)
    return loss.item()

def gen_step(critic, gen, n, opt_gen, latent):
    z = torch.randn(n, latent)
    gen_loss = critic(gen(z)).mean()
    opt_gen.zero_grad()
    gen_loss.backward()
    opt_gen.step()
    return gen_loss.item()

def fit(critic, gen, loader, latent=32):
    oc = torch.optim.RMSprop(critic.parameters(), lr=5e-5)
    og = torch.optim.RMSprop(gen.parameters(), lr=5e-5)
    for i, (x, _) in enumerate(loader):
        critic_step(critic, gen, x, oc, latent)
        if i % 5 == 0:
            gen_step(critic, gen, len(x), og, latent)
