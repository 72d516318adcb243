"""What a run learns from, in which order: read and checked before the first step."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from bisenet.data.faces import (
    DataError,
    FaceFile,
    find_faces,
    find_photos,
    load_faces,
    photo_hashes,
    read_hashes,
)
from bisenet.data.sampling import Source
from bisenet.data.types import Pair
from bisenet.training.config import TrainConfig
from bisenet.training.recipe import DataSpec, NetworkSpec, Recipe, RoundSpec, read_recipe
from bisenet.training.schedule import parse_phases


@dataclass
class Plan:
    """A run's material.

    Attributes:
        pseudo: for each source, the round after which a network's labels fill it, or 0.
        val: faces to score on, never learned from, in memory.
        samples: of an epoch, or None for one pass over the only source.
    """

    sources: list[Source]
    rounds: tuple[RoundSpec, ...]
    network: NetworkSpec
    val_files: list[FaceFile]
    val: list[Pair]
    pseudo: list[int] = field(default_factory=list)
    samples: int | None = None
    student: NetworkSpec | None = None
    teacher: str | None = None


def plan_of(config: TrainConfig) -> tuple[TrainConfig, Plan]:
    """The material, and the configuration with the recipe's values in it.

    Raises:
        DataError: the data cannot be used; every bad file is named.
        RecipeError: the recipe cannot be followed.
        ValueError: the phases cannot be read.
    """
    if config.recipe is None:
        return config, _from_folder(config)
    recipe = read_recipe(config.recipe)
    config = replace(config, **recipe.options, peak=recipe.network.peak)
    return config, _from_recipe(recipe, config.data)


def _from_folder(config: TrainConfig) -> Plan:
    """One folder of fully labelled faces, one round."""
    network = NetworkSpec(
        config.backbone,
        start=config.start,
        backbone_weights=config.backbone_weights,
        peak=config.peak,
    )
    rounds = (RoundSpec(parse_phases(config.phases, config.batch)),)
    train_files, val_files = _split(config)
    faces, counts = load_faces(train_files, config.keep_in_memory)
    source = Source(config.data.name, train_files, counts, faces)
    return Plan([source], rounds, network, val_files, load_faces(val_files)[0] or [], [0])


def _split(config: TrainConfig) -> tuple[list[FaceFile], list[FaceFile]]:
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


def _from_recipe(recipe: Recipe, root: Path) -> Plan:
    """All data sets of a recipe, in memory; their paths are relative to ``root``."""
    sources, val_files = [], []
    for spec in recipe.data:
        files = _find_data(spec, root)
        kept, held = _split_held_out(files, spec, recipe.path.parent)
        if not kept:
            raise DataError(f"{root / spec.path}: every photo is held out.")
        if spec.name == recipe.steer:
            val_files = held
        sources.append(_source(spec, kept))
    val = load_faces(val_files)[0] or []
    return Plan(
        sources,
        recipe.rounds,
        recipe.network,
        val_files,
        val,
        [spec.pseudo for spec in recipe.data],
        recipe.samples,
        recipe.student,
        recipe.teacher,
    )


def _find_data(spec: DataSpec, root: Path) -> list[FaceFile]:
    """A data set's photos and masks on disk, held-out ones too."""
    if spec.kind == "unlabelled":
        return find_photos(root / spec.path)
    folder = root / spec.path
    if not folder.is_dir():
        raise DataError(f"{folder}: no such folder (data set {spec.name!r}).")
    # A mask that names nearly everything may still hold unknown pixels.
    return find_faces(folder, spec.labels, partial=True)


def _split_held_out(
    files: Sequence[FaceFile], spec: DataSpec, beside: Path
) -> tuple[list[FaceFile], list[FaceFile]]:
    """Photos to learn from, and those that the data set's list, in ``beside``, holds out."""
    if spec.held_out is None:
        return list(files), []
    out = read_hashes(beside / spec.held_out)
    hashes = photo_hashes(files)
    return (
        [f for f, h in zip(files, hashes, strict=True) if h not in out],
        [f for f, h in zip(files, hashes, strict=True) if h in out],
    )


def _source(spec: DataSpec, files: list[FaceFile]) -> Source:
    faces, counts = load_faces(files)
    return Source(
        spec.name,
        files,
        counts,
        faces,
        share=spec.share,
        crop=spec.crop,
        full=spec.kind == "full",
        unlabelled=spec.kind == "unlabelled",
    )
