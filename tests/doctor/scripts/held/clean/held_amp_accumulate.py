import torch
from torch import nn
from torch.amp import GradScaler, autocast


def train(model, loader, val_loader, epochs=10, every=4, device="cuda"):
    model = model.to(device)
    optimizer = torch.optim.AdamW(model.parameters(), lr=3e-4)
    scaler = GradScaler()
    best = float("inf")
    for epoch in range(epochs):
        model.train()
        optimizer.zero_grad()
        for i, (x, y) in enumerate(loader):
            with autocast(device):
                loss = nn.functional.cross_entropy(model(x.to(device)), y.to(device)) / every
            scaler.scale(loss).backward()
            if (i + 1) % every == 0:
                scaler.step(optimizer)
                scaler.update()
                optimizer.zero_grad()
        val_loss = validate(model, val_loader, device)
        if val_loss < best:
            best = val_loss
            torch.save(model.state_dict(), "best.pt")
    model.load_state_dict(torch.load("best.pt", weights_only=True))
    return model


@torch.inference_mode()
def validate(model, loader, device):
    model.eval()
    total = count = 0
    for x, y in loader:
        total += nn.functional.cross_entropy(model(x.to(device)), y.to(device), reduction="sum").item()
        count += len(y)
    return total / count
