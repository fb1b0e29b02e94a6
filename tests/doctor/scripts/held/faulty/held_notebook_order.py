# fault: undefined_name, missing_import
import torch
from torch.utils.data import DataLoader, TensorDataset

dataset = TensorDataset(torch.randn(1000, 12), torch.randn(1000, 1))
loader = DataLoader(dataset, batch_size=50, shuffle=True)


class Regressor(nn.Module):
    def __init__(self):
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(12, 32), nn.ReLU(), nn.Linear(32, 1))

    def forward(self, x):
        return self.layers(x)


def train():
    for x, y in loader:
        optimizer.zero_grad()
        loss = loss_function(model(x), y)
        loss.backward()
        optimizer.step()


model = Regressor()
optimizer = torch.optim.Adam(model.parameters())
for epoch in range(5):
    train()
