# SPDX-License-Identifier: MIT
"""The list that the hostile weight files are collected in: contents, and what firn has to say."""
import struct

from weights_files import *

VALUES = []  # what pushes an object that is fine
CASES = []  # name, bytes, regular expression for the message
FLOATS = struct.pack("<4f", 1, 2, 3, 4)
SMALL = {"w": tensor("0", (4,))}
# What a file that is well-formed but holds no ResNet is told; hostile files never get so far.
PASSED = "not a ResNet that firn knows: no tensor conv1.weight"


def case(name, data, message):
    CASES.append((name, data, message))


def pkl(name, value, message, **how):
    """`value` pushes the object of a torch zip."""
    if message == PASSED:
        VALUES.append(value)
    case(name, torch_zip(value, {"0": FLOATS}, **how), message)
