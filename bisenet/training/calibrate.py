"""After training: how readily each class is called, set on the training faces.

Training weighs hard pixels and rare classes more than they are frequent, so the network calls small
regions too readily: it finds nine tenths of the brows' pixels, and a quarter of what it calls brow
is none. An offset to each class's logit corrects this afterwards (post-hoc logit adjustment, Menon
et al., "Long-tail learning via logit adjustment", ICLR 2021); here the offsets are the ones that
score best.

The published network has no offsets, and the weights shall fit it, so the classifier takes them up:
a direction in which all features have nearly the same length stands for a constant.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from bisenet.classes import mirror_lut
from bisenet.evaluation.metrics import confusion_matrix, iou_and_f1, mean_of
from bisenet.model import BiSeNet
from bisenet.training.augment import IGNORE
from bisenet.training.dataset import Pair
from bisenet.training.loop import normalise
from bisenet.training.losses import at_stride

STEPS = (0.6, 0.3, 0.15)
ROUNDS = 2


@dataclass(frozen=True)
class Calibration:
    """What was set: an offset a class ``(C,)``, and mIoU plus mean F1, 0..2, before and after.

    ``unevenness`` is the root mean square by which the stand-in of the constant 1 is off.
    """

    offsets: NDArray[np.float32]
    before: float
    after: float
    unevenness: float


@torch.no_grad()
def calibrate(
    model: BiSeNet, faces: Iterable[Pair], device: torch.device, bf16: bool = False
) -> Calibration:
    """Set the main head's classifier, in place, to score best on some faces.

    Args:
        model: trained, in f32.
        faces: photos ``(S, S, 3)`` uint8 with their masks ``(S, S)``, 255 ignored; S a multiple
            of 32. Faces that it was trained on, never ones that it will be scored on.
        device: where the model is.
        bf16: look at them in bf16, which is faster.
    """
    model.eval()
    logits: list[NDArray[np.float16]] = []
    truth: list[NDArray[np.uint8]] = []
    features: list[Tensor] = []
    width = model.head.classifier.in_channels
    gram = torch.zeros(width, width, dtype=torch.float64, device=device)
    total = torch.zeros(width, dtype=torch.float64, device=device)
    hook = model.head.conv.register_forward_hook(lambda _module, _x, out: features.append(out))
    try:
        for image, mask in faces:
            x = torch.tensor(image, device=device).permute(2, 0, 1)[None]
            with torch.autocast(device.type, torch.bfloat16, enabled=bf16):
                (output,) = model.forward_heads(normalise(x))
            seen = features.pop()[0].flatten(1).float()
            gram += seen @ seen.T
            total += seen.sum(1)
            logits.append(output[0].flatten(1).half().cpu().numpy())
            small = at_stride(torch.tensor(mask)[None], output.shape[2:])
            truth.append(small.flatten().numpy())
    finally:
        hook.remove()
    direction, unevenness = _constant(gram, total, sum(len(t) for t in truth))
    table, known = np.concatenate(logits, axis=1).astype(np.float32), np.concatenate(truth)
    table, known = table[:, known != IGNORE], known[known != IGNORE]
    offsets, before, _ = fit_offsets(table, known)
    # Left and right alike, so that a mirrored photo still gives the mirrored labels.
    twins = offsets[mirror_lut()[: len(offsets)]]
    offsets = np.asarray((offsets + twins) / 2, dtype=np.float32)
    after = _score(known, (table + offsets[:, None]).argmax(axis=0))
    step = torch.tensor(offsets, device=device)[:, None] * direction.float()[None]
    model.head.classifier.weight += step[:, :, None, None]
    return Calibration(offsets, before, after, unevenness)


def at_size(face: Pair, size: int) -> Pair:
    """A face and its mask as a square of ``size`` pixels."""
    image, mask = face
    if mask.shape == (size, size):
        return face
    how = cv2.INTER_AREA if max(mask.shape) > size else cv2.INTER_LINEAR
    return (
        np.asarray(cv2.resize(image, (size, size), interpolation=how), np.uint8),
        np.asarray(cv2.resize(mask, (size, size), interpolation=cv2.INTER_NEAREST), np.uint8),
    )


def fit_offsets(
    logits: NDArray[np.float32], truth: NDArray[np.uint8]
) -> tuple[NDArray[np.float32], float, float]:
    """Offsets that score best, found one class after the other.

    Args:
        logits: ``(C, P)``.
        truth: class ids, ``(P,)``.

    Returns:
        Offsets ``(C,)``, and mIoU plus mean F1 (foreground) without and with them.
    """
    offsets = np.zeros(len(logits), np.float32)
    best = before = _score(truth, logits.argmax(axis=0))
    for size in STEPS:
        for _ in range(ROUNDS):
            for c in range(len(logits)):
                moved = logits + offsets[:, None]
                own = moved[c].copy()
                moved[c] = -np.inf
                rival = moved.argmax(axis=0)
                lead = own - np.take_along_axis(moved, rival[None], axis=0)[0]
                for step in (-size, size):
                    value = _score(truth, np.where(lead + step > 0, c, rival))
                    if value > best + 1e-6:
                        best, chosen = value, offsets[c] + step
                        offsets = np.where(np.arange(len(offsets)) == c, chosen, offsets)
                        lead += step
                        break
    return offsets.astype(np.float32), before, best


def _score(truth: NDArray[np.uint8], labels: NDArray[np.intp]) -> float:
    iou, f1 = iou_and_f1(confusion_matrix(truth, labels.astype(np.uint8)))
    return mean_of(iou) + mean_of(f1[1:])


def _constant(gram: Tensor, total: Tensor, count: int) -> tuple[Tensor, float]:
    """The direction ``(D,)`` along which features are nearest to 1, and how far off they are."""
    ridge = 1e-6 * gram.diagonal().mean() * torch.eye(len(gram), dtype=gram.dtype)
    direction = torch.linalg.solve(gram + ridge.to(gram.device), total)
    error = direction @ gram @ direction - 2 * direction @ total + count
    return direction, float((error.clamp(min=0) / count).sqrt())
