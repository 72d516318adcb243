"""What training minimises: hard-pixel cross-entropy and dice."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from bisenet.training.augment import IGNORE


def class_weights(
    pixels: NDArray[np.int64], power: float = 0.25, low: float = 0.5, high: float = 4.0
) -> Tensor:
    """Median frequency over frequency, to a power, clipped: ``(C,)`` (Eigen and Fergus, 2015).

    Args:
        pixels: pixels of each class in the training set, ``(C,)``.
    """
    frequency = np.maximum(pixels, 1) / pixels.sum()
    median = np.median(frequency[pixels > 0])
    weights = np.clip((median / frequency) ** power, low, high)
    return torch.tensor(weights, dtype=torch.float32)


def at_stride(mask: Tensor, size: Sequence[int]) -> Tensor:
    """Masks ``(N, H, W)`` sampled at the pixels that an aligned-corners resize looks at."""
    rows = torch.linspace(0, mask.shape[1] - 1, size[0], device=mask.device).round().long()
    columns = torch.linspace(0, mask.shape[2] - 1, size[1], device=mask.device).round().long()
    return mask[:, rows[:, None], columns]


def hard_pixel_mean(losses: Tensor, valid: Tensor, fraction: float) -> Tensor:
    """Mean of the largest ``fraction`` of the valid pixels' losses (OHEM, Shrivastava 2016)."""
    chosen = losses[valid]
    if chosen.numel() == 0:
        return losses.sum() * 0
    keep = max(1, int(chosen.numel() * fraction))
    return chosen.topk(keep, sorted=False).values.mean()


def cross_entropy_and_dice(
    logits: Tensor, target: Tensor, weight: Tensor, fraction: float
) -> tuple[Tensor, Tensor]:
    """Both losses from one softmax.

    Args:
        logits: ``(N, C, H, W)``, any precision; computed in f32.
        target: ``(N, H, W)`` ids, 255 ignored.
        weight: ``(C,)`` for the cross-entropy.
        fraction: share of the pixels, the hardest, that the cross-entropy averages.

    Returns:
        Cross-entropy, and one minus the dice coefficient averaged over the classes that the batch
        shows (Milletari et al., "V-Net", 2016), pooled over the batch.
    """
    log_probabilities = F.log_softmax(logits.float(), dim=1)
    valid = target != IGNORE
    ids = torch.where(valid, target, 0).long()
    log_truth = log_probabilities.gather(1, ids[:, None])[:, 0]
    cross_entropy = hard_pixel_mean(-log_truth * weight[ids], valid, fraction)

    classes = logits.shape[1]
    flat_ids, flat_valid = ids[valid], valid[:, None].to(log_probabilities.dtype)
    zeros = torch.zeros(classes, device=logits.device)
    overlap = zeros.index_add(0, flat_ids, log_truth[valid].exp())
    predicted = (log_probabilities.exp() * flat_valid).sum((0, 2, 3))
    truth = torch.bincount(flat_ids, minlength=classes).to(zeros.dtype)
    present = truth > 0
    if not present.any():
        return cross_entropy, logits.sum() * 0
    dice = (2 * overlap + 1) / (predicted + truth + 1)
    return cross_entropy, 1 - dice[present].mean()


def training_loss(
    outputs: Sequence[Tensor],
    mask: Tensor,
    weight: Tensor,
    fraction: float = 0.4,
    dice: float = 1.0,
    auxiliary: float = 0.5,
) -> Tensor:
    """The network's loss: main head at half size, auxiliary heads at their own stride.

    Half size and own stride cost a fraction of full size: the heads' output has an eighth of the
    picture's resolution, so full size would add pixels and no information.

    Args:
        outputs: ``BiSeNet.forward_heads`` in training mode.
        mask: ``(N, H, W)`` uint8, 255 ignored.
    """
    main, *others = outputs
    half = (mask.shape[1] // 2, mask.shape[2] // 2)
    resized = F.interpolate(main.float(), half, mode="bilinear", align_corners=True)
    cross_entropy, region = cross_entropy_and_dice(resized, at_stride(mask, half), weight, fraction)
    loss = cross_entropy + dice * region
    for logits in others:
        target = at_stride(mask, logits.shape[2:])
        loss = loss + auxiliary * cross_entropy_and_dice(logits, target, weight, fraction)[0]
    return loss
