"""Scoring: photos paired with their masks, metrics, calibration, two networks compared."""
