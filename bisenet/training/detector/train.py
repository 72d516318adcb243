"""Training the face detector: scenes made as they are needed, one process, resumable."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import numpy as np
import torch
from safetensors.numpy import save as to_safetensors
from torch import Tensor

from bisenet.data.faces import find_faces, read_face, read_hashes
from bisenet.detection.detector import (
    CARD,
    MEAN,
    STD,
    Detector,
    Proposal,
    read_weights,
    shipped_detector,
)
from bisenet.detection.finder import Finder
from bisenet.engines import open_engine
from bisenet.network.detector import DetectorNet, folded, from_folded
from bisenet.network.weights import file_hash
from bisenet.runtime.atomic import write_atomically, write_json
from bisenet.training.checkpoint import save_checkpoint
from bisenet.training.detector.loss import encode, loss
from bisenet.training.detector.photos import FacePhoto, face_photos
from bisenet.training.detector.scenes import SceneMaker
from bisenet.training.detector.targets import Target
from bisenet.training.ema import average_of
from bisenet.training.loop import optimizer_of

CHECKPOINT, WEIGHTS = "finder.pt", "face_finder.safetensors"


@dataclass(frozen=True)
class DetectorConfig:
    """A run.

    Attributes:
        data: aligned faces with masks to learn from; with ``train/`` inside, that is used.
        out: folder for checkpoint and weights.
        size: side of the scenes, a multiple of 128.
        peak: highest learning rate.
        backgrounds: how many are made ahead.
        licence: of the faces, for the weights' card.
        photos: folders of whole photos to learn from besides, with masks or without.
        photos_limit: most photos of a folder.
        held_out: lists of the photos' SHA-256 that stay out of training.
        start: card of weights to go on from, in place of a random start.
    """

    data: Path
    out: Path
    steps: int = 4500
    batch: int = 16
    size: int = 384
    peak: float = 2e-3
    seed: int = 0
    backgrounds: int = 500
    labels: str = "celebamask-hq"
    licence: str = "CelebAMask-HQ: non-commercial research and education"
    bf16: bool = True
    save_every: int = 100
    photos: tuple[Path, ...] = ()
    photos_limit: int = 500
    held_out: tuple[Path, ...] = ()
    start: Path | None = None


class DetectorTrainer:
    """One run: AdamW, one cycle of the learning rate, an average of the weights over the end.

    Raises:
        DataError: the faces cannot be read.
    """

    def __init__(self, config: DetectorConfig, say: Callable[[str], None] = print):
        self.config, self.say = config, say
        torch.manual_seed(config.seed)
        inner = config.data / "train"
        root = inner if inner.is_dir() else config.data
        pairs = [read_face(file) for file in find_faces(root, config.labels)]
        self.faces = len(pairs)
        photos = _photos(config)
        self.photos = sum(map(len, photos))
        self.maker = SceneMaker(pairs, config.seed, config.backgrounds, photos)
        net = DetectorNet() if config.start is None else from_folded(read_weights(config.start))
        # The layout that its convolutions run in.
        self.net = net.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.average = average_of(self.net, 0.998)
        self.optimiser = optimizer_of(self.net, config.peak, weight_decay=0.02)
        self.step = 0

    def resume(self) -> None:
        """Go on from the checkpoint in ``out``."""
        content = torch.load(self.config.out / CHECKPOINT, weights_only=True)
        self.net.load_state_dict(content["net"])
        self.optimiser.load_state_dict(content["optimiser"])
        self.average.module.load_state_dict(content["average"])
        self.step = content["step"]
        self.average.n_averaged.fill_(self.step)

    def run(self) -> Path:
        """Train to the last step and write the weights; returns their card."""
        self.config.out.mkdir(parents=True, exist_ok=True)
        self.net.train()
        start, sums, count = time.process_time(), np.zeros(2), 0
        while not self._finished():
            rate = self._rate()
            for group in self.optimiser.param_groups:
                group["lr"] = rate
            pixels, truth = self.batch(self.step)
            with torch.autocast("cpu", torch.bfloat16, enabled=self.config.bf16):
                outputs = self.net(pixels)
            focal, crops = loss(outputs, truth)
            self.optimiser.zero_grad()
            (focal + crops).backward()
            torch.nn.utils.clip_grad_norm_(self.net.parameters(), 5.0)
            self.optimiser.step()
            self.step += 1
            self.average.update_parameters(self.net)
            sums += (float(focal.detach()), float(crops.detach()))
            count += 1
            if self.step % self.config.save_every == 0:
                spent = time.process_time() - start
                heat, framing = sums / count
                self.say(f"{self.step} heat {heat:.3f} crops {framing:.3f} {rate:.1e} {spent:.0f}s")
                sums, count = np.zeros(2), 0
                self.save()
        return self.save()

    def batch(self, step: int) -> tuple[Tensor, Tensor]:
        """Scenes ``(N, 3, S, S)`` normalised f32 and their targets, the same for the same step."""
        size = self.config.size
        images, truths = [], []
        for number in range(self.config.batch):
            rng = np.random.default_rng((self.config.seed, 3, step, number))
            image, targets = self.maker.scene(rng, size)
            images.append(image)
            truths.append(encode(targets, size))
        pixels = torch.from_numpy(np.stack(images)).permute(0, 3, 1, 2).float()
        return (pixels - MEAN) / STD, torch.from_numpy(np.stack(truths))

    def save(self) -> Path:
        """Write the checkpoint, and the averaged weights with their card as serving reads them."""
        content = {
            "net": self.net.state_dict(),
            "optimiser": self.optimiser.state_dict(),
            "average": self.average.module.state_dict(),
            "step": self.step,
        }
        save_checkpoint(self.config.out / CHECKPOINT, content)
        weights = self.config.out / WEIGHTS
        state = folded(cast(DetectorNet, self.average.module))
        halves = {k: np.ascontiguousarray(v, np.float16) for k, v in state.items()}
        write_atomically(weights, lambda file: file.write(to_safetensors(halves)))
        card = {
            "file": weights.name,
            "sha256": file_hash(weights),
            "made": f"{self.faces} faces{f' and {self.photos} photos' if self.photos else ''}, "
            f"{self.step} steps of {self.config.batch} scenes of {self.config.size} pixels"
            + (" from earlier weights" if self.config.start else ""),
            "licence": self.config.licence,
        }
        write_json(self.config.out / CARD, card)
        return self.config.out / CARD

    def _finished(self) -> bool:
        return self.step >= self.config.steps

    def _rate(self) -> float:
        done = self.step / self.config.steps
        warm = min(1.0, (self.step + 1) / 150)
        return float(self.config.peak * warm * (0.5 + 0.5 * np.cos(np.pi * done)) + 1e-5)


def _photos(config: DetectorConfig) -> list[list[FacePhoto]]:
    """The whole photos, a list a folder; those whose faces are not sure are left out."""
    if not config.photos:
        return []
    held_out = frozenset[str]().union(*(read_hashes(path) for path in config.held_out))
    finder = Finder(open_engine("auto", "default").infer_pixels)
    detector = shipped_detector()
    return [
        list(face_photos(root, finder, detector, held_out, config.labels, config.photos_limit))
        for root in config.photos
    ]


@dataclass(frozen=True)
class DetectorScore:
    """Of the faces in scenes, the share proposed; and proposals that are no faces, a scene."""

    scenes: int
    faces: int
    recall: float
    false_a_scene: float


def score(
    detector: Detector, maker: SceneMaker, scenes: int, least: float, size: int = 384
) -> DetectorScore:
    """How well a detector proposes on scenes that it was not trained on.

    Args:
        maker: of faces that it did not learn from.
        least: lowest score of a proposal.
    """
    faces = found = false = 0
    for number in range(scenes):
        image, targets = maker.scene(np.random.default_rng((number, 11)), size)
        seen = detector.propose(image, size, least)
        counted = [t for t in targets if t.counts]
        faces += len(counted)
        found += sum(any(_meets(c, t) for c in seen) for t in counted)
        false += sum(not any(_meets(c, t) for t in targets) for c in seen)
    return DetectorScore(scenes, faces, found / max(1, faces), false / scenes)


def _meets(proposal: Proposal, target: Target) -> bool:
    away = np.hypot(proposal.centre[0] - target.centre[0], proposal.centre[1] - target.centre[1])
    return bool(away < 0.3 * target.side and 0.6 < proposal.side / target.side < 1.6)
