# fault: train_mode_forgotten
import torch
from torch import nn


def fit(train_loader, val_loader, epochs=20):
    model = nn.Sequential(nn.Flatten(), nn.Linear(784, 256), nn.ReLU(), nn.Dropout(0.4), nn.Linear(256, 10))
    loss_fn = nn.CrossEntropyLoss()
    opt = torch.optim.AdamW(model.parameters())
    for epoch in range(epochs):
        for x, y in train_loader:
            loss = loss_fn(model(x), y)
            opt.zero_grad()
            loss.backward()
            opt.step()
        model.eval()
        with torch.no_grad():
            val = sum(loss_fn(model(x), y).item() for x, y in val_loader) / len(val_loader)
        print(f"{epoch} {val:.3f}")
    return model
