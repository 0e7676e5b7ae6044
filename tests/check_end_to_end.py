#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""firn against torchvision from the file to the feature: check_end_to_end.py FIRN SAMPLES.

With FIRN_DATA, hymenoptera/val with the weights there; without, drawn samples with seeded weights.
The bound is the one that the fingerprint of the features states, and half of it with trained
weights: max abs difference / rms.
"""
import json
import re
import sys

from firn_test import Bench, data, need

numpy, torch, torchvision = need("numpy", "torch", "torchvision")
t = Bench(sys.argv)
torch.set_num_threads(2)
network = torchvision.models.resnet18()
if data():
    photos = data() / "hymenoptera" / "val"
    weights = next((data() / "weights").glob("resnet18*.pth"))
    network.load_state_dict(torch.load(weights, map_location="cpu"))
else:
    photos, weights = t.draw("photos", 4), t.dir / "seeded.pth"
    torch.manual_seed(1)
    for module in network.modules():  # statistics that a wrong folding would not survive
        if isinstance(module, torch.nn.BatchNorm2d):
            torch.nn.init.uniform_(module.running_mean, -0.2, 0.2)
            torch.nn.init.uniform_(module.running_var, 0.5, 2)
            torch.nn.init.uniform_(module.weight, 0.3, 1)
            torch.nn.init.uniform_(module.bias, -0.2, 0.2)
    torch.save(network.state_dict(), weights)
network.fc = torch.nn.Identity()
network.eval()

transforms = torchvision.transforms
folder = torchvision.datasets.ImageFolder(str(photos), transforms.Compose([
    transforms.Resize(256), transforms.CenterCrop(224), transforms.ToTensor(),
    transforms.Normalize([0.485, 0.456, 0.406], [0.229, 0.224, 0.225])]))
with torch.no_grad():
    expected = numpy.concatenate([network(x).numpy() for x, _ in
                                  torch.utils.data.DataLoader(folder, batch_size=16)])

t.run("extract", "-q", "-m", weights, "-o", t.dir / "cache", photos)
t.run("export", "-q", t.dir / "cache", "-o", t.dir / "out.npz")
npz = numpy.load(t.dir / "out.npz")
t.check(list(zip(npz["paths"].tolist(), npz["labels"].tolist())) == folder.samples, "rows")
t.check(npz["classes"].tolist() == folder.classes, "classes")
rms = numpy.sqrt(numpy.mean(expected.astype(numpy.float64) ** 2))
worst = numpy.abs(npz["features"].astype(numpy.float64) - expected).max() / rms
bound = float(re.search(r"bound=(\S+)", json.loads(str(npz["fingerprint"]))["numeric"])[1])
if data():
    bound = min(bound, 1.5e-5)  # what is promised for trained weights
print(f"{len(expected)} photographs: max abs difference / rms {worst:.2e} (bound {bound:.1e})")
t.check(worst <= bound <= 1e-4, "features")  # torch itself is 5e-6 from float64
t.end()
