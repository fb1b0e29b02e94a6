import torch
from torch import nn


def train(model, head, stream, opt, window=20):
    state = None
    loss_sum, count = 0.0, 0
    for x, y in stream:
        total = 0
        for t in range(window):
            out, state = model(x[:, t:t + 1], state)
            total = total + nn.functional.mse_loss(head(out), y[:, t:t + 1])
        opt.zero_grad()
        total.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        opt.step()
        state = (state[0].detach(), state[1].detach())
        loss_sum += total.item()
        count += window
    return loss_sum / count


def shared(encoder, a, b, x, ya, yb, opt):
    h = encoder(x)
    loss_a = nn.functional.mse_loss(a(h), ya)
    loss_b = nn.functional.mse_loss(b(h), yb)
    opt.zero_grad()
    loss_a.backward(retain_graph=True)
    loss_b.backward()
    opt.step()
    return loss_a.item(), loss_b.item()
