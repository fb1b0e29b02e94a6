import copy

import torch
from torch import nn
from torch.utils.data import DataLoader, random_split
from torchvision import datasets, transforms

full = datasets.CIFAR10("data", train=True, download=True, transform=transforms.ToTensor())
test_set = datasets.CIFAR10("data", train=False, transform=transforms.ToTensor())
train_set, val_set = random_split(full, [45000, 5000], generator=torch.Generator().manual_seed(1))
loaders = {"train": DataLoader(train_set, 128, shuffle=True), "val": DataLoader(val_set, 256), "test": DataLoader(test_set, 256)}

model = nn.Sequential(
    nn.Conv2d(3, 32, 3, padding=1), nn.BatchNorm2d(32), nn.ReLU(), nn.MaxPool2d(2),
    nn.Conv2d(32, 64, 3, padding=1), nn.BatchNorm2d(64), nn.ReLU(), nn.MaxPool2d(2),
    nn.Flatten(), nn.Linear(64 * 64, 128), nn.ReLU(), nn.Dropout(0.3), nn.Linear(128, 10))
criterion = nn.CrossEntropyLoss()
opt = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
sched = torch.optim.lr_scheduler.CosineAnnealingLR(opt, 30)


def run(split, train=False):
    model.train(train)
    total, right, loss_sum = 0, 0, 0.0
    with torch.set_grad_enabled(train):
        for x, y in loaders[split]:
            out = model(x)
            loss = criterion(out, y)
            if train:
                opt.zero_grad()
                loss.backward()
                opt.step()
            total += len(y)
            right += (out.argmax(1) == y).sum().item()
            loss_sum += loss.item() * len(y)
    return loss_sum / total, right / total


best, kept, bad = float("inf"), None, 0
for epoch in range(30):
    run("train", train=True)
    sched.step()
    val_loss, val_acc = run("val")
    if val_loss < best:
        best, kept, bad = val_loss, copy.deepcopy(model.state_dict()), 0
    else:
        bad += 1
        if bad > 5:
            break
model.load_state_dict(kept)
test_loss, test_acc = run("test")
print(f"test accuracy {test_acc:.3f}")
