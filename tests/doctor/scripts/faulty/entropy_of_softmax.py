# fault: log_of_zero
import torch
import torch.nn.functional as F
from torch import nn

policy = nn.Sequential(nn.Linear(8, 64), nn.Tanh(), nn.Linear(64, 4))
opt = torch.optim.Adam(policy.parameters(), lr=1e-3)


def update(states, actions, returns):
    logits = policy(states)
    probs = F.softmax(logits, dim=-1)
    log_probs = torch.log(probs)
    chosen = log_probs.gather(1, actions[:, None]).squeeze(1)
    entropy = -(probs * log_probs).sum(1).mean()
    loss = -(chosen * returns).mean() - 0.01 * entropy
    opt.zero_grad()
    loss.backward()
    opt.step()
    return loss.item()
