# fault: no_zero_grad, loss_keeps_graph
import torch
from torch import nn


class Agent:
    def __init__(self, n_in, n_out):
        self.net = nn.Sequential(nn.Linear(n_in, 64), nn.ReLU(), nn.Linear(64, n_out))
        self.optim = torch.optim.Adam(self.net.parameters(), lr=1e-3)
        self.losses = []

    def learn(self, episodes):
        for states, actions, returns in episodes:
            logp = torch.log_softmax(self.net(states), dim=1)
            picked = logp[torch.arange(len(actions)), actions]
            loss = -(picked * returns).mean()
            loss.backward()
            self.optim.step()
            self.losses.append(loss)
        return sum(self.losses) / len(self.losses)
