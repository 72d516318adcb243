"""A run's settings."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bisenet.data.augment import GENTLE, AugmentConfig
from bisenet.network.bisenet import BackboneName


@dataclass(frozen=True)
class TrainConfig:
    """One run. Everything but ``data`` and ``out`` decides the result and is kept with it.

    Attributes:
        data: faces to learn from; with ``train/`` and ``val/`` inside, those two are used. With a
            recipe, the folder that its data sets' paths are relative to.
        recipe: a TOML file (``bisenet.training.recipe``); its values take the place of those here.
        val: faces to score on, never learned from; None holds back ``hold_out`` of ``data``.
        phases: ``SIZE[xBATCH]:LENGTH,...``, lengths in epochs, or shares of ``minutes``.
        minutes: bound the run by time; such a run depends on the machine's speed.
        replicas: threads that each run their part of a batch; for CPUs shared with other work.
        echo: how often each prepared batch is shown, varied anew; 1 shows it once, as prepared.
        hard_fraction: share of the pixels, the hardest, that the cross-entropy averages.
        augment_last: augmentation in the last of several phases.
        score_every: epochs between scores on val, at ``score_size`` pixels.
        save_every: epochs between checkpoints.
    """

    data: Path
    out: Path
    recipe: Path | None = None
    val: Path | None = None
    labels: str = "celebamask-hq"
    start: str | None = None
    backbone: BackboneName = "resnet18"
    backbone_weights: str | None = None
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
    save_every: int = 1
    seed: int = 0
    workers: int = 1
    replicas: int = 1
    echo: int = 1
    keep_in_memory: bool = True
    bf16: bool = True
    augment: AugmentConfig = dataclasses.field(default_factory=AugmentConfig)
    augment_last: AugmentConfig = GENTLE


def as_plain(config: TrainConfig) -> dict[str, Any]:
    """The settings as JSON can hold them."""
    values = dataclasses.asdict(config)
    return {k: str(v) if isinstance(v, Path) else v for k, v in values.items()}
