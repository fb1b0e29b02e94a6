import gymnasium as gym
import torch
from torch import nn
from torch.distributions import Categorical


class Policy(nn.Module):
    def __init__(self, n_obs, n_act):
        super().__init__()
        self.body = nn.Sequential(nn.Linear(n_obs, 128), nn.Dropout(0.6), nn.ReLU(), nn.Linear(128, n_act))
        self.log_probs, self.rewards = [], []

    def act(self, obs):
        law = Categorical(logits=self.body(torch.as_tensor(obs)))
        action = law.sample()
        self.log_probs.append(law.log_prob(action))
        return action.item()

    def finish(self, optimizer, gamma=0.99):
        total, returns = 0.0, []
        for r in reversed(self.rewards):
            total = r + gamma * total
            returns.insert(0, total)
        returns = torch.tensor(returns)
        returns = (returns - returns.mean()) / (returns.std() + 1e-8)
        loss = -(torch.stack(self.log_probs) * returns).sum()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        self.log_probs.clear(), self.rewards.clear()


def main():
    env = gym.make("CartPole-v1")
    policy = Policy(4, 2)
    optimizer = torch.optim.Adam(policy.parameters(), lr=1e-2)
    for episode in range(500):
        obs, _ = env.reset(seed=episode)
        over = False
        while not over:
            obs, reward, ended, cut, _ = env.step(policy.act(obs))
            policy.rewards.append(reward)
            over = ended or cut
        policy.finish(optimizer)


if __name__ == "__main__":
    main()
