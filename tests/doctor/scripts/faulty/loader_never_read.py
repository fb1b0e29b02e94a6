# fault: unused_data
import torch
from torch import nn
from torch.utils.data import DataLoader
from torchvision import datasets, transforms

train_set = datasets.MNIST("data", train=True, download=True, transform=transforms.ToTensor())
train_loader = DataLoader(train_set, batch_size=64, shuffle=True)
net = nn.Sequential(nn.Flatten(), nn.Linear(784, 100), nn.ReLU(), nn.Linear(100, 10))
opt = torch.optim.SGD(net.parameters(), lr=0.1)
loss_fn = nn.CrossEntropyLoss()

for epoch in range(10):
    images = torch.rand(64, 1, 28, 28)
    labels = torch.randint(0, 10, (64,))
    opt.zero_grad()
    loss = loss_fn(net(images), labels)
    loss.backward()
    opt.step()
    print(epoch, loss.item())
