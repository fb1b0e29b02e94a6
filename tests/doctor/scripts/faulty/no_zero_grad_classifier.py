# fault: no_zero_grad
import torch
from torch import nn


def train_epoch(model, loader, optimizer, criterion, device):
    model.train()
    running = 0.0
    for i, (inputs, targets) in enumerate(loader):
        inputs, targets = inputs.to(device), targets.to(device)
        outputs = model(inputs)
        loss = criterion(outputs, targets)
        loss.backward()
        optimizer.step()
        running += loss.item()
    return running / len(loader)


def main(loader, epochs=10):
    model = nn.Sequential(nn.Flatten(), nn.Linear(784, 10))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01, momentum=0.9)
    for epoch in range(epochs):
        print(epoch, train_epoch(model, loader, optimizer, nn.CrossEntropyLoss(), "cpu"))
