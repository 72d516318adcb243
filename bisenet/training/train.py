"""Training: faces and masks in, weights out, resumable at every epoch."""

from __future__ import annotations

import csv
import io
import sys
import time
from pathlib import Path
from typing import Any, cast

import cv2
import numpy as np
import torch
from torch.utils.data import DataLoader

from bisenet.data.sampling import EpochSampler, FaceDataset, repeat_factors
from bisenet.network.bisenet import BiSeNet
from bisenet.runtime.atomic import write_json, write_text
from bisenet.training.checkpoint import export_weights, load_checkpoint, save_checkpoint
from bisenet.training.config import TrainConfig, as_plain
from bisenet.training.ema import average_of
from bisenet.training.loop import (
    Learner,
    Progress,
    Step,
    echoed,
    format_time,
    grouped,
    optimizer_of,
    score,
)
from bisenet.training.losses import class_weights
from bisenet.training.networks import build, load_from
from bisenet.training.plan import plan_of
from bisenet.training.pseudo import LabelOptions, label_photos
from bisenet.training.recipe import NetworkSpec
from bisenet.training.replicas import Replicas
from bisenet.training.schedule import learning_rate, phase_at

__all__ = ["CHECKPOINT", "CONFIG", "METRICS", "TrainConfig", "Trainer"]

CHECKPOINT, CONFIG, METRICS = "checkpoint.pt", "config.json", "metrics.csv"


def _one_thread(_worker: int) -> None:
    cv2.setNumThreads(0)
    torch.set_num_threads(1)


class Trainer:
    """A run: set up by the configuration, carried on by ``resume``, started by ``run``.

    Raises:
        DataError: the data cannot be used; every bad file is named.
        RecipeError: the recipe cannot be followed; the line is named.
    """

    def __init__(self, config: TrainConfig):
        config, plan = plan_of(config)
        self.config, self.plan = config, plan
        self.dataset = FaceDataset(plan.sources, config.augment, config.seed, config.augment_last)
        self.truths = [
            [mask for _, mask in source.faces] if pseudo and source.faces else []
            for source, pseudo in zip(plan.sources, plan.pseudo, strict=True)
        ]
        self.labelled = 0  # the round whose labels the sources hold
        self.sampler = self._sampler()
        self.device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
        torch.manual_seed(config.seed)
        counts = sum(source.counts.sum(0) for source in plan.sources if source.full)
        student = plan.student
        if student is not None and config.replicas > 1:
            raise ValueError("A student needs the whole batch: use --replicas 1.")
        self.step = Step(
            learner=self._learner(plan.network),
            weight=class_weights(np.asarray(counts)).to(self.device),
            device=self.device,
            bf16=config.bf16,
            accumulate=config.accumulate,
            fraction=config.hard_fraction,
            teacher=self._teacher(),
            student=None if student is None else self._learner(student),
            follow=(student or plan.network).follow,
            vary=config.echo > 1,
            student_every=student.every if student is not None else 1,
        )
        self.model = self.step.learner.model
        self.epoch, self.steps, self.seconds = 0, 0, 0.0
        self.history: list[dict[str, Any]] = []

    def _learner(self, spec: NetworkSpec) -> Learner:
        model = self._placed(build(spec, self._folders()))
        return Learner(
            Replicas(model, self.config.replicas),
            average_of(model, self.config.ema),
            optimizer_of(model, spec.peak, self.config.weight_decay),
            spec.peak,
        )

    def _teacher(self) -> BiSeNet | None:
        if self.plan.teacher is None:
            return None
        return self._placed(load_from(self.plan.teacher, self._folders())).requires_grad_(False)

    def _folders(self) -> tuple[Path, ...]:
        """Where files that a recipe names are looked for."""
        recipe = self.config.recipe
        return (self.config.data, recipe.parent if recipe else Path())

    def _placed(self, model: BiSeNet) -> BiSeNet:
        """The network on the device, in the layout that its convolutions run in."""
        return model.to(self.device, memory_format=torch.channels_last)  # type: ignore[call-overload]

    def _sampler(self) -> EpochSampler:
        """Photos by share; those without labels yet are left out."""
        factors, shares = [], []
        for source in self.plan.sources:
            factor = repeat_factors(source.counts, self.config.repeat_threshold)
            shown = np.ones(len(factor), bool) if source.shown is None else source.shown
            factors.append(np.where(shown, factor, 0.0))
            shares.append(source.share if shown.any() else 0.0)
        return EpochSampler(factors, self.config.seed, shares, self.plan.samples)

    def learners(self) -> dict[str, Learner]:
        """The networks in training, by the name that checkpoints give them."""
        found = {"": self.step.learner}
        if self.step.student is not None:
            found["student_"] = self.step.student
        return found

    def resume(self, path: Path) -> None:
        """Go on from a checkpoint, exactly as if the run had not stopped.

        Raises:
            ValueError: the checkpoint is damaged or belongs to another network.
        """
        state = load_checkpoint(path)
        try:
            for name, learner in self.learners().items():
                learner.model.load_state_dict(state[f"{name}model"])
                learner.average.module.load_state_dict(state[f"{name}ema"])
                learner.optimizer.load_state_dict(state[f"{name}optimizer"])
                learner.average.n_averaged.fill_(state[f"{name}ema_steps"])
        except (RuntimeError, KeyError) as error:
            raise ValueError(f"{path}: made for another network ({error})") from error
        self.epoch, self.steps = state["epoch"], state["steps"]
        self.step.steps = self.steps
        self.seconds, self.history = state["seconds"], state["history"]
        self._label(self._round())
        torch.set_rng_state(state["random"])

    def _save(self) -> None:
        out = self.config.out
        state: dict[str, Any] = {
            "epoch": self.epoch,
            "steps": self.steps,
            "seconds": self.seconds,
            "history": self.history,
            "random": torch.get_rng_state(),
        }
        for name, learner in self.learners().items():
            state[f"{name}model"] = learner.model.state_dict()
            state[f"{name}ema"] = learner.average.module.state_dict()
            state[f"{name}ema_steps"] = int(learner.average.n_averaged)
            state[f"{name}optimizer"] = learner.optimizer.state_dict()
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
        write_json(config.out / CONFIG, as_plain(config))
        if self.epoch == 0:
            for old in config.out.glob("round-*.safetensors"):
                old.unlink()
        loader: DataLoader[Any] | None = None
        while not self._finished():
            if loader is None or self.labelled != self._round():
                started = time.monotonic()
                self._label(self._round())
                self.seconds += time.monotonic() - started
                loader = self._loader()  # workers hold a copy of the labels
            self._run_epoch(loader)
        for learner in self.learners().values():
            path = config.out / f"bisenet_{learner.model.backbone_name}.safetensors"
            export_weights(path, learner.average.module.state_dict(), {"format": "pt"})
        return config.out / f"bisenet_{self.model.backbone_name}.safetensors"

    def _loader(self) -> DataLoader[Any]:
        workers = self.config.workers
        return DataLoader(
            self.dataset,
            batch_sampler=self.sampler,
            num_workers=workers,
            worker_init_fn=_one_thread,
            persistent_workers=workers > 0,
            prefetch_factor=4 if workers else None,
            multiprocessing_context="fork" if workers else None,
            pin_memory=self.device.type == "cuda",
        )

    def _label(self, number: int) -> None:
        """Bring the sources' labels to what round ``number`` learns from."""
        if number == self.labelled:
            return
        config = self.config
        weights = config.out / f"round-{number}.safetensors"
        if not weights.exists():
            export_weights(weights, self.step.learner.average.module.state_dict(), {"format": "pt"})
        # From the file, so that a resumed run makes the same labels.
        model = self._placed(load_from(str(weights), ()))
        options = LabelOptions(batch=64 if self.device.type == "cuda" else 4)
        for source, pseudo, truths in zip(
            self.plan.sources, self.plan.pseudo, self.truths, strict=True
        ):
            if not 0 < pseudo <= number or source.faces is None:
                continue
            started = time.monotonic()
            photos = [photo for photo, _ in source.faces]
            masks = label_photos(model, photos, options, self.device, config.bf16, truths)
            kept = sum(mask is not None for mask in masks)
            if not source.unlabelled:  # what is known stays
                masks = [m if m is not None else t for m, t in zip(masks, truths, strict=True)]
            source.relabel(masks)
            _say(
                f"{source.name}: labels for {kept} of {len(photos)} photos in "
                f"{time.monotonic() - started:.0f} s"
            )
        self.labelled = number
        self.sampler = self._sampler()

    # Rounds and phases share one clock: epochs, or minutes where the run is bounded by them.

    def _total_epochs(self) -> float:
        return sum(r.epochs for r in self.plan.rounds)

    def _progress(self, share: float, elapsed: float) -> float:
        """Share of the run that is done; ``share`` is that of the current epoch."""
        if self.config.minutes is not None:
            return (self.seconds + elapsed) / (self.config.minutes * 60)
        return (self.epoch + share) / self._total_epochs()

    def _round(self) -> int:
        """The round that the next epoch belongs to, from 0."""
        done = self._progress(0, 0) * self._total_epochs()
        end = 0.0
        for number, spec in enumerate(self.plan.rounds):
            end += spec.epochs
            if done < end - 1e-6:
                return number
        return len(self.plan.rounds) - 1

    def _within(self, number: int, progress: float) -> float:
        """Share of round ``number`` that is done."""
        before = sum(r.epochs for r in self.plan.rounds[:number])
        return (progress * self._total_epochs() - before) / self.plan.rounds[number].epochs

    def _finished(self) -> bool:
        if self.config.minutes is None:
            return self.epoch >= self._total_epochs() - 1e-6
        return self._progress(0, 0) >= 1

    def _pieces(self, batch: int) -> int:
        """Parts that a large batch is prepared in, so that an epoch's first comes sooner."""
        return 4 if self.config.workers > 4 and batch % 4 == 0 and batch >= 32 else 1

    def _run_epoch(self, loader: DataLoader[Any]) -> None:
        config, started = self.config, time.monotonic()
        number = self._round()
        spec = self.plan.rounds[number]
        phase = phase_at(spec.phases, self._within(number, self._progress(0, 0)))
        last = len(spec.phases) > 1 and phase is spec.phases[-1]
        pieces = self.step.pieces = self._pieces(phase.batch)
        self.sampler.set_epoch(self.epoch, phase.size, phase.batch // pieces, gentle=last)
        group = config.accumulate * pieces
        count = -(-len(self.sampler) // group) * config.echo
        progress = Progress(f"epoch {self.epoch + 1} at {phase.size}", count)
        for learner in self.learners().values():
            learner.replicas.train()
        losses: list[float] = []
        share = 0.0
        first = next((r["steps"] for r in reversed(self.history) if r["round"] < number + 1), 0)
        rng = np.random.default_rng((config.seed, 5, self.epoch))
        groups = echoed(grouped(loader, group), config.echo, rng)
        for i, batches in enumerate(groups):
            elapsed = time.monotonic() - started
            overall = self._progress(i / count, elapsed)
            done = self._within(number, overall)
            if done >= 1 and losses:  # out of time: the round's last epoch is cut short
                break
            share = spec.peak * learning_rate(
                done, self.steps - first, 1.0, config.floor / config.peak, config.warmup
            )
            losses.append(self.step(batches, share))
            self.steps += 1
            left = (self.seconds + elapsed) * (1 / max(overall, 1e-6) - 1)
            images = sum(len(images) for images, _ in batches)
            progress.update(i, images, float(np.mean(losses[-20:])), left, self._last_score())
        self.epoch += 1
        row = {
            "epoch": self.epoch,
            "round": number + 1,
            "steps": self.steps,
            "size": phase.size,
            "rate": share * config.peak,
            "loss": float(np.mean(losses)),
            "images_per_second": progress.images / (time.monotonic() - started),
        }
        self._close_epoch(row, started)

    def _close_epoch(self, row: dict[str, Any], started: float) -> None:
        config = self.config
        before = self.seconds
        self.seconds = before + time.monotonic() - started
        row["seconds"] = self.seconds - before
        scored = self.plan.val and (self.epoch % config.score_every == 0 or self._finished())
        for name in self.learners():
            row[f"{name}miou"] = row[f"{name}mean_f1"] = ""
            if scored:
                self._score(name, row)
        self.history.append(row)
        self.seconds = before + time.monotonic() - started
        row["total_seconds"] = self.seconds
        if self.epoch % config.save_every == 0 or self._finished():
            self._save()
        _say(
            f"epoch {self.epoch} done in {row['seconds']:.0f} s  "
            f"{row['images_per_second']:.0f} images/s  loss {row['loss']:.4f}  "
            f"{self._last_score()}  {format_time(self.seconds)} so far"
        )

    def _score(self, name: str, row: dict[str, Any]) -> None:
        scores = score(
            cast(BiSeNet, self.learners()[name].average.module),
            self.plan.val,
            self.config.score_size,
            self.device,
            self.config.bf16,
        )
        row[f"{name}miou"] = round(scores.miou, 5)
        row[f"{name}mean_f1"] = round(scores.mean_f1, 5)
        report = scores.as_dict() | {"epoch": self.epoch}
        write_json(self.config.out / f"{name}scores.json", report)

    def _last_score(self) -> str:
        for row in reversed(self.history):
            if row["miou"] != "":
                student = f" / {row['student_miou']:.3f}" if row.get("student_miou") else ""
                return (
                    f"mIoU {row['miou']:.3f}{student} F1 {row['mean_f1']:.3f} "
                    f"(epoch {row['epoch']})"
                )
        return "not scored yet"


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)
