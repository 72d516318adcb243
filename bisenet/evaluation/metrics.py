"""Scores of a segmentation, pooled over a set of pictures.

IoU and F1 follow from one confusion matrix (Long et al., "Fully Convolutional Networks", 2015).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from bisenet.classes import BACKGROUND, CLASSES, NUM_CLASSES
from bisenet.data.partial_labels import possible_classes

# A boundary pixel counts as found within this share of the diagonal (Csurka et al., BMVC 2013).
BOUNDARY_TOLERANCE = 0.0075


def confusion_matrix(
    truth: NDArray[np.uint8], prediction: NDArray[np.uint8], classes: int = NUM_CLASSES
) -> NDArray[np.int64]:
    """Pixels by true class (row) and predicted class (column), ``(C, C)``.

    Pixels whose truth is not a class (255, say) are left out.
    """
    known = truth < classes
    pairs = truth[known].astype(np.int64) * classes + prediction[known]
    return np.bincount(pairs, minlength=classes * classes).reshape(classes, classes)


def partly_wrong(truth: NDArray[np.uint8], prediction: NDArray[np.uint8]) -> NDArray[np.int64]:
    """Pixels of each predicted class, ``(19,)``, of which a partly known truth says it is not.

    Pixels whose truth is a class are not counted here: ``confusion_matrix`` has them.
    """
    among = (truth >= NUM_CLASSES) & ~possible_classes()[truth, prediction]
    return np.bincount(prediction[among], minlength=NUM_CLASSES).astype(np.int64)


def iou_and_f1(
    matrix: NDArray[np.int64], wrong: NDArray[np.int64] | None = None
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """IoU and F1 of each class, ``(C,)`` each; nan for a class absent from both sides.

    Args:
        matrix: ``confusion_matrix``.
        wrong: ``partly_wrong`` where the truth is known in part; a class that no truth shows is
            nan then.
    """
    truth = matrix.sum(1)
    if wrong is None:
        return from_marginals(np.diag(matrix), truth, matrix.sum(0))
    iou, f1 = from_marginals(np.diag(matrix), truth, matrix.sum(0) + wrong)
    return np.where(truth > 0, iou, np.nan), np.where(truth > 0, f1, np.nan)


def from_marginals(
    hit: NDArray[Any], truth: NDArray[Any], predicted: NDArray[Any]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """IoU and F1 from pixels right, true and predicted, of any one shape; nan where all are 0."""
    hit = hit.astype(np.float64)
    total = truth + predicted
    with np.errstate(invalid="ignore", divide="ignore"):
        return hit / (total - hit), 2 * hit / total


def precision_and_recall(
    matrix: NDArray[np.int64],
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Precision and recall of each class, ``(C,)`` each.

    Precision is nan for a class that was never predicted, recall for one that is in no truth.
    """
    hit = np.diag(matrix).astype(np.float64)
    with np.errstate(invalid="ignore", divide="ignore"):
        return hit / matrix.sum(0), hit / matrix.sum(1)


def _boundary(region: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """A region's own pixels that touch another one; the frame's edge is no boundary."""
    eroded = cv2.erode(
        region.astype(np.uint8), np.ones((3, 3), np.uint8), borderType=cv2.BORDER_REPLICATE
    )
    return region & (eroded == 0)


def _near(boundary: NDArray[np.bool_], radius: int) -> NDArray[np.bool_]:
    disk = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * radius + 1, 2 * radius + 1))
    return cv2.dilate(boundary.astype(np.uint8), disk) > 0


def boundary_counts(
    truth: NDArray[np.uint8],
    prediction: NDArray[np.uint8],
    tolerance: float = BOUNDARY_TOLERANCE,
    classes: int = NUM_CLASSES,
) -> NDArray[np.int64]:
    """Boundary pixels of each class, ``(C, 4)``: predicted, of those right, true, of those found.

    Args:
        tolerance: distance, as a share of the picture's diagonal, within which two boundary
            pixels match; one pixel at the least.
    """
    radius = max(1, round(tolerance * float(np.hypot(*truth.shape))))
    counts = np.zeros((classes, 4), np.int64)
    known = truth < classes
    for c in range(classes):
        wanted, found = truth == c, (prediction == c) & known
        x, y, width, height = cv2.boundingRect((wanted | found).astype(np.uint8))
        if width == 0:
            continue
        # All edges lie in here; one pixel more, so that only the frame's edge counts as one.
        here = np.s_[max(0, y - 1) : y + height + 1, max(0, x - 1) : x + width + 1]
        wanted, found = wanted[here], found[here]
        true_edge, edge = _boundary(wanted), _boundary(found)
        counts[c] = (
            edge.sum(),
            (edge & _near(true_edge, radius)).sum(),
            true_edge.sum(),
            (true_edge & _near(edge, radius)).sum(),
        )
    return counts


def boundary_f1(counts: NDArray[np.int64]) -> NDArray[np.float64]:
    """Boundary F1 of each class, ``(C,)``; nan for a class without boundaries on either side."""
    predicted, right, true, found = counts.astype(np.float64).T
    precision = np.divide(right, predicted, out=np.zeros_like(right), where=predicted > 0)
    recall = np.divide(found, true, out=np.zeros_like(found), where=true > 0)
    total = precision + recall
    score = np.divide(2 * precision * recall, total, out=np.zeros_like(total), where=total > 0)
    return np.where(predicted + true > 0, score, np.nan)


def mean_of(values: NDArray[np.float64]) -> float:
    """Mean over the classes that occur; 0 where none does."""
    present = values[~np.isnan(values)]
    return float(present.mean()) if present.size else 0.0


@dataclass
class Scores:
    """Pooled counts that grow picture by picture.

    ``images_with`` is the number of pictures whose truth shows each class. With ``partial``, the
    truth may hold the values of ``bisenet.data.partial_labels``: a pixel counts for the classes
    that it decides about, and a class that no truth shows has no score.
    """

    with_boundary: bool = True
    partial: bool = False

    def __post_init__(self) -> None:
        self.images = 0
        self.confusion = np.zeros((NUM_CLASSES, NUM_CLASSES), np.int64)
        self.boundary = np.zeros((NUM_CLASSES, 4), np.int64)
        self.images_with = np.zeros(NUM_CLASSES, np.int64)
        self.wrong = np.zeros(NUM_CLASSES, np.int64)  # beside the confusion matrix

    def add(self, truth: NDArray[np.uint8], prediction: NDArray[np.uint8]) -> float:
        """Count one picture, both ``(H, W)``; returns its own mIoU.

        Raises:
            ValueError: the sizes differ.
        """
        if truth.shape != prediction.shape:
            raise ValueError(f"Truth is {truth.shape}, prediction {prediction.shape}.")
        matrix = confusion_matrix(truth, prediction)
        edges = boundary_counts(truth, prediction) if self.with_boundary else None
        wrong = partly_wrong(truth, prediction) if self.partial else None
        return self.add_counts(matrix, edges, wrong)

    def add_counts(
        self,
        matrix: NDArray[np.int64],
        edges: NDArray[np.int64] | None,
        wrong: NDArray[np.int64] | None = None,
    ) -> float:
        """Count a picture from ``confusion_matrix``, ``boundary_counts`` and ``partly_wrong``."""
        self.images += 1
        self.confusion += matrix
        self.images_with += matrix.sum(1) > 0
        if edges is not None:
            self.boundary += edges
        if wrong is not None:
            self.wrong += wrong
        return mean_of(iou_and_f1(matrix, wrong)[0])

    def iou_and_f1(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """IoU and F1 of each class, ``(19,)`` each; nan for a class without a score."""
        return iou_and_f1(self.confusion, self.wrong if self.partial else None)

    @property
    def miou(self) -> float:
        """Mean IoU over the classes that occur, background among them."""
        return mean_of(self.iou_and_f1()[0])

    @property
    def mean_f1(self) -> float:
        """Mean F1 over the foreground classes that occur."""
        return mean_of(np.delete(self.iou_and_f1()[1], BACKGROUND))

    @property
    def mean_boundary_f1(self) -> float:
        """Mean boundary F1 over the foreground classes that occur."""
        return mean_of(np.delete(boundary_f1(self.boundary), BACKGROUND))

    def as_dict(self) -> dict[str, Any]:
        """Everything, ready for JSON; a class that does not occur has null scores."""
        iou, f1 = self.iou_and_f1()
        edges = boundary_f1(self.boundary)
        result: dict[str, Any] = {
            "images": self.images,
            "miou": self.miou,
            "mean_f1": self.mean_f1,
        }
        if self.with_boundary:
            result["mean_boundary_f1"] = self.mean_boundary_f1
        per_class: dict[str, dict[str, float | int | None]] = {}
        for c in CLASSES:
            row: dict[str, float | int | None] = {
                "iou": _number(iou[c.id]),
                "f1": _number(f1[c.id]),
                "pixels": int(self.confusion[c.id].sum()),
                "images": int(self.images_with[c.id]),
            }
            if self.with_boundary:
                row["boundary_f1"] = _number(edges[c.id])
            per_class[c.name] = row
        result["per_class"] = per_class
        return result


def _number(value: float) -> float | None:
    return None if np.isnan(value) else float(value)
