from __future__ import annotations

import numpy as np
import pytest

from bisenet.evaluation.calibration import (
    calibration_counts,
    expected_calibration_error,
    reliability_table,
)


def test_the_error_by_hand() -> None:
    sure = np.array([0.2, 0.4, 0.6, 0.9, 1.0], np.float32)
    right = np.array([False, True, True, True, False])
    counts = calibration_counts(sure, right, bins=2)
    # Up to 0.5: two pixels, one right, mean 0.3. Above: three, two right, mean 2.5 / 3.
    np.testing.assert_allclose(counts, [[2, 0.6, 1], [3, 2.5, 2]], rtol=1e-6)
    by_hand = 2 / 5 * abs(1 / 2 - 0.3) + 3 / 5 * abs(2 / 3 - 2.5 / 3)
    assert expected_calibration_error(counts) == pytest.approx(by_hand)


def test_bins_are_closed_above_as_in_the_paper() -> None:
    counts = calibration_counts(np.array([0.0, 0.5, 1.0], np.float32), np.ones(3, bool), bins=2)
    assert counts[:, 0].tolist() == [2, 1]


def test_counts_of_pictures_add_up() -> None:
    rng = np.random.default_rng(0)
    sure, right = rng.random((2, 30, 40)).astype(np.float32), rng.random((2, 30, 40)) < 0.6
    parts = calibration_counts(sure[0], right[0]) + calibration_counts(sure[1], right[1])
    np.testing.assert_allclose(parts, calibration_counts(sure, right))


def test_a_calibrated_network_has_no_error_and_a_boasting_one_has() -> None:
    rng = np.random.default_rng(1)
    sure = rng.random(200_000).astype(np.float32)
    honest = rng.random(200_000) < sure
    assert expected_calibration_error(calibration_counts(sure, honest)) < 0.01
    boast = calibration_counts(np.full(10, 0.9, np.float32), np.arange(10) < 5)
    assert expected_calibration_error(boast) == pytest.approx(0.4, abs=1e-6)


def test_empty_bins_have_no_accuracy() -> None:
    table = reliability_table(calibration_counts(np.array([0.95], np.float32), np.array([True])))
    assert len(table) == 15
    assert table["pixels"].tolist() == [0] * 14 + [1]
    assert table["accuracy"].isna().sum() == 14
    assert table["accuracy"].iloc[-1] == 1
    assert expected_calibration_error(np.zeros((15, 3))) == 0
