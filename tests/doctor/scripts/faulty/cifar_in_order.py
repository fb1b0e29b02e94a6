# fault: no_shuffle
import torch
import torchvision
import torchvision.transforms as T
from torch import nn

transform = T.Compose([T.ToTensor(), T.Normalize((0.49, 0.48, 0.45), (0.2, 0.2, 0.2))])
trainset = torchvision.datasets.CIFAR10(root="./data", train=True, download=True, transform=transform)
trainloader = torch.utils.data.DataLoader(trainset, batch_size=64, num_workers=2)
testset = torchvision.datasets.CIFAR10(root="./data", train=False, transform=transform)
testloader = torch.utils.data.DataLoader(testset, batch_size=64)

net = nn.Sequential(nn.Conv2d(3, 32, 3), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(), nn.Linear(32 * 225, 10))
opt = torch.optim.SGD(net.parameters(), lr=0.01, momentum=0.9)
for epoch in range(2):
    for inputs, labels in trainloader:
        opt.zero_grad()
        loss = nn.functional.cross_entropy(net(inputs), labels)
        loss.backward()
        opt.step()
with torch.no_grad():
    right = sum((net(x).argmax(1) == y).sum().item() for x, y in testloader)
print(right / len(testset))
