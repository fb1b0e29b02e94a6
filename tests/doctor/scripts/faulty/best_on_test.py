# fault: test_for_selection
import torch
import torch.nn.functional as F


def accuracy(model, loader):
    model.eval()
    with torch.no_grad():
        return sum((model(x).argmax(1) == y).float().mean().item() for x, y in loader) / len(loader)


def fit(model, train_loader, test_loader, epochs=50):
    opt = torch.optim.Adam(model.parameters(), lr=1e-3)
    best_acc = 0.0
    for epoch in range(epochs):
        model.train()
        for x, y in train_loader:
            opt.zero_grad()
            F.cross_entropy(model(x), y).backward()
            opt.step()
        test_acc = accuracy(model, test_loader)
        if test_acc > best_acc:
            best_acc = test_acc
            weights = {k: v.clone() for k, v in model.state_dict().items()}
    model.load_state_dict(weights)
    print("test accuracy", best_acc)
