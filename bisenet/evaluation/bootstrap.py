"""Two networks on the same photos: paired differences by class, with bootstrap intervals.

Photos are drawn with replacement, the same ones for both (Efron and Tibshirani, "An Introduction
to the Bootstrap", 1993, percentile intervals); the counts of a draw are pooled before scores are
taken, as the scores themselves are.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from bisenet.classes import BACKGROUND
from bisenet.evaluation.metrics import from_marginals
from bisenet.evaluation.scoring import PhotoScore

DRAWS = 1000
LEVEL = 0.95
SEED = 0
# With fewer photos of a class, an interval from resampling them is too narrow to be believed.
MIN_PHOTOS = 10


@dataclass(frozen=True, eq=False)
class Differences:
    """Scores of B minus scores of A, by class and on the mean.

    Attributes:
        first: ``(19,)`` scores of A, nan for a class that occurs nowhere.
        second: likewise of B.
        low: ``(19,)`` lower ends of the interval of ``second - first``.
        high: upper ends.
        photos: ``(19,)`` photos whose truth shows the class.
        mean: the mean's first, second, low and high.
        photos_in_all: over all classes.
    """

    first: NDArray[np.float64] = field(repr=False)
    second: NDArray[np.float64] = field(repr=False)
    low: NDArray[np.float64] = field(repr=False)
    high: NDArray[np.float64] = field(repr=False)
    photos: NDArray[np.int64] = field(repr=False)
    mean: tuple[float, float, float, float]
    photos_in_all: int

    @property
    def differs(self) -> NDArray[np.bool_]:
        """``(19,)``, whether a class differs beyond chance: enough photos, 0 outside."""
        outside = (self.low > 0) | (self.high < 0)
        return outside & (self.photos >= MIN_PHOTOS)

    @property
    def mean_differs(self) -> bool:
        """Whether the mean does."""
        outside = self.mean[2] > 0 or self.mean[3] < 0
        return outside and self.photos_in_all >= MIN_PHOTOS


def compare(
    first: Sequence[PhotoScore], second: Sequence[PhotoScore], draws: int = DRAWS, seed: int = SEED
) -> dict[str, Differences]:
    """Differences of ``iou`` and ``f1``; their means over all classes and over the foreground.

    Args:
        first: scores of A, one a photo.
        second: scores of B on the same photos in the same order.
        draws: how many times the photos are drawn.
        seed: of the draws; the same gives the same intervals.

    Raises:
        ValueError: no photos, or not as many of both.
    """
    if not first or len(first) != len(second):
        raise ValueError("Two networks are compared on the same photos, one or more.")
    counts = [np.stack([_marginals(s.confusion) for s in side]) for side in (first, second)]
    n = len(first)
    times = np.random.default_rng(seed).multinomial(n, np.full(n, 1 / n), draws)
    # One matrix product pools every draw; float64 holds pixel counts exactly.
    drawn = [_scores((times @ c.reshape(n, -1)).reshape(draws, 3, -1)) for c in counts]
    whole = [_scores(c.sum(axis=0)) for c in counts]
    # Photos count by their truth: stray pixels of a class in a prediction say nothing about it.
    photos = (counts[0][:, 1] > 0).sum(axis=0)
    everything = np.arange(whole[0][0].size)
    means_over = {"iou": everything, "f1": np.delete(everything, BACKGROUND)}
    return {
        name: _differences([w[i] for w in whole], [d[i] for d in drawn], photos, n, classes)
        for i, (name, classes) in enumerate(means_over.items())
    }


def _differences(
    whole: Sequence[NDArray[np.float64]],
    drawn: Sequence[NDArray[np.float64]],
    photos: NDArray[np.int64],
    photos_in_all: int,
    classes: NDArray[np.int64],
) -> Differences:
    """From both sides' scores over the set ``(19,)`` and over each draw ``(D, 19)``."""
    low, high = _interval(drawn[1] - drawn[0])
    means = [float(_means(w[None, classes])[0]) for w in whole]
    mean_draws = _means(drawn[1][:, classes]) - _means(drawn[0][:, classes])
    mean_low, mean_high = _interval(mean_draws[:, None])
    return Differences(
        first=whole[0],
        second=whole[1],
        low=low,
        high=high,
        photos=photos,
        mean=(means[0], means[1], float(mean_low[0]), float(mean_high[0])),
        photos_in_all=photos_in_all,
    )


def _marginals(confusion: NDArray[np.int64]) -> NDArray[np.float64]:
    """Right, true and predicted pixels of each class, ``(3, 19)``."""
    return np.stack([np.diag(confusion), confusion.sum(1), confusion.sum(0)]).astype(np.float64)


def _scores(marginals: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """IoU and F1 ``(..., 19)`` from ``(..., 3, 19)``."""
    return from_marginals(marginals[..., 0, :], marginals[..., 1, :], marginals[..., 2, :])


def _interval(values: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Ends of the interval of each column, over the draws in which it has a value."""
    tail = 100 * (1 - LEVEL) / 2
    ends = np.full((2, values.shape[1]), np.nan)
    seen = ~np.isnan(values).all(axis=0)
    ends[:, seen] = np.nanpercentile(values[:, seen], [tail, 100 - tail], axis=0)
    return ends[0], ends[1]


def _means(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Mean of each row over the classes that occur; 0 where none does."""
    there = ~np.isnan(values)
    total = np.where(there, values, 0.0).sum(axis=1)
    return total / np.maximum(there.sum(axis=1), 1)
