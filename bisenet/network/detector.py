"""The face detector's network: a heat map of where faces' aligned crops are centred.

Objects as points (Zhou et al., "Objects as Points", 2019): a score for each cell of 8 x 8 pixels,
and at each centre how far it lies from its cell, the crop's side and its roll. A small U of plain
convolutions: on a CPU's matrix units they are cheaper than depthwise ones of the same accuracy.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn

from bisenet.network.bisenet import ConvBNReLU, fold_batch_norm

WIDTHS = (16, 32, 48, 64, 96)
# Heat, offset x and y, logarithm of the side, cosine and sine of the roll.
OUTPUTS = 6


class Block(nn.Module):
    """Two convolutions beside a shortcut."""

    def __init__(self, width: int):
        super().__init__()
        self.conv1 = ConvBNReLU(width, width)
        self.conv2 = ConvBNReLU(width, width)

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = x + self.conv2(self.conv1(x))
        return out


class DetectorNet(nn.Module):
    """Down to 1/32, back up to 1/8."""

    def __init__(self) -> None:
        super().__init__()
        first, second, third, fourth, fifth = WIDTHS
        self.stem = ConvBNReLU(3, first, stride=2)
        self.down4 = ConvBNReLU(first, second, stride=2)
        self.down8, self.block8 = ConvBNReLU(second, third, stride=2), Block(third)
        self.down16, self.block16 = ConvBNReLU(third, fourth, stride=2), Block(fourth)
        self.down32 = ConvBNReLU(fourth, fifth, stride=2)
        self.block32a, self.block32b = Block(fifth), Block(fifth)
        self.up16, self.mix16 = ConvBNReLU(fifth, fourth, 1), ConvBNReLU(fourth, fourth)
        self.up8, self.mix8 = ConvBNReLU(fourth, third, 1), ConvBNReLU(third, third)
        self.head = nn.Conv2d(third, OUTPUTS, 1)
        nn.init.normal_(self.head.weight, std=0.01)
        # A heat of 0.01 to begin with, as focal loss wants.
        self.head.bias = nn.Parameter(torch.tensor([-4.6, *[0.0] * (OUTPUTS - 1)]))

    def forward(self, x: Tensor) -> Tensor:
        """Outputs ``(N, 6, H/8, W/8)``, the heat as a logit, of images ``(N, 3, H, W)``.

        Images are normalised with ``MEAN`` and ``STD`` of ``bisenet.detection.detector``.
        """
        x = self.down4(self.stem(x))
        eighth = self.block8(self.down8(x))
        sixteenth = self.block16(self.down16(eighth))
        x = self.block32b(self.block32a(self.down32(sixteenth)))
        x = self.mix16(sixteenth + F.interpolate(self.up16(x), scale_factor=2.0))
        x = self.mix8(eighth + F.interpolate(self.up8(x), scale_factor=2.0))
        out: Tensor = self.head(x)
        return out


def folded(net: DetectorNet) -> dict[str, NDArray[np.float32]]:
    """Weights and biases, batch normalisation folded in, as the detector's file names them."""
    net = copy.deepcopy(net).eval()
    fold_batch_norm(net)
    return {_name_in_file(key): value.numpy() for key, value in net.state_dict().items()}


def from_folded(state: Mapping[str, NDArray[np.float32]]) -> DetectorNet:
    """The network in eval mode, batch normalisation folded in.

    Args:
        state: as ``folded`` gives it.
    """
    net = DetectorNet().eval()
    fold_batch_norm(net)
    names = {key: _name_in_file(key) for key in net.state_dict()}
    net.load_state_dict({key: torch.from_numpy(state[name]) for key, name in names.items()})
    return net


def _name_in_file(key: str) -> str:
    return key.replace(".conv.", ".")
