# fault: optimizer_in_loop
import torch
import torch.nn as nn
from torch.utils.data import DataLoader

device = torch.device("cpu")


def main(dataset, num_epochs=40):
    model = nn.GRU(16, 32, batch_first=True).to(device)
    readout = nn.Linear(32, 1).to(device)
    loader = DataLoader(dataset, batch_size=32, shuffle=True)
    for ep in range(num_epochs):
        opt = torch.optim.SGD(list(model.parameters()) + list(readout.parameters()), lr=0.01, momentum=0.9)
        epoch_loss = 0.0
        for seq, target in loader:
            out, _ = model(seq.to(device))
            loss = nn.functional.mse_loss(readout(out[:, -1]), target.to(device))
            opt.zero_grad()
            loss.backward()
            opt.step()
            epoch_loss += loss.item() * len(seq)
        print(ep, epoch_loss / len(dataset))
