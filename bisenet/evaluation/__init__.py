"""Scoring against masks: metrics, calibration, robustness, two networks compared."""
