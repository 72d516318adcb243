"""One epoch of steps, and a score: what the run repeats."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel

from bisenet.data.device_jitter import jitter
from bisenet.data.types import Image, Mask, Pair
from bisenet.evaluation.metrics import Scores
from bisenet.geometry.crops import MEAN, STD
from bisenet.network.bisenet import BiSeNet
from bisenet.training.losses import distillation, training_loss
from bisenet.training.replicas import Replicas

Batch = tuple[Tensor, Tensor]


def normalise(images: Tensor) -> Tensor:
    """Images ``(N, 3, H, W)``, 0..255, to what the network takes, channels last in memory."""
    mean = torch.tensor(MEAN * 255, device=images.device).view(1, 3, 1, 1)
    scale = torch.tensor(1 / (STD * 255), device=images.device).view(1, 3, 1, 1)
    return ((images.float() - mean) * scale).contiguous(memory_format=torch.channels_last)


def optimizer_of(model: nn.Module, peak: float, weight_decay: float) -> torch.optim.AdamW:
    """AdamW whose decay pulls convolutions only, not normalisation's scales and offsets."""
    decayed = [p for p in model.parameters() if p.ndim > 1]
    others = [p for p in model.parameters() if p.ndim <= 1]
    groups: list[dict[str, Any]] = [{"params": decayed}, {"params": others, "weight_decay": 0.0}]
    return torch.optim.AdamW(groups, lr=peak, weight_decay=weight_decay, fused=True)


@dataclass
class Learner:
    """A network in training, its average and its optimizer.

    ``peak`` is its highest learning rate; a step is given the share of it.
    """

    replicas: Replicas
    average: AveragedModel
    optimizer: torch.optim.Optimizer
    peak: float

    @property
    def model(self) -> BiSeNet:
        """The network whose weights the optimizer changes."""
        return self.replicas.models[0]

    def begin(self, share: float) -> None:
        """Set the learning rate and forget the last step's gradients."""
        for group in self.optimizer.param_groups:
            group["lr"] = share * self.peak
        self.optimizer.zero_grad(set_to_none=True)

    def finish(self, clip: float) -> None:
        """Clip the gradients, step, and let the average follow."""
        nn.utils.clip_grad_norm_(self.model.parameters(), clip)
        self.optimizer.step()
        self.average.update_parameters(self.model)


@dataclass
class Step:
    """What an optimizer step needs besides the batch.

    Attributes:
        teacher: a finished network whose logits the first learner follows too.
        student: a second network that learns from the same batches and from the first one's
            logits while both are in training, at every ``student_every``-th step.
        follow: weight of the distillation loss.
        vary: give each batch a variation of its own on the device.
        pieces: batches that are joined into one on the device.
    """

    learner: Learner
    weight: Tensor
    device: torch.device
    bf16: bool
    accumulate: int = 1
    clip: float = 5.0
    fraction: float = 0.4
    teacher: BiSeNet | None = None
    student: Learner | None = None
    follow: float = 1.0
    vary: bool = False
    pieces: int = 1
    student_every: int = 1
    steps: int = 0

    def __call__(self, batches: Sequence[Batch], share: float) -> float:
        """One step over one or more batches, whose gradients add up; returns the loss.

        Args:
            batches: ``pieces`` times as many as gradients are added up of.
            share: of the highest learning rate.

        Raises:
            FloatingPointError: the loss is not finite.
        """
        self.steps += 1
        with_student = self.student is not None and self.steps % self.student_every == 0
        learners = [self.learner, *([self.student] if self.student and with_student else [])]
        for learner in learners:
            learner.begin(share)
        starts = range(0, len(batches), self.pieces)
        total = sum(
            self._backward(
                *self._ready(batches[i : i + self.pieces]), len(starts), with_student=with_student
            )
            for i in starts
        )
        if not np.isfinite(total):
            raise FloatingPointError("The loss is no longer a number; lower the learning rate.")
        for learner in learners:
            learner.finish(self.clip)
        return total

    def _ready(self, pieces: Sequence[Batch]) -> Batch:
        """The pieces as one batch, ``(N, 3, S, S)`` and ``(N, S, S)``, on the device."""
        images, masks = (
            torch.cat([part.to(self.device, non_blocking=True) for part in parts])
            for parts in zip(*pieces, strict=True)
        )
        if self.vary:
            images, masks = jitter(images, masks)
        return images, masks

    def _backward(self, images: Tensor, masks: Tensor, parts: int, with_student: bool) -> float:
        kept: list[tuple[Tensor, Tensor]] = []

        def loss_of(model: BiSeNet, images: Tensor, masks: Tensor) -> Tensor:
            x = normalise(images)
            with self._autocast():
                outputs = model.forward_heads(x)
            loss = training_loss(outputs, masks, self.weight, self.fraction)
            if self.teacher is not None:
                with torch.no_grad(), self._autocast():
                    wanted = self.teacher.forward_heads(x)[0]
                loss = loss + self.follow * distillation(outputs[0], wanted)
            if with_student:
                kept.append((x, outputs[0].detach()))
            return loss / parts

        total = self.learner.replicas.backward(images, masks, loss_of)
        if self.student is not None and with_student:
            (x, wanted), *_ = kept
            with self._autocast():
                outputs = self.student.model.forward_heads(x)
            loss = training_loss(outputs, masks, self.weight, self.fraction)
            loss = (loss + self.follow * distillation(outputs[0], wanted)) / parts
            loss.backward()
        return total

    def _autocast(self) -> torch.autocast:
        return torch.autocast(self.device.type, torch.bfloat16, enabled=self.bf16)


def grouped(batches: Iterable[Batch], count: int) -> Iterator[list[Batch]]:
    """Batches in groups of ``count``; a last, smaller group is kept."""
    group: list[Batch] = []
    for batch in batches:
        group.append(batch)
        if len(group) == count:
            yield group
            group = []
    if group:
        yield group


def echoed(
    groups: Iterable[list[Batch]], times: int, rng: np.random.Generator, kept: int = 16
) -> Iterator[list[Batch]]:
    """Each group, and after it ``times - 1`` of the last ``kept`` ones drawn at random."""
    recent: list[list[Batch]] = []
    for group in groups:
        yield group
        if times > 1:
            recent = [*recent[1 - kept :], group]
            for _ in range(times - 1):
                yield recent[int(rng.integers(len(recent)))]


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
def predict(model: BiSeNet, image: Image, size: int, device: torch.device, bf16: bool) -> Mask:
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
    faces: Sequence[Pair],
    size: int,
    device: torch.device,
    bf16: bool,
) -> Scores:
    """Scores of a model over photos with masks, at the masks' resolution."""
    model.eval()
    scores = Scores(with_boundary=False)
    for image, mask in faces:
        scores.add(mask, predict(model, image, size, device, bf16))
    return scores
