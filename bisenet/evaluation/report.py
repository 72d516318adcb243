"""A run's numbers as tables and as a JSON document."""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Sequence
from pathlib import PurePosixPath
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from bisenet.classes import BACKGROUND, BROWS, CLASSES, EARS, EYES, HAIR, NUM_CLASSES
from bisenet.evaluation import bootstrap, calibration, scoring
from bisenet.evaluation.bootstrap import Differences
from bisenet.evaluation.metrics import (
    Scores,
    boundary_f1,
    iou_and_f1,
    mean_of,
    precision_and_recall,
)
from bisenet.evaluation.runner import Outcome

LETTERS = ("A", "B")
_WORST = 10


def class_table(scores: Scores) -> pd.DataFrame:
    """One row a class, in class order; scores 0..1, nan where a class does not occur.

    ``pixels`` and ``images`` count the truth.
    """
    iou, f1 = iou_and_f1(scores.confusion)
    precision, recall = precision_and_recall(scores.confusion)
    return pd.DataFrame(
        {
            "class_id": [c.id for c in CLASSES],
            "class": [c.name for c in CLASSES],
            "title": [c.title for c in CLASSES],
            "iou": iou,
            "f1": f1,
            "boundary_f1": boundary_f1(scores.boundary),
            "precision": precision,
            "recall": recall,
            "pixels": scores.confusion.sum(axis=1),
            "images": scores.images_with,
        }
    )


def confusion_table(confusion: NDArray[np.int64]) -> pd.DataFrame:
    """One row a pair of true and predicted class, in class order: pixels and share of the truth."""
    names = [c.name for c in CLASSES]
    return pd.DataFrame(
        {
            "truth": np.repeat(names, len(names)),
            "predicted": np.tile(names, len(names)),
            "pixels": confusion.ravel(),
            "share_of_truth": share_of_truth(confusion).ravel(),
        }
    )


def share_of_truth(confusion: NDArray[np.int64]) -> NDArray[np.float64]:
    """Each row over its sum, 0..1, ``(19, 19)``; nan for a class that is in no truth."""
    with np.errstate(invalid="ignore"):
        return np.asarray(confusion / confusion.sum(axis=1, keepdims=True), np.float64)


def photo_table(outcome: Outcome) -> pd.DataFrame:
    """One row a photo, the worst first (by A): its own scores of each network, 0..1.

    ``iou_hair`` and so on is a class's; missing where the photo neither has it nor was given it.
    """
    columns: dict[str, list[Any]] = {
        "photo": shown_names(outcome),
        "width_px": [p.width for p in outcome.photos],
        "height_px": [p.height for p in outcome.photos],
        "face_height_px": [p.face_height for p in outcome.photos],
    }
    for k, _ in enumerate(outcome.networks):
        end = _ending(outcome, k)
        columns[f"miou{end}"] = [p.scores[k].miou for p in outcome.photos]
        columns[f"mean_f1{end}"] = [_own_f1(p.scores[k]) for p in outcome.photos]
        columns[f"faces_found{end}"] = [p.faces[k] for p in outcome.photos]
    table = pd.DataFrame(columns)
    if len(outcome.networks) > 1:
        table["miou_b_minus_a"] = table["miou_b"] - table["miou_a"]
    for k, _ in enumerate(outcome.networks):
        by_class = np.array([iou_and_f1(p.scores[k].confusion)[0] for p in outcome.photos])
        for c in CLASSES:
            table[f"iou_{c.name}{_ending(outcome, k)}"] = by_class.reshape(-1, NUM_CLASSES)[:, c.id]
    first = f"miou{_ending(outcome, 0)}"
    return table.sort_values(first, kind="stable")


def reliability(outcome: Outcome) -> pd.DataFrame:
    """The bins of every network, as ``calibration.reliability_table``."""
    tables = []
    for k, _ in enumerate(outcome.networks):
        _, counts = outcome.pooled(k)
        table = calibration.reliability_table(counts)
        table.insert(0, "network", LETTERS[k])
        table["contestant"] = LETTERS[k]  # the column's old name, for one release
        tables.append(table)
    return pd.concat(tables, ignore_index=True)


def difference_table(found: Differences) -> pd.DataFrame:
    """One row a class that occurs, in class order, then the mean; differences are B minus A."""
    there = np.flatnonzero(~np.isnan(found.first) | ~np.isnan(found.second))
    first, second, low, high = found.mean
    return pd.DataFrame(
        {
            "class": [*(CLASSES[i].name for i in there), "mean"],
            "title": [*(CLASSES[i].title for i in there), "Mean"],
            "a": [*found.first[there], first],
            "b": [*found.second[there], second],
            "difference": [*(found.second - found.first)[there], second - first],
            "low": [*found.low[there], low],
            "high": [*found.high[there], high],
            "photos": [*found.photos[there], found.photos_in_all],
            "beyond_chance": [*found.differs[there], found.mean_differs],
        }
    )


def verdict(found: Differences, score: str) -> str:
    """A sentence or two: which classes differ beyond chance, and what that rests on."""
    if found.photos_in_all < bootstrap.MIN_PHOTOS:
        return (
            f"It takes {bootstrap.MIN_PHOTOS} photos or more to tell a difference from chance; "
            f"{'this is one' if found.photos_in_all == 1 else f'these are {found.photos_in_all}'}."
        )
    change = found.second - found.first
    better = [CLASSES[i].title.lower() for i in np.flatnonzero(found.differs & (change > 0))]
    worse = [CLASSES[i].title.lower() for i in np.flatnonzero(found.differs & (change < 0))]
    parts = []
    if better:
        parts.append(f"B is better at {_listed(better)}")
    if worse:
        parts.append(f"{'' if better else 'B is '}worse at {_listed(worse)}")
    text = f"Beyond chance, {' and '.join(parts)}." if parts else "No class differs beyond chance."
    first, second, low, high = found.mean
    verb = "differs beyond chance" if found.mean_differs else "does not differ beyond chance"
    text += (
        f" The mean {score} {verb}: {100 * (second - first):+.2f} points, "
        f"{100 * bootstrap.LEVEL:.0f} % interval {100 * low:+.2f} to {100 * high:+.2f}."
    )
    there = ~np.isnan(found.first) | ~np.isnan(found.second)
    few = int((there & (found.photos < bootstrap.MIN_PHOTOS)).sum())
    if few:
        text += (
            f" Fewer than {bootstrap.MIN_PHOTOS} photos show "
            f"{'one class' if few == 1 else f'{few} classes'}, too few to tell."
        )
    return text


def document(outcome: Outcome) -> dict[str, Any]:
    """What ``network_document`` has of each network, and what is of the run or of both."""
    reports = []
    for k, _ in enumerate(outcome.networks):
        _, counts = outcome.pooled(k)
        reports.append(network_document(outcome, k))
        reports[k]["calibration"] = {
            "expected_calibration_error": calibration.expected_calibration_error(counts),
            "bins": _records(calibration.reliability_table(counts)),
        }
        pooled, _ = outcome.pooled(k)
        reports[k]["confusion"] = {
            "classes": [c.name for c in CLASSES],
            "pixels": pooled.confusion.tolist(),  # a row a true class, a column a predicted one
        }
    result = reports[0]
    if len(reports) > 1:
        result["second"] = reports[1]
        pairs = bootstrap.compare(outcome.scores_of(0), outcome.scores_of(1))
        result["differences"] = {
            "interval": bootstrap.LEVEL,
            "draws": bootstrap.DRAWS,
            "seed": bootstrap.SEED,
            **{name: _records(difference_table(found)) for name, found in pairs.items()},
        }
    result["photos"] = _records(photo_table(outcome))
    result["labels"] = outcome.labelling.name
    result["stopped"] = outcome.stopped
    result["not_scored"] = {one.name: one.reason for one in outcome.problems}
    return result


def as_json(outcome: Outcome) -> bytes:
    """The document, UTF-8."""
    return json.dumps(document(outcome), indent=1, ensure_ascii=False).encode()


def shown_names(outcome: Outcome) -> list[str]:
    """The photos' file names; with their folders where two would be the same."""
    short = [PurePosixPath(photo.pair.photo).name for photo in outcome.photos]
    count = Counter(short)
    return [
        name if count[name] == 1 else photo.pair.photo
        for name, photo in zip(short, outcome.photos, strict=True)
    ]


def network_document(outcome: Outcome, k: int) -> dict[str, Any]:
    """A network's scores, what it is, and its worst photos, ready for JSON."""
    scores, _ = outcome.pooled(k)
    mious = zip(shown_names(outcome), outcome.scores_of(k), strict=True)
    worst = sorted(((name, score.miou) for name, score in mious), key=lambda item: item[1])
    return scores.as_dict() | {
        "weights": outcome.networks[k].weights,
        "engine": outcome.networks[k].engine,
        "framing": outcome.framing,
        "flip": False,
        "seconds": round(outcome.seconds, 2),
        "left_right": swapped_sides(scores.confusion),
        "ears_on_hair": ears_on_hair(scores.confusion),
        "worst": {name: round(miou, 4) for name, miou in worst[:_WORST]},
    }


def swapped_sides(confusion: NDArray[np.int64]) -> dict[str, float | None]:
    """Of brows, eyes and ears, the share labelled as the other side's; None where none is.

    Args:
        confusion: ``(19, 19)`` pixels, rows are the truth. Pixels that are labelled as neither
            side do not count.
    """
    shares: dict[str, float | None] = {}
    for name, ids in (("brow", BROWS), ("eye", EYES), ("ear", EARS)):
        block = confusion[np.ix_(ids, ids)]
        total = int(block.sum())
        shares[name] = round(float(1 - block.trace() / total), 5) if total else None
    return shares


def ears_on_hair(confusion: NDArray[np.int64]) -> float | None:
    """Of the pixels labelled as ears, the share that is hair; None where none is an ear."""
    ears = confusion[:, list(EARS)]
    total = int(ears.sum())
    return round(float(ears[HAIR].sum() / total), 5) if total else None


def share_inside_crops(outcome: Outcome) -> dict[str, float]:
    """Share of each class's true pixels inside the faces' views of the first network, by name."""
    scores = outcome.scores_of(0)
    total = sum((one.confusion.sum(1) for one in scores), np.zeros(NUM_CLASSES, np.int64))
    inside = sum((one.inside for one in scores), np.zeros(NUM_CLASSES, np.int64))
    return {c.name: round(float(inside[c.id] / total[c.id]), 4) for c in CLASSES if total[c.id]}


def faces_found(outcome: Outcome) -> dict[str, int]:
    """In how many photos the first network's parser found so many faces, by that number."""
    counts = Counter(photo.faces[0] for photo in outcome.photos)
    return {str(faces): photos for faces, photos in sorted(counts.items())}


def text_table(scores: Scores) -> str:
    """Scores for a terminal: one line a class, means below."""
    report = scores.as_dict()
    lines = [f"{'class':<12}{'IoU':>8}{'F1':>8}{'edge F1':>9}{'images':>8}{'pixels':>12}"]
    for name, row in report["per_class"].items():
        cells = [_cell(row["iou"], 8), _cell(row["f1"], 8), _cell(row.get("boundary_f1"), 9)]
        lines.append(f"{name:<12}{''.join(cells)}{row['images']:>8}{row['pixels']:>12}")
    lines.append(
        f"\n{scores.images} images   mIoU {scores.miou:.4f} ({NUM_CLASSES} classes)   "
        f"mean F1 {scores.mean_f1:.4f} (foreground)"
    )
    if scores.with_boundary:
        lines.append(f"mean boundary F1 {scores.mean_boundary_f1:.4f} (foreground)")
    return "\n".join(lines)


def _cell(value: float | None, width: int) -> str:
    return f"{'-' if value is None else format(value, '.3f'):>{width}}"


def _own_f1(score: scoring.PhotoScore) -> float:
    return mean_of(np.delete(iou_and_f1(score.confusion)[1], BACKGROUND))


def _ending(outcome: Outcome, k: int) -> str:
    return f"_{LETTERS[k].lower()}" if len(outcome.networks) > 1 else ""


def _records(table: pd.DataFrame) -> list[dict[str, Any]]:
    """Rows as plain Python values; JSON has no nan, so it is null."""
    rows: list[dict[str, Any]] = json.loads(table.to_json(orient="records", double_precision=12))
    return [
        {k: None if isinstance(v, float) and math.isnan(v) else v for k, v in row.items()}
        for row in rows
    ]


def _listed(words: Sequence[str]) -> str:
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} and {words[-1]}"
