"""A second, cheap variation of a batch on the device that trains.

A GPU takes samples faster than the processors beside it prepare them. Showing each prepared batch
more than once, varied anew, keeps it busy (data echoing: Choi et al., 2019). Everything is drawn
for the whole batch at once from torch's generator of the device.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from bisenet.classes import mirror_lut
from bisenet.data.partial_labels import UNKNOWN
from bisenet.geometry.crops import MEAN

ZOOM, TURN, SHIFT = 0.2, 0.2, 0.06  # logarithm, radians, share of the frame to either side
BRIGHTNESS, CONTRAST, SATURATION, WARMTH = 20.0, 0.25, 0.35, 0.08


def jitter(images: Tensor, masks: Tensor) -> tuple[Tensor, Tensor]:
    """Vary place, size, side and colour of each sample.

    Args:
        images: ``(N, 3, S, S)`` uint8 RGB.
        masks: ``(N, S, S)`` uint8.

    Returns:
        Images ``(N, 3, S, S)`` f32, 0..255, and masks; beyond the frame lie ImageNet's mean colour
        and ``UNKNOWN``.
    """
    count, device = len(images), images.device

    def spread(width: float) -> Tensor:
        return (torch.rand(count, device=device) * 2 - 1) * width

    flip = torch.rand(count, device=device) < 0.5
    scale, angle = torch.exp(-spread(ZOOM)), spread(TURN)
    side = torch.where(flip, -scale, scale)
    rows = [
        torch.stack([side * angle.cos(), -scale * angle.sin(), spread(2 * SHIFT)], 1),
        torch.stack([side * angle.sin(), scale * angle.cos(), spread(2 * SHIFT)], 1),
    ]
    grid = F.affine_grid(torch.stack(rows, 1), [count, 1, *masks.shape[1:]], align_corners=False)
    mean = torch.tensor(MEAN * 255, device=device).view(1, 3, 1, 1)
    moved = F.grid_sample(_colored(images.float(), spread) - mean, grid, align_corners=False)
    # Shifted by one, so that the zeros beyond the frame differ from class 0.
    ids = F.grid_sample((masks.float() + 1)[:, None], grid, mode="nearest", align_corners=False)
    labels = (ids[:, 0].round().long() - 1).remainder(UNKNOWN + 1)
    twins = torch.from_numpy(mirror_lut()).to(device).long()
    labels = torch.where(flip[:, None, None], twins[labels], labels)
    return moved + mean, labels.to(torch.uint8)


def _colored(images: Tensor, spread) -> Tensor:  # type: ignore[no-untyped-def]
    """Brightness, contrast, saturation and warmth, each sample's own; ``(N, 3, S, S)`` f32."""

    def column(values: Tensor) -> Tensor:
        return values.view(-1, 1, 1, 1)

    grey = images.mean(1, keepdim=True)
    images = grey + (images - grey) * column(1 + spread(SATURATION))
    level = grey.mean((2, 3), keepdim=True)
    images = level + (images - level) * column(torch.exp(spread(CONTRAST)))
    warmth = spread(WARMTH)
    gains = torch.stack([1 + warmth, torch.ones_like(warmth), 1 - warmth], 1)[:, :, None, None]
    return (images * gains + column(spread(BRIGHTNESS))).clamp(0, 255)
