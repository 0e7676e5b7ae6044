#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""What many write by hand: features of an ImageFolder through a PyTorch DataLoader.

    dataloader.py WEIGHTS DIR OUT.npz [WORKERS] [LIMIT]

ResNet-18 in eval() mode, torchvision's transforms, WORKERS processes that decode (2), the model on
the threads that PyTorch chooses, batches of 32.
"""
import sys

import numpy as np
import torch
from torchvision.datasets import ImageFolder
from torchvision.models import resnet18
from torchvision.transforms import CenterCrop, Compose, Normalize, Resize, ToTensor

weights, root, out = sys.argv[1:4]
workers, limit = (int(v) for v in (sys.argv[4:6] + ["2", "0"][len(sys.argv[4:6]) :]))
data = ImageFolder(root, Compose([Resize(256), CenterCrop(224), ToTensor(), Normalize(
    [0.485, 0.456, 0.406], [0.229, 0.224, 0.225])]))
if limit:
    data = torch.utils.data.Subset(data, range(min(limit, len(data))))
model = resnet18()
model.load_state_dict(torch.load(weights, map_location="cpu"))
model.fc = torch.nn.Identity()
model.eval()
features, labels = [], []
with torch.inference_mode():
    for images, classes in torch.utils.data.DataLoader(data, batch_size=32, num_workers=workers):
        features.append(model(images).numpy())
        labels.append(classes.numpy())
np.savez(out, features=np.concatenate(features), labels=np.concatenate(labels))
