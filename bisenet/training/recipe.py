"""A run as one TOML file: networks, data sets and rounds, checked before anything is read.

docs/training.md describes every key.
"""

from __future__ import annotations

import re
import tomllib
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, Literal, get_args

from bisenet.classes import LABEL_ORDERS
from bisenet.data.augment import CROP_RULES, CropRule
from bisenet.network.bisenet import BACKBONES, BackboneName
from bisenet.training.schedule import Phase, parse_phases

Kind = Literal["full", "partial", "unlabelled"]


class RecipeError(ValueError):
    """A recipe that cannot be followed; the message names the file and the line."""


@dataclass(frozen=True)
class NetworkSpec:
    """A network to train. ``start`` is a file beside the data, or a name of the manifest.

    ``follow`` is the weight of what it learns from another network's logits; a student takes every
    ``every``-th step.
    """

    backbone: BackboneName = "resnet18"
    spatial_path: bool = False
    start: str | None = None
    start_sha256: str | None = None
    backbone_weights: str | None = None
    backbone_sha256: str | None = None
    peak: float = 1e-3
    follow: float = 1.0
    every: int = 1


@dataclass(frozen=True)
class DataSpec:
    """One data set.

    Attributes:
        kind: ``full`` masks name every pixel's class, ``partial`` ones leave some open,
            ``unlabelled`` photos have none.
        share: of each batch.
        crop: what the photos show, a key of ``augment.CROP_RULES``.
        held_out: list of SHA-256 sums of photos that are never learned from.
        pseudo: the round, from 1, after which a network's labels fill what is not known; 0 never.
    """

    name: str
    path: str
    kind: Kind = "full"
    labels: str = "celebamask-hq"
    share: float = 1.0
    crop: CropRule = "aligned"
    held_out: str | None = None
    pseudo: int = 0


@dataclass(frozen=True)
class RoundSpec:
    """One round: phases of training, then, where another round follows, labels made anew.

    ``phases`` is ``SIZE[xBATCH]:EPOCHS,...``; ``peak`` the round's share of each network's highest
    learning rate.
    """

    phases: tuple[Phase, ...]
    peak: float = 1.0

    @property
    def epochs(self) -> float:
        """Length of all phases."""
        return sum(phase.length for phase in self.phases)


@dataclass(frozen=True)
class Recipe:
    """Everything that decides a run's result but the data itself.

    Attributes:
        path: the file it was read from; other files are named relative to it.
        samples: of an epoch, over all data sets; None for one pass over the only one.
        steer: data set whose held-out photos are scored during the run, or None.
        student: a second network that learns beside the first and from it.
        teacher: finished weights whose logits the network follows too.
    """

    path: Path
    network: NetworkSpec
    data: tuple[DataSpec, ...]
    rounds: tuple[RoundSpec, ...]
    student: NetworkSpec | None = None
    teacher: str | None = None
    samples: int | None = None
    steer: str | None = None
    options: dict[str, Any] = field(default_factory=dict)


_TYPES: dict[str, tuple[type, str]] = {
    "float": (float, "a number"),
    "int": (int, "a whole number"),
    "bool": (bool, "true or false"),
}
_TOP = ("network", "student", "teacher", "data", "round", "run")


@dataclass(frozen=True)
class _RunTable:
    """Keys of ``[run]``; those that are not None take the place of ``TrainConfig``'s own."""

    samples: int | None = None
    steer: str | None = None
    batch: int | None = None
    accumulate: int | None = None
    floor: float | None = None
    warmup: int | None = None
    weight_decay: float | None = None
    ema: float | None = None
    hard_fraction: float | None = None
    repeat_threshold: float | None = None
    score_every: int | None = None
    score_size: int | None = None
    save_every: int | None = None
    seed: int | None = None
    echo: int | None = None


@dataclass(frozen=True)
class _RoundTable:
    """Keys of ``[[round]]``."""

    phases: str
    peak: float = 1.0


class _Reader:
    """Takes values out of the parsed file and knows where each stood."""

    def __init__(self, path: Path, text: str):
        self.path, self.lines = path, text.splitlines()

    def error(self, message: str, key: str = "", table: str = "", nth: int = 0) -> RecipeError:
        return RecipeError(f"{self.path}, line {self._line(key, table, nth)}: {message}")

    def _line(self, key: str, table: str, nth: int) -> int:
        """The line of a key in the ``nth`` table of a name; of the table itself without the key."""
        begin = 0
        if table:
            heads = [
                i
                for i, line in enumerate(self.lines)
                if re.fullmatch(rf"\s*\[\[?\s*{re.escape(table)}\s*\]\]?\s*(#.*)?", line)
            ]
            begin = heads[nth] if nth < len(heads) else 0
        if key:
            for i in range(begin, len(self.lines)):
                if i > begin and self.lines[i].lstrip().startswith("["):
                    break
                if re.match(rf"\s*{re.escape(key)}\s*=", self.lines[i]):
                    return i + 1
        return begin + 1

    def take(self, values: Any, spec: type, table: str, nth: int = 0) -> Any:
        """A dataclass from a table.

        Raises:
            RecipeError: a key is unknown or missing, or a value has another type.
        """
        if not isinstance(values, dict):
            raise self.error(f"{table} is a table: [{table}].", table, "")
        values = dict(values)
        known = {f.name: f for f in fields(spec)}
        for key in values:
            if key not in known:
                raise self.error(
                    f"{key!r} is not known here; known: {', '.join(known)}.", key, table, nth
                )
        for name, wanted in known.items():
            if name in values:
                kind = str(wanted.type).removesuffix(" | None")
                values[name] = self._checked(name, values[name], kind, table, nth)
        try:
            return spec(**values)
        except TypeError as error:
            missing = re.findall(r"'(\w+)'", str(error))
            raise self.error(f"[{table}] lacks {', '.join(missing)}.", "", table, nth) from error

    def _checked(self, name: str, value: Any, kind: str, table: str, nth: int) -> Any:
        choices: tuple[str, ...] | None = {
            "Kind": get_args(Kind),
            "CropRule": tuple(CROP_RULES),
            "BackboneName": BACKBONES,
        }.get(kind)
        if name == "labels":
            choices = tuple(LABEL_ORDERS)
        if choices is not None and value not in choices:
            raise self.error(
                f"{name} is {value!r}; choose one of: {', '.join(choices)}.", name, table, nth
            )
        if kind == "float" and type(value) is int:
            return float(value)
        wanted, noun = _TYPES.get(kind, (str, "a text"))
        if type(value) is not wanted:
            raise self.error(f"{name} must be {noun}, not {value!r}.", name, table, nth)
        return value


def read_recipe(path: Path) -> Recipe:
    """Read and check a recipe.

    Raises:
        RecipeError: it cannot be read or followed; the message names the file and the line.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise RecipeError(f"{path}: cannot be read ({error})") from error
    try:
        values = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise RecipeError(f"{path}: {error}") from error
    reader = _Reader(path, text)
    for key in values:
        if key not in _TOP:
            raise reader.error(f"{key!r} is not known; known: {', '.join(_TOP)}.", key, key)
    run = _run_options(reader, values.get("run", {}))
    data = _data(reader, values.get("data", []))
    student = values.get("student")
    teacher = values.get("teacher")
    if teacher is not None and not isinstance(teacher, str):
        raise reader.error('teacher names weights: teacher = "default".', "teacher")
    recipe = Recipe(
        path=path,
        network=reader.take(values.get("network", {}), NetworkSpec, "network"),
        student=reader.take(student, NetworkSpec, "student") if student else None,
        teacher=teacher,
        data=data,
        rounds=_rounds(reader, values.get("round", []), run.get("batch", 16)),
        samples=run.pop("samples", None),
        steer=run.pop("steer", None),
        options=run,
    )
    _check_whole(reader, recipe)
    return recipe


def _run_options(reader: _Reader, table: Any) -> dict[str, Any]:
    options = {k: v for k, v in vars(reader.take(table, _RunTable, "run")).items() if v is not None}
    for key, value in options.items():
        if key not in ("steer", "seed") and value <= 0:
            raise reader.error(f"{key} must be more than 0.", key, "run")
    return options


def _data(reader: _Reader, tables: Any) -> tuple[DataSpec, ...]:
    if not isinstance(tables, list) or not tables:
        raise reader.error("a recipe names at least one data set: [[data]].", "data")
    data: list[DataSpec] = []
    for nth, table in enumerate(tables):
        spec = reader.take(table, DataSpec, "data", nth)
        if spec.share <= 0:
            raise reader.error("share must be more than 0.", "share", "data", nth)
        if spec.name in {other.name for other in data}:
            raise reader.error(f"the name {spec.name!r} is there twice.", "name", "data", nth)
        if spec.kind == "unlabelled" and spec.pseudo < 1:
            raise reader.error(
                "unlabelled photos need pseudo, the round after which they are labelled.",
                "kind",
                "data",
                nth,
            )
        data.append(spec)
    if data[0].kind != "full":
        raise reader.error(
            "the first data set must have full labels: accessories and backgrounds come from it.",
            "kind",
            "data",
            0,
        )
    return tuple(data)


def _rounds(reader: _Reader, tables: Any, batch: int) -> tuple[RoundSpec, ...]:
    if not isinstance(tables, list) or not tables:
        raise reader.error("a recipe names at least one round: [[round]].", "round")
    rounds = []
    for nth, table in enumerate(tables):
        values = reader.take(table, _RoundTable, "round", nth)
        try:
            phases = parse_phases(values.phases, batch)
        except ValueError as error:
            raise reader.error(str(error), "phases", "round", nth) from error
        if not 0 < values.peak <= 1:
            raise reader.error("peak is a share, more than 0 and at most 1.", "peak", "round", nth)
        rounds.append(RoundSpec(phases, values.peak))
    return tuple(rounds)


def _check_whole(reader: _Reader, recipe: Recipe) -> None:
    names = {spec.name for spec in recipe.data}
    if recipe.steer is not None:
        if recipe.steer not in names:
            raise reader.error(
                f"steer names no data set; known: {', '.join(names)}.", "steer", "run"
            )
        chosen = next(spec for spec in recipe.data if spec.name == recipe.steer)
        if chosen.held_out is None or chosen.kind == "unlabelled":
            raise reader.error(
                "the data set to steer by needs labels and held_out.", "steer", "run"
            )
    if len(recipe.data) > 1 and recipe.samples is None:
        raise reader.error("several data sets need [run] samples, those of an epoch.", "", "run")
    for nth, spec in enumerate(recipe.data):
        if spec.pseudo >= len(recipe.rounds) and spec.pseudo > 0:
            raise reader.error(
                f"pseudo is {spec.pseudo}, but no round follows that one.", "pseudo", "data", nth
            )
    if recipe.teacher is not None and recipe.student is not None:
        raise reader.error("a run has a teacher or a student, not both.", "teacher")
