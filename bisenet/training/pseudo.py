"""Labels made by a network for photos that have none, or only some (self-training).

The mean of the probabilities over several sizes and both mirror images decides. A pixel below
the confidence stays unknown, a photo whose parts do not lie as in a face is left out, and what is
known about a pixel overrules the guess (Xie et al., "Self-training with Noisy
Student", CVPR 2020, for the principle).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from bisenet.classes import (
    BROWS,
    EYES,
    FACE_CLASSES,
    GLASSES,
    MOUTH,
    NOSE,
    NUM_CLASSES,
    mirror_lut,
)
from bisenet.data.partial_labels import UNKNOWN, overruled
from bisenet.data.types import Mask
from bisenet.network.bisenet import BiSeNet
from bisenet.training.loop import normalise

LEAST_FACE = 0.01  # of the photo's pixels
_AROUND_EYES = (*EYES, GLASSES, *BROWS)


@dataclass(frozen=True)
class LabelOptions:
    """How labels are made.

    Attributes:
        sizes: longer sides at which the network sees each photo, pixels, multiples of 32.
        mirror: average with the mirror image too.
        confidence: mean probability below which a pixel is left unknown.
        batch: photos at a time.
    """

    sizes: tuple[int, ...] = (384, 512)
    mirror: bool = True
    confidence: float = 0.6
    batch: int = 4


@torch.no_grad()
def mean_probabilities(
    model: BiSeNet, images: Tensor, options: LabelOptions, bf16: bool = False
) -> Tensor:
    """Class probabilities over all sizes and mirror images, ``(N, 19, H, W)`` f32.

    Args:
        model: in eval mode, on the images' device.
        images: ``(N, 3, H, W)`` uint8 RGB.
    """
    height, width = images.shape[2:]
    twins = torch.from_numpy(mirror_lut()[:NUM_CLASSES].astype(np.int64)).to(images.device)
    total = torch.zeros((len(images), NUM_CLASSES, height, width), device=images.device)
    for size in options.sizes:
        scale = size / max(height, width)
        shape = [max(32, 32 * round(side * scale / 32)) for side in (height, width)]
        small = F.interpolate(images.float(), shape, mode="bilinear", antialias=scale < 1)
        for flip in (False, True) if options.mirror else (False,):
            x = normalise(small.flip(3) if flip else small)
            with torch.autocast(images.device.type, torch.bfloat16, enabled=bf16):
                logits = model.forward_heads(x)[0]
            # The logits' corners lie on the picture's corners, as in the parser.
            full = F.interpolate(
                logits.float(), (height, width), mode="bilinear", align_corners=True
            )
            probabilities = full.softmax(1)
            total += probabilities.flip(3)[:, twins] if flip else probabilities
    return total / (len(options.sizes) * (2 if options.mirror else 1))


def plausible(mask: Mask) -> bool:
    """Whether the parts that a mask ``(H, W)`` shows lie as in a face that is not upside down.

    A nose or an eye and a mouth must be there, eyes above the mouth and the nose between or near
    them; a profile with one eye passes.
    """
    if np.isin(mask, FACE_CLASSES).mean() < LEAST_FACE:
        return False
    rows = {
        name: np.flatnonzero(np.isin(mask, ids).any(1))
        for name, ids in (("eyes", _AROUND_EYES), ("mouth", MOUTH), ("nose", NOSE))
    }
    if not len(rows["eyes"]) or not (len(rows["mouth"]) or len(rows["nose"])):
        return False
    eyes = float(rows["eyes"].mean())
    lower = [float(rows[name].mean()) for name in ("nose", "mouth") if len(rows[name])]
    return all(row > eyes for row in lower) and lower == sorted(lower)


def label_photos(
    model: BiSeNet,
    photos: Sequence[NDArray[np.uint8]],
    options: LabelOptions,
    device: torch.device,
    bf16: bool = False,
    truths: Sequence[Mask] | None = None,
    progress: Callable[[int], None] | None = None,
) -> list[Mask | None]:
    """A mask for each photo ``(H, W, 3)``, ``UNKNOWN`` below the confidence.

    Args:
        model: in eval mode, on ``device``.
        truths: what is known, one a photo, with the values of ``bisenet.data.partial_labels``.
        progress: called with the number of photos done.

    Returns:
        In the photos' order; None for a photo without a plausible face.
    """
    by_shape: dict[tuple[int, ...], list[int]] = defaultdict(list)
    for i, photo in enumerate(photos):
        by_shape[photo.shape[:2]].append(i)
    masks: list[Mask | None] = [None] * len(photos)
    done = 0
    for indices in by_shape.values():
        for start in range(0, len(indices), options.batch):
            chosen = indices[start : start + options.batch]
            images = torch.from_numpy(np.stack([photos[i] for i in chosen])).to(device)
            means = mean_probabilities(model, images.permute(0, 3, 1, 2), options, bf16)
            best = means.max(1)
            guesses = torch.where(best.values < options.confidence, UNKNOWN, best.indices)
            for i, guess in zip(chosen, guesses.to(torch.uint8).cpu().numpy(), strict=True):
                if plausible(guess):
                    masks[i] = overruled(guess, truths[i]) if truths is not None else guess
            done += len(chosen)
            if progress is not None:
                progress(done)
    return masks
