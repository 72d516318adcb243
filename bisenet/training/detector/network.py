"""The face detector's network and loss, in torch.

Serving runs ``bisenet.detection.detector`` without it.

Objects as points (Zhou et al., 2019): a heat map of where faces' aligned crops are centred, and at
each centre how far it lies from its cell, the crop's side and its turn. A small U of plain
convolutions: on a CPU's matrix units they are cheaper than depthwise ones of the same accuracy.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn

from bisenet.detection.detector import BASE_SIDE, STRIDE
from bisenet.training.detector.scenes import Target

WIDTHS = (16, 32, 48, 64, 96)
# Heat, offset x and y, logarithm of the side, cosine and sine of the turn.
OUTPUTS = 6
# The heat's spread in shares of the crop's side, and at least in cells.
SPREAD, LEAST_SPREAD = 0.055, 0.75
# Around a centre, cells this warm learn the crop too.
WARM = 0.35


class ConvBnRelu(nn.Module):
    """A convolution, batch normalisation, and a rectifier where there is one."""

    def __init__(self, inputs: int, outputs: int, stride: int = 1, size: int = 3):
        super().__init__()
        self.conv = nn.Conv2d(inputs, outputs, size, stride, size // 2, bias=False)
        self.bn = nn.BatchNorm2d(outputs)

    def forward(self, x: Tensor) -> Tensor:
        return F.relu(self.bn(self.conv(x)), inplace=True)


class Block(nn.Module):
    """Two convolutions and a way around them."""

    def __init__(self, width: int):
        super().__init__()
        self.conv1 = ConvBnRelu(width, width)
        self.conv2 = ConvBnRelu(width, width)

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = x + self.conv2(self.conv1(x))
        return out


class DetectorNet(nn.Module):
    """Down to 1/32, back up to 1/8.

    ``bisenet.detection.detector`` names its tensors by these modules.
    """

    def __init__(self) -> None:
        super().__init__()
        first, second, third, fourth, fifth = WIDTHS
        self.stem = ConvBnRelu(3, first, 2)
        self.down4 = ConvBnRelu(first, second, 2)
        self.down8, self.block8 = ConvBnRelu(second, third, 2), Block(third)
        self.down16, self.block16 = ConvBnRelu(third, fourth, 2), Block(fourth)
        self.down32 = ConvBnRelu(fourth, fifth, 2)
        self.block32a, self.block32b = Block(fifth), Block(fifth)
        self.up16, self.mix16 = ConvBnRelu(fifth, fourth, 1, 1), ConvBnRelu(fourth, fourth)
        self.up8, self.mix8 = ConvBnRelu(fourth, third, 1, 1), ConvBnRelu(third, third)
        self.head = nn.Conv2d(third, OUTPUTS, 1)
        nn.init.normal_(self.head.weight, std=0.01)
        # A heat of 0.01 to begin with, as focal loss wants.
        self.head.bias = nn.Parameter(torch.tensor([-4.6, *[0.0] * (OUTPUTS - 1)]))

    def forward(self, pixels: Tensor) -> Tensor:
        """Outputs ``(N, 6, H/8, W/8)``, the heat as a logit, of pixels 0..255 ``(N, 3, H, W)``."""
        x = self.down4(self.stem(pixels / 64 - 2))
        eighth = self.block8(self.down8(x))
        sixteenth = self.block16(self.down16(eighth))
        x = self.block32b(self.block32a(self.down32(sixteenth)))
        x = self.mix16(sixteenth + F.interpolate(self.up16(x), scale_factor=2.0))
        x = self.mix8(eighth + F.interpolate(self.up8(x), scale_factor=2.0))
        out: Tensor = self.head(x)
        return out


def folded(state: Mapping[str, Tensor]) -> dict[str, NDArray[np.float32]]:
    """Weights and biases by module, batch normalisation folded in, as the detector's file holds."""
    made = {}
    for key, value in state.items():
        if not key.endswith(".conv.weight"):
            continue
        name = key.removesuffix(".conv.weight")
        bn = {part: state[f"{name}.bn.{part}"].double() for part in _NORMALISED}
        scale = bn["weight"] / torch.sqrt(bn["running_var"] + 1e-5)
        made[f"{name}.weight"] = (value.double() * scale[:, None, None, None]).float().numpy()
        made[f"{name}.bias"] = (bn["bias"] - bn["running_mean"] * scale).float().numpy()
    for part in ("weight", "bias"):
        made[f"head.{part}"] = state[f"head.{part}"].float().numpy()
    return made


_NORMALISED = ("weight", "bias", "running_mean", "running_var")


def encode(targets: Sequence[Target], size: int) -> NDArray[np.float32]:
    """What the network should say of a scene of ``size`` pixels, ``(8, size/8, size/8)``.

    Planes: heat, the five values of a crop, how much the cell learns them, how much its heat.
    """
    cells = size // STRIDE
    plane = np.zeros((8, cells, cells), np.float32)
    plane[7] = 1.0
    ys, xs = np.mgrid[:cells, :cells].astype(np.float32)
    for target in sorted(targets, key=lambda t: -t.side):
        x, y = ((v + 0.5) / STRIDE - 0.5 for v in target.centre)
        spread = max(LEAST_SPREAD, SPREAD * target.side / STRIDE)
        square = (xs - x) ** 2 + (ys - y) ** 2
        heat = np.exp(-square / (2 * spread**2))
        if not target.counts:
            plane[7][heat > 0.1] = 0.0
            continue
        row, column = round(min(max(y, 0), cells - 1)), round(min(max(x, 0), cells - 1))
        heat[row, column] = 1.0
        warm = (heat > WARM) & (heat >= plane[0])
        angle = np.deg2rad(target.turn)
        values = (x - xs, y - ys, np.log(target.side / BASE_SIDE), np.cos(angle), np.sin(angle))
        for channel, value in enumerate(values, start=1):
            plane[channel] = np.where(warm, value, plane[channel])
        plane[6] = np.where(warm, heat, plane[6])
        plane[0] = np.maximum(plane[0], heat)
        plane[7][row, column] = 1.0
    return plane


def loss(outputs: Tensor, truth: Tensor) -> tuple[Tensor, Tensor]:
    """Focal loss of the heat (exponents 2 and 4, as CenterNet's), and how far the crops are off."""
    outputs = outputs.float()
    logit, heat = outputs[:, 0], truth[:, 0]
    centre = (heat == 1).float()
    chance = torch.sigmoid(logit)
    hit = centre * (1 - chance) ** 2 * F.logsigmoid(logit)
    miss = (1 - centre) * (1 - heat) ** 4 * chance**2 * F.logsigmoid(-logit)
    faces = centre.sum().clamp(min=1)
    focal = -((hit + miss) * truth[:, 7]).sum() / faces
    weight = truth[:, 6]
    away = outputs[:, 1:] - truth[:, 1:6]
    lie = away[:, :2].abs().sum(1) * 0.5 + away[:, 2].abs() * 2.0
    # Squared: the mean error of most faces being upright is small, and L1 would rest there.
    turn = away[:, 3:].square().sum(1) * 2.0
    crops = ((lie + turn) * weight).sum() / weight.sum().clamp(min=1)
    return focal, crops
