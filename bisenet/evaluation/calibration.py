"""Reliability and expected calibration error: does confidence equal accuracy?

Guo et al., "On Calibration of Modern Neural Networks", ICML 2017: pixels are put into bins by
their confidence; in each, the share that is right is held against the mean confidence.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import NDArray

BINS = 15


def calibration_counts(
    confidence: NDArray[np.floating], right: NDArray[np.bool_], bins: int = BINS
) -> NDArray[np.float64]:
    """Pixels by confidence, ``(B, 3)``: pixels, sum of their confidence, of those right.

    Bin ``m`` of ``B`` (from 0) holds confidences above ``m / B`` up to ``(m + 1) / B``. Counts of
    several pictures add up.

    Args:
        confidence: probabilities of the winning class, 0..1, of any shape.
        right: of the same shape, whether the label is true.
        bins: how many.
    """
    confidence = confidence.ravel().astype(np.float64)
    bin_of = np.clip(np.ceil(confidence * bins).astype(np.int64) - 1, 0, bins - 1)
    return np.stack(
        [
            np.bincount(bin_of, minlength=bins).astype(np.float64),
            np.bincount(bin_of, weights=confidence, minlength=bins),
            np.bincount(bin_of, weights=right.ravel(), minlength=bins),
        ],
        axis=1,
    )


def expected_calibration_error(counts: NDArray[np.float64]) -> float:
    """Mean distance of accuracy and confidence over the bins, weighted by pixels; 0..1."""
    pixels, confidence, right = counts.T
    total = pixels.sum()
    return float(np.abs(right - confidence).sum() / total) if total else 0.0


def reliability_table(counts: NDArray[np.float64]) -> pd.DataFrame:
    """One row a bin: its limits, pixels, mean confidence and accuracy (nan where it is empty)."""
    bins = len(counts)
    pixels, confidence, right = counts.T
    with np.errstate(invalid="ignore"):
        return pd.DataFrame(
            {
                "confidence_from": np.arange(bins) / bins,
                "confidence_to": np.arange(1, bins + 1) / bins,
                "pixels": pixels.astype(np.int64),
                "mean_confidence": confidence / pixels,
                "accuracy": right / pixels,
            }
        )
