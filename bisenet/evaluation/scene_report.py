"""How well faces are found and parsed in whole photos: composed scenes with known truth.

Each row of the report is a set of scenes in which one thing is varied: the size of the faces, how
far they are rolled, or their number. ``compose`` says what the size of a face is.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bisenet.data.faces import FaceFile, read_face
from bisenet.data.scenes import PlacedFace, compose
from bisenet.data.types import Pair
from bisenet.evaluation.metrics import Scores, confusion_matrix, iou_and_f1, mean_of
from bisenet.geometry.boxes import Box, iou
from bisenet.parser import FaceParser, Parsing

SIZES = (32, 48, 64, 96, 128, 192, 256, 384)
ROLLS = (0, 15, 30, 45)
NUMBERS = (0, 1, 2, 4, 8, 16)
SHAPE = (960, 1280)
# A face counts as found where its box and a true one overlap by this (intersection over union).
OVERLAP = 0.5


@dataclass(frozen=True)
class Row:
    """One setting: what was varied, its value, and what came out, pooled over its scenes.

    ``recall`` is None where no face was placed, and so are the scores; ``said_too_small`` counts
    faces that were found but named too small to parse; ``miou`` is over the photos' own pixels,
    and ``aligned_miou`` is that of the very same faces as aligned crops; ``find_ms`` and
    ``parse_ms`` are medians a photo, for finding alone and for all of it.
    """

    varied: str
    value: int
    scenes: int
    faces: int
    recall: float | None
    false_per_image: float
    said_too_small: int
    miou: float | None
    mean_f1: float | None
    aligned_miou: float | None
    find_ms: float
    parse_ms: float


@dataclass(frozen=True)
class _Setting:
    varied: str
    value: int
    sizes: tuple[float, ...]
    roll: float


def scene_report(
    parser: FaceParser,
    files: Sequence[FaceFile],
    scenes: int = 8,
    seed: int = 0,
    progress: Callable[[str], None] | None = None,
) -> dict[str, Any]:
    """Compose scenes from labelled faces, parse them, and score what came out.

    Args:
        scenes: how many a row.
        seed: the same seed and faces give the same scenes.

    Returns:
        ``aligned_miou``, the score of the same faces as aligned crops, and ``rows``.

    Raises:
        DataError: a face cannot be read.
    """
    pairs = [read_face(file) for file in files]
    aligned = np.stack(
        [confusion_matrix(mask, parser.parse(im, framing="whole").mask) for im, mask in pairs]
    )
    rows = []
    for setting in _settings():
        rows.append(_run(parser, pairs, aligned, setting, scenes, seed))
        if progress is not None:
            progress(f"{setting.varied} {setting.value}")
    return {
        "aligned_miou": mean_of(iou_and_f1(aligned.sum(0))[0]),
        "faces": len(pairs),
        "scene_shape": list(SHAPE),
        "seed": seed,
        "engine": str(parser.engine),
        "rows": [asdict(row) for row in rows],
    }


def as_markdown(report: dict[str, Any]) -> str:
    """The report as Markdown tables, one for each thing that was varied."""
    height, width = report["scene_shape"]
    lines = [
        f"{report['faces']} faces on {width} x {height} scenes, seed {report['seed']}, "
        f"{report['engine']}. As aligned crops: mIoU {report['aligned_miou']:.3f}."
    ]
    titles = {"size": "face size, px", "roll": "roll, degrees", "number": "faces a scene"}
    for varied, title in titles.items():
        lines += [
            "",
            f"| {title} | faces | recall | false a photo | too small | mIoU | aligned | find, ms |",
            "|---:|---:|---:|---:|---:|---:|---:|---:|",
        ]
        for row in report["rows"]:
            if row["varied"] != varied:
                continue
            recall, miou, aligned = (
                "-" if row[key] is None else f"{row[key]:.3f}"
                for key in ("recall", "miou", "aligned_miou")
            )
            lines.append(
                f"| {row['value']} | {row['faces']} | {recall} | {row['false_per_image']:.2f} | "
                f"{row['said_too_small']} | {miou} | {aligned} | {row['find_ms']:.0f} |"
            )
    return "\n".join(lines)


def match(found: Sequence[Box], faces: Sequence[PlacedFace]) -> list[int | None]:
    """For each true face the index of the found box that overlaps it most, or None.

    A box serves one face only.
    """
    pairs = sorted(
        ((iou(box, face.box), i, j) for i, box in enumerate(found) for j, face in enumerate(faces)),
        reverse=True,
    )
    result: list[int | None] = [None] * len(faces)
    used: set[int] = set()
    for overlap, i, j in pairs:
        if overlap >= OVERLAP and i not in used and result[j] is None:
            result[j] = i
            used.add(i)
    return result


def _settings() -> list[_Setting]:
    settings = [_Setting("size", size, (float(size),) * 3, 0.0) for size in SIZES]
    settings += [_Setting("roll", roll, (96.0, 160.0, 256.0), float(roll)) for roll in ROLLS]
    mixed = (200.0, 144.0, 104.0, 80.0)
    settings += [
        _Setting("number", n, tuple(mixed[i % len(mixed)] for i in range(n)), 8.0) for n in NUMBERS
    ]
    return settings


def _run(
    parser: FaceParser,
    pairs: Sequence[Pair],
    aligned: NDArray[np.int64],
    setting: _Setting,
    scenes: int,
    seed: int,
) -> Row:
    """Compose and score one setting. Faces roll either way; "number" rolls them a little.

    ``aligned`` holds each pair's confusion matrix as an aligned crop, ``(P, 19, 19)``.
    """
    rng = np.random.default_rng((seed, len(setting.varied), setting.value))
    scores = Scores(with_boundary=False)
    placed = found = false = small = 0
    same_faces = np.zeros(aligned.shape[1:], np.int64)
    find_ms, parse_ms = [], []
    for _ in range(scenes):
        if setting.varied == "number":
            rolls = rng.uniform(-setting.roll, setting.roll, len(setting.sizes))
        else:
            rolls = setting.roll * rng.choice((-1.0, 1.0), len(setting.sizes))
        scene = compose(rng, pairs, setting.sizes, rolls.tolist(), SHAPE)
        parsing = parser.parse(scene.image)
        matched = match([face.box for face in parsing.faces], scene.faces)
        hits = sum(index is not None for index in matched)
        placed, found = placed + len(scene.faces), found + hits
        false += len(parsing.faces) - hits
        small += _too_small(parsing)
        same_faces += aligned[[face.source for face in scene.faces]].sum(0)
        if scene.faces:
            scores.add(scene.mask, _mask_of_faces(parsing))
        find_ms.append(parsing.timings["find"])
        parse_ms.append(sum(parsing.timings.values()))
    return Row(
        varied=setting.varied,
        value=setting.value,
        scenes=scenes,
        faces=placed,
        recall=found / placed if placed else None,
        false_per_image=false / scenes,
        said_too_small=small,
        miou=scores.miou if placed else None,
        mean_f1=scores.mean_f1 if placed else None,
        aligned_miou=mean_of(iou_and_f1(same_faces)[0]) if placed else None,
        find_ms=float(np.median(find_ms)),
        parse_ms=float(np.median(parse_ms)),
    )


def _mask_of_faces(parsing: Parsing) -> NDArray[np.uint8]:
    """The composite of the faces: where none was found, everything counts as background."""
    return parsing.mask if parsing.faces else np.zeros_like(parsing.mask)


def _too_small(parsing: Parsing) -> int:
    sentences = [n for n in parsing.notices if "too small" in n]
    return sum(int(sentence.split()[0]) for sentence in sentences)
