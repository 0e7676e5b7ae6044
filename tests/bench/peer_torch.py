#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""PyTorch's side of tests/bench/peers.

    peer_torch.py eager|frozen FAMILY WEIGHTS INPUT BATCH THREADS FEATURES
    peer_torch.py export FAMILY WEIGHTS MODEL.onnx

INPUT: float32 NCHW. Answers as peer_firn.c does.
"""
import sys
import time

import numpy as np
import torch
import torchvision

mode, family, weights = sys.argv[1:4]
net = getattr(torchvision.models, family)(weights=None)
net.load_state_dict(torch.load(weights))
net.fc = torch.nn.Identity()
net.eval()
if mode == "export":
    torch.onnx.export(net, torch.zeros(1, 3, 224, 224), sys.argv[4], opset_version=13,
                      input_names=["input"], output_names=["output"],
                      dynamic_axes={"input": {0: "n"}, "output": {0: "n"}})
    sys.exit()

batch, threads = int(sys.argv[5]), int(sys.argv[6])
torch.set_num_threads(threads)
x = torch.from_numpy(np.fromfile(sys.argv[4], "<f4", batch * 3 * 224 * 224))
x = x.reshape(batch, 3, 224, 224)
with torch.inference_mode():
    if mode == "frozen":
        net = torch.jit.optimize_for_inference(torch.jit.freeze(torch.jit.trace(net, x)))
        net(x), net(x)  # the profiling runs of the executor
    net(x).numpy().tofile(sys.argv[7])
    for _ in sys.stdin:
        start = time.perf_counter()
        net(x)
        print((time.perf_counter() - start) * 1e3, flush=True)
