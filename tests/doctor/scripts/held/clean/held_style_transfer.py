import torch
import torch.nn.functional as F
from PIL import Image
from torchvision import models, transforms

prep = transforms.Compose([transforms.Resize(256), transforms.ToTensor(), transforms.Normalize((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))])
content, style = (prep(Image.open(p)).unsqueeze(0) for p in ("content.jpg", "style.jpg"))
vgg = models.vgg19(weights="DEFAULT").features.eval()
for p in vgg.parameters():
    p.requires_grad_(False)


def features(x, wanted=(0, 5, 10, 19, 28)):
    found = []
    for i, layer in enumerate(vgg):
        x = layer(x)
        if i in wanted:
            found.append(x)
    return found


def gram(f):
    b, c, h, w = f.shape
    g = f.view(b, c, h * w)
    return g @ g.transpose(1, 2) / (c * h * w)


target = content.clone().requires_grad_(True)
opt = torch.optim.LBFGS([target])
c_feats, s_grams = features(content), [gram(f) for f in features(style)]


def closure():
    opt.zero_grad()
    f = features(target)
    loss = F.mse_loss(f[3], c_feats[3]) + 1e5 * sum(F.mse_loss(gram(a), g) for a, g in zip(f, s_grams))
    loss.backward()
    return loss


for step in range(50):
    opt.step(closure)
