import torch
from torch import nn

results = {}
for seed in range(5):
    torch.manual_seed(seed)
    model = nn.Sequential(nn.Linear(10, 50), nn.ReLU(), nn.Linear(50, 1))
    opt = torch.optim.Adam(model.parameters(), lr=1e-2)
    x = torch.randn(400, 10)
    y = x[:, :3].prod(1, keepdim=True)
    for i in range(300):
        opt.zero_grad()
        loss = nn.functional.mse_loss(model(x[:300]), y[:300])
        loss.backward()
        opt.step()
    with torch.no_grad():
        results[seed] = nn.functional.mse_loss(model(x[300:]), y[300:]).item()
print(results)
