"""What the face detector learns: target planes of a scene, and the loss of its outputs."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from bisenet.detection.detector import BASE_SIDE, STRIDE
from bisenet.training.detector.targets import Target

# The heat's spread in shares of the crop's side, and at least in cells.
SPREAD, LEAST_SPREAD = 0.055, 0.75
# Around a centre, cells this warm learn the crop too.
WARM = 0.35


def encode(targets: Sequence[Target], size: int) -> NDArray[np.float32]:
    """Target planes of a scene of ``size`` pixels, ``(8, size/8, size/8)``.

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
        angle = np.deg2rad(target.roll)
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
    roll = away[:, 3:].square().sum(1) * 2.0
    crops = ((lie + roll) * weight).sum() / weight.sum().clamp(min=1)
    return focal, crops
