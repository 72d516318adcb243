"""Training: a folder of faces and masks in, weights out, resumable at every epoch."""

from __future__ import annotations

import csv
import dataclasses
import io
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from torch import nn
from torch.utils.data import DataLoader

from bisenet.classes import NUM_CLASSES
from bisenet.model import BackboneName, BiSeNet
from bisenet.training.augment import GENTLE, AugmentConfig
from bisenet.training.checkpoint import (
    export_weights,
    load_checkpoint,
    save_checkpoint,
    write_json,
    write_text,
)
from bisenet.training.dataset import (
    DataError,
    EpochSampler,
    FaceDataset,
    find_faces,
    load_faces,
    repeat_factors,
)
from bisenet.training.ema import ModelEma
from bisenet.training.loop import Progress, Step, format_time, grouped, score
from bisenet.training.losses import class_weights
from bisenet.training.replicas import Replicas
from bisenet.training.schedule import Phase, learning_rate, parse_phases, phase_at

CHECKPOINT, CONFIG, METRICS = "checkpoint.pt", "config.json", "metrics.csv"


@dataclass(frozen=True)
class TrainConfig:
    """One run. Everything but ``data`` and ``out`` decides the result and is kept with it.

    Attributes:
        data: faces to learn from; with ``train/`` and ``val/`` inside, those two are used.
        val: faces to score on, never learned from; None holds back ``hold_out`` of ``data``.
        phases: ``SIZE[xBATCH]:LENGTH,...``, lengths in epochs, or shares of ``minutes``.
        minutes: bound the run by time; such a run depends on the machine's speed.
        replicas: threads that each run their part of a batch; for CPUs shared with other work.
        hard_fraction: share of the pixels, the hardest, that the cross-entropy looks at.
        augment_last: augmentation in the last of several phases.
        score_every: epochs between scores on val, at ``score_size`` pixels.
    """

    data: Path
    out: Path
    val: Path | None = None
    labels: str = "celebamask-hq"
    start: str | None = None
    backbone: BackboneName = "resnet18"
    phases: str = "288:30,384:30,512x12:12"
    batch: int = 16
    accumulate: int = 1
    minutes: float | None = None
    peak: float = 2e-3
    floor: float = 1e-5
    warmup: int = 200
    weight_decay: float = 0.02
    ema: float = 0.998
    repeat_threshold: float = 0.3
    hard_fraction: float = 0.4
    hold_out: float = 0.1
    score_every: int = 2
    score_size: int = 512
    seed: int = 0
    workers: int = 1
    replicas: int = 1
    keep_in_memory: bool = True
    bf16: bool = True
    augment: AugmentConfig = dataclasses.field(default_factory=AugmentConfig)
    augment_last: AugmentConfig = GENTLE


def _split(config: TrainConfig) -> tuple[list[Any], list[Any]]:
    """The faces to learn from and those to score on."""
    root, val = config.data, config.val
    if (root / "train").is_dir():
        val = val or (root / "val" if (root / "val").is_dir() else None)
        root = root / "train"
    if not root.is_dir():
        raise DataError(f"{root}: no such folder.")
    faces = find_faces(root, config.labels)
    if val is not None:
        return faces, find_faces(val, config.labels)
    held = round(len(faces) * config.hold_out)
    order = np.random.default_rng((config.seed, 3)).permutation(len(faces))
    chosen = set(order[:held].tolist())
    return (
        [f for i, f in enumerate(faces) if i not in chosen],
        [f for i, f in enumerate(faces) if i in chosen],
    )


def _optimizer(model: nn.Module, config: TrainConfig) -> torch.optim.AdamW:
    # Decay pulls convolutions only: it has no place on normalisation's scales and offsets.
    decayed = [p for p in model.parameters() if p.ndim > 1]
    others = [p for p in model.parameters() if p.ndim <= 1]
    groups: list[dict[str, Any]] = [{"params": decayed}, {"params": others, "weight_decay": 0.0}]
    return torch.optim.AdamW(groups, lr=config.peak, weight_decay=config.weight_decay, fused=True)


def _one_thread(_worker: int) -> None:
    cv2.setNumThreads(0)
    torch.set_num_threads(1)


class Trainer:
    """A run: set up by the configuration, carried on by ``resume``, started by ``run``.

    Raises:
        DataError: the data cannot be used; every bad file is named.
    """

    def __init__(self, config: TrainConfig):
        self.config = config
        self.phases = parse_phases(config.phases, config.batch)
        train_files, val_files = _split(config)
        faces, counts = load_faces(train_files, config.keep_in_memory)
        self.val_files, (self.val_faces, _) = val_files, load_faces(val_files)
        self.dataset = FaceDataset(
            train_files, faces, counts, config.augment, config.seed, config.augment_last
        )
        self.sampler = EpochSampler(repeat_factors(counts, config.repeat_threshold), config.seed)
        self.device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
        torch.manual_seed(config.seed)
        model = self._first_model().to(self.device)
        model = model.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        weight = class_weights(counts.sum(0)).to(self.device)
        self.model = model
        self.step = Step(
            replicas=Replicas(model, config.replicas),
            ema=ModelEma(model, config.ema),
            optimizer=_optimizer(model, config),
            weight=weight,
            device=self.device,
            bf16=config.bf16,
            accumulate=config.accumulate,
            fraction=config.hard_fraction,
        )
        self.epoch, self.steps, self.seconds = 0, 0, 0.0
        self.history: list[dict[str, Any]] = []

    def _first_model(self) -> BiSeNet:
        if self.config.start is None:
            return BiSeNet(NUM_CLASSES, self.config.backbone)
        from bisenet.weights import load_model

        return load_model(self.config.start)

    def resume(self, path: Path) -> None:
        """Go on from a checkpoint, exactly as if the run had not stopped.

        Raises:
            ValueError: the checkpoint is damaged or belongs to another network.
        """
        state = load_checkpoint(path)
        try:
            self.model.load_state_dict(state["model"])
            self.step.ema.model.load_state_dict(state["ema"])
            self.step.optimizer.load_state_dict(state["optimizer"])
        except (RuntimeError, KeyError) as error:
            raise ValueError(f"{path}: made for another network ({error})") from error
        self.step.ema.steps = state["ema_steps"]
        self.epoch, self.steps = state["epoch"], state["steps"]
        self.seconds, self.history = state["seconds"], state["history"]
        torch.set_rng_state(state["random"])

    def _save(self) -> None:
        out = self.config.out
        state = {
            "model": self.model.state_dict(),
            "ema": self.step.ema.model.state_dict(),
            "ema_steps": self.step.ema.steps,
            "optimizer": self.step.optimizer.state_dict(),
            "epoch": self.epoch,
            "steps": self.steps,
            "seconds": self.seconds,
            "history": self.history,
            "random": torch.get_rng_state(),
        }
        save_checkpoint(out / CHECKPOINT, state)
        table = io.StringIO()
        writer = csv.DictWriter(table, fieldnames=list(self.history[0]))
        writer.writeheader()
        writer.writerows(self.history)
        write_text(out / METRICS, table.getvalue())

    def run(self) -> Path:
        """Train to the end; returns the path of the exported weights."""
        config = self.config
        config.out.mkdir(parents=True, exist_ok=True)
        write_json(config.out / CONFIG, _plain(config))
        loader: DataLoader[Any] = DataLoader(
            self.dataset,
            batch_sampler=self.sampler,
            num_workers=config.workers,
            worker_init_fn=_one_thread,
            persistent_workers=config.workers > 0,
            prefetch_factor=4 if config.workers else None,
        )
        while not self._finished():
            self._run_epoch(loader)
        path = config.out / f"bisenet_{self.model.backbone_name}.safetensors"
        export_weights(path, self.step.ema.model.state_dict(), {"format": "pt"})
        return path

    def _total_epochs(self) -> float:
        return sum(p.length for p in self.phases)

    def _progress(self, share: float, elapsed: float) -> float:
        """Share of the run that is done; ``share`` is that of the current epoch."""
        if self.config.minutes is not None:
            return (self.seconds + elapsed) / (self.config.minutes * 60)
        return (self.epoch + share) / self._total_epochs()

    def _finished(self) -> bool:
        if self.config.minutes is None:
            return self.epoch >= self._total_epochs() - 1e-6
        return self._progress(0, 0) >= 1

    def _run_epoch(self, loader: DataLoader[Any]) -> None:
        config, started = self.config, time.monotonic()
        phase = phase_at(self.phases, self._progress(0, 0))
        last = len(self.phases) > 1 and phase is self.phases[-1]
        self.sampler.set_epoch(self.epoch, phase.size, phase.batch, gentle=last)
        count = -(-len(self.sampler) // config.accumulate)
        progress = Progress(f"epoch {self.epoch + 1} at {phase.size}", count)
        self.step.replicas.train()
        losses: list[float] = []
        rate = 0.0
        for i, batches in enumerate(grouped(loader, config.accumulate)):
            elapsed = time.monotonic() - started
            done = self._progress(i / count, elapsed)
            if done >= 1 and losses:  # out of time: the last epoch is cut short
                break
            rate = learning_rate(done, self.steps, config.peak, config.floor, config.warmup)
            losses.append(self.step(batches, rate))
            self.steps += 1
            left = (self.seconds + elapsed) * (1 / max(done, 1e-6) - 1)
            images = sum(len(images) for images, _ in batches)
            progress.update(i, images, float(np.mean(losses[-20:])), left, self._last_score())
        self.epoch += 1
        self._close_epoch(phase, float(np.mean(losses)), rate, started, progress)

    def _close_epoch(
        self, phase: Phase, loss: float, rate: float, started: float, progress: Progress
    ) -> None:
        config = self.config
        row: dict[str, Any] = {
            "epoch": self.epoch,
            "steps": self.steps,
            "size": phase.size,
            "rate": rate,
            "loss": loss,
            "images_per_second": progress.images / (time.monotonic() - started),
            "miou": "",
            "mean_f1": "",
        }
        before = self.seconds
        self.seconds = before + time.monotonic() - started
        row["seconds"] = self.seconds - before
        self.history.append(row)
        scored = self.val_files and (self.epoch % config.score_every == 0 or self._finished())
        if scored:
            faces = self.val_faces
            assert faces is not None
            scores = score(
                self.step.ema.model,
                lambda i: faces[i],
                len(faces),
                config.score_size,
                self.device,
                config.bf16,
            )
            row["miou"], row["mean_f1"] = round(scores.miou, 5), round(scores.mean_f1, 5)
            report = scores.as_dict() | {"epoch": self.epoch}
            write_json(config.out / "scores.json", report)
        self.seconds = before + time.monotonic() - started
        row["total_seconds"] = self.seconds
        self._save()
        print(
            f"epoch {self.epoch} done in {row['seconds']:.0f} s  loss {loss:.4f}  "
            f"{self._last_score()}  {format_time(self.seconds)} so far",
            file=sys.stderr,
            flush=True,
        )

    def _last_score(self) -> str:
        for row in reversed(self.history):
            if row["miou"] != "":
                return f"mIoU {row['miou']:.3f} F1 {row['mean_f1']:.3f} (epoch {row['epoch']})"
        return "not scored yet"


def _plain(config: TrainConfig) -> dict[str, Any]:
    values = dataclasses.asdict(config)
    return {k: str(v) if isinstance(v, Path) else v for k, v in values.items()}
