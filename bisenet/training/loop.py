"""One epoch of steps, and a score: what the run repeats."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import cv2
import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn

from bisenet.evaluation.metrics import Scores
from bisenet.faces import MEAN, STD
from bisenet.model import BiSeNet
from bisenet.training.ema import ModelEma
from bisenet.training.losses import training_loss
from bisenet.training.replicas import Replicas


def normalise(images: Tensor) -> Tensor:
    """Bytes ``(N, 3, H, W)`` to what the network takes, channels last in memory."""
    mean = torch.tensor(MEAN * 255, device=images.device).view(1, 3, 1, 1)
    scale = torch.tensor(1 / (STD * 255), device=images.device).view(1, 3, 1, 1)
    return ((images.float() - mean) * scale).contiguous(memory_format=torch.channels_last)


@dataclass
class Step:
    """What an optimizer step needs besides the batch."""

    replicas: Replicas
    ema: ModelEma[BiSeNet]
    optimizer: torch.optim.Optimizer
    weight: Tensor
    device: torch.device
    bf16: bool
    accumulate: int = 1
    clip: float = 5.0
    fraction: float = 0.4

    def __call__(self, batches: Sequence[tuple[Tensor, Tensor]], rate: float) -> float:
        """One step over one or more batches, whose gradients add up; returns the loss.

        Raises:
            FloatingPointError: the loss is not finite.
        """
        model = self.replicas.models[0]
        for group in self.optimizer.param_groups:
            group["lr"] = rate
        self.optimizer.zero_grad(set_to_none=True)

        def loss_of(model: BiSeNet, images: Tensor, masks: Tensor) -> Tensor:
            x = normalise(images.to(self.device))
            with torch.autocast(self.device.type, torch.bfloat16, enabled=self.bf16):
                outputs = model.forward_heads(x)
            target = masks.to(self.device)
            return training_loss(outputs, target, self.weight, self.fraction) / len(batches)

        total = sum(self.replicas.backward(*batch, loss_of) for batch in batches)
        if not np.isfinite(total):
            raise FloatingPointError("The loss is no longer a number; lower the learning rate.")
        nn.utils.clip_grad_norm_(model.parameters(), self.clip)
        self.optimizer.step()
        self.ema.update(model)
        return total


def grouped(
    batches: Iterable[tuple[Tensor, Tensor]], count: int
) -> Iterable[list[tuple[Tensor, Tensor]]]:
    """Batches in groups of ``count``; a last, smaller group is kept."""
    group: list[tuple[Tensor, Tensor]] = []
    for batch in batches:
        group.append(batch)
        if len(group) == count:
            yield group
            group = []
    if group:
        yield group


class Progress:
    """A line on the terminal that rewrites itself; in a log file, a line now and then."""

    def __init__(self, title: str, steps: int, every: float = 60.0):
        self.title, self.steps = title, steps
        self.terminal = sys.stderr.isatty()
        self.every = 1.0 if self.terminal else every
        self.started = self.last = time.monotonic()
        self.images = 0

    def update(self, step: int, images: int, loss: float, left: float, score: str) -> None:
        """Show where the epoch stands; ``left`` is the run's remaining seconds."""
        self.images += images
        now = time.monotonic()
        if now - self.last < self.every and step + 1 < self.steps:
            return
        self.last = now
        rate = self.images / max(now - self.started, 1e-6)
        line = (
            f"{self.title}  step {step + 1}/{self.steps}  {rate:.1f} images/s  loss {loss:.3f}  "
            f"{format_time(left)} left  {score}"
        )
        end = "\n" if not self.terminal or step + 1 == self.steps else ""
        print(f"\r{line}" if self.terminal else line, end=end, file=sys.stderr, flush=True)


def format_time(seconds: float) -> str:
    """Seconds as h:mm:ss."""
    whole = max(0, round(seconds))
    return f"{whole // 3600}:{whole // 60 % 60:02d}:{whole % 60:02d}"


@torch.no_grad()
def predict(
    model: BiSeNet, image: NDArray[np.uint8], size: int, device: torch.device, bf16: bool
) -> NDArray[np.uint8]:
    """Class ids, ``(H, W)``, of a photo ``(H, W, 3)`` that the network sees at ``size``."""
    shape = image.shape[:2]
    if shape != (size, size):
        shrinks = max(shape) > size
        how = cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR
        image = cv2.resize(image, (size, size), interpolation=how).astype(np.uint8)
    pixels = torch.tensor(image, device=device)  # a copy: the photo may be read-only
    x = normalise(pixels.permute(2, 0, 1)[None])
    with torch.autocast(device.type, torch.bfloat16, enabled=bf16):
        logits = model.forward_heads(x)[0]
    full = F.interpolate(logits.float(), shape, mode="bilinear", align_corners=True)
    return full.argmax(1)[0].to("cpu", torch.uint8).numpy()


def score(
    model: BiSeNet,
    face: Callable[[int], tuple[NDArray[np.uint8], NDArray[np.uint8]]],
    count: int,
    size: int,
    device: torch.device,
    bf16: bool,
) -> Scores:
    """Scores of a model over ``count`` faces, at their masks' resolution."""
    model.eval()
    scores = Scores(with_boundary=False)
    for i in range(count):
        image, mask = face(i)
        scores.add(mask, predict(model, image, size, device, bf16))
    return scores
