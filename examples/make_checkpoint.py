"""Saves a ResNet-18 with random weights and three classes, as a training script would: photos.pth and labels.txt.

    python examples/make_checkpoint.py
    npx resnet-serve import photos.pth --name photos --labels labels.txt

Needs torch and torchvision.
"""

import torch
import torchvision

torch.manual_seed(0)
model = torchvision.models.resnet18(num_classes=3).eval()
torch.save({"epoch": 1, "state_dict": model.state_dict()}, "photos.pth")
with open("labels.txt", "w") as labels:
    labels.write("cat\ndog\nhare\n")
