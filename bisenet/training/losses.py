"""What training minimises: hard-pixel cross-entropy and dice, also where labels are partly known.

A mask value that leaves several classes open (``bisenet.data.partial_labels``) costs the negative
logarithm of the sum of their probabilities; one that leaves all open costs nothing.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from bisenet.classes import NUM_CLASSES
from bisenet.data.partial_labels import PARTIAL, UNKNOWN, decided_classes


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
    """Masks ``(N, H, W)`` sampled at the pixels that an aligned-corners resize reads."""
    rows = torch.linspace(0, mask.shape[1] - 1, size[0], device=mask.device).round().long()
    columns = torch.linspace(0, mask.shape[2] - 1, size[1], device=mask.device).round().long()
    return mask[:, rows[:, None], columns]


def hard_pixel_mean(losses: Tensor, valid: Tensor, fraction: float) -> Tensor:
    """Mean of the largest ``fraction`` of the valid pixels' losses (OHEM, Shrivastava 2016)."""
    keep = int(int(valid.sum()) * fraction)
    if not valid.any():
        return losses.sum() * 0
    # Filled rather than picked out: picking's gradient is slow on a GPU.
    known = losses.masked_fill(~valid, -1.0).flatten()
    return known.topk(max(1, keep), sorted=False).values.mean()


def partial_log_likelihood(log_probabilities: Tensor, target: Tensor) -> Tensor:
    """Logarithm of the probability that a pixel is one of the classes its label leaves open.

    Args:
        log_probabilities: ``(N, C, H, W)``.
        target: ``(N, H, W)`` mask values.

    Returns:
        ``(N, H, W)``; 0 where nothing is known.
    """
    ids = torch.where(target < NUM_CLASSES, target, 0).long()
    log_truth = log_probabilities.gather(1, ids[:, None])[:, 0]
    for value, classes in PARTIAL.items():
        here = target == value
        if here.any():
            several = log_probabilities[:, list(classes)].logsumexp(1)
            log_truth = torch.where(here, several, log_truth)
    return log_truth.masked_fill(target == UNKNOWN, 0.0)


def cross_entropy_and_dice(
    logits: Tensor, target: Tensor, weight: Tensor, fraction: float
) -> tuple[Tensor, Tensor]:
    """Both losses from one softmax.

    Args:
        logits: ``(N, C, H, W)``, any precision; computed in f32.
        target: ``(N, H, W)`` mask values.
        weight: ``(C,)`` for the cross-entropy; pixels with several possible classes weigh 1.
        fraction: share of the pixels, the hardest, that the cross-entropy averages.

    Returns:
        Cross-entropy, and one minus the dice coefficient averaged over the classes that the batch
        shows (Milletari et al., "V-Net", 2016), pooled over the batch's pixels whose labels say
        yes or no to the class.
    """
    log_probabilities = F.log_softmax(logits.float(), dim=1)
    log_truth = partial_log_likelihood(log_probabilities, target)
    named = target < NUM_CLASSES
    ids = torch.where(named, target, 0).long()
    weights = torch.where(named, weight[ids], 1.0)
    cross_entropy = hard_pixel_mean(-log_truth * weights, target != UNKNOWN, fraction)

    probabilities = log_probabilities.exp()
    classes = torch.arange(logits.shape[1], device=logits.device).view(1, -1, 1, 1)
    shown = target[:, None] == classes
    overlap = (probabilities * shown).sum((0, 2, 3))
    truth = shown.sum((0, 2, 3)).to(overlap.dtype)
    predicted = _decided_mass(probabilities, target)
    present = truth > 0
    if not present.any():
        return cross_entropy, logits.sum() * 0
    dice = (2 * overlap + 1) / (predicted + truth + 1)
    return cross_entropy, 1 - dice[present].mean()


def _decided_mass(probabilities: Tensor, target: Tensor) -> Tensor:
    """Probability of each class, ``(C,)``, summed over the pixels that decide about it."""
    named = (target < NUM_CLASSES)[:, None].to(probabilities.dtype)
    total = (probabilities * named).sum((0, 2, 3))
    for value in PARTIAL:
        here = (target == value)[:, None]
        if here.any():
            decided = torch.from_numpy(decided_classes()[value].copy()).to(total)
            total = total + (probabilities * here.to(total.dtype)).sum((0, 2, 3)) * decided
    return total


def distillation(student: Tensor, teacher: Tensor, temperature: float = 2.0) -> Tensor:
    """Kullback-Leibler divergence of a student's classes from its teacher's, per pixel.

    Hinton et al., "Distilling the Knowledge in a Neural Network", 2015; scaled by the squared
    temperature so that its gradients keep their size.

    Args:
        student, teacher: logits ``(N, C, H, W)`` of equal shape; no gradient goes to the teacher.
    """
    if student.shape != teacher.shape:
        teacher = F.interpolate(
            teacher.float(), student.shape[2:], mode="bilinear", align_corners=True
        )
    wanted = F.log_softmax(teacher.detach().float() / temperature, dim=1)
    found = F.log_softmax(student.float() / temperature, dim=1)
    divergence = F.kl_div(found, wanted, reduction="none", log_target=True).sum(1)
    return divergence.mean() * temperature**2


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
        mask: ``(N, H, W)`` uint8, with the values of ``bisenet.data.partial_labels``.
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
