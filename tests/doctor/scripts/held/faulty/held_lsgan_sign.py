# fault: generator_sign
from torch import nn, optim, randn, zeros, ones

mse = nn.MSELoss()


def sample_noise(n):
    return randn(n, 50)


def loop(gen, dis, data):
    og, od = optim.Adam(gen.parameters(), 1e-4), optim.Adam(dis.parameters(), 1e-4)
    for xs in data:
        n = xs.shape[0]
        # critic
        od.zero_grad()
        fakes = gen(sample_noise(n))
        d_cost = 0.5 * mse(dis(xs), ones(n, 1)) + 0.5 * mse(dis(fakes.detach()), zeros(n, 1))
        d_cost.backward()
        od.step()
        # generator
        og.zero_grad()
        g_cost = 0.5 * mse(dis(gen(sample_noise(n))), zeros(n, 1))
        g_cost.backward()
        og.step()
