"""Scoring: photos paired with their masks, metrics, calibration, two contestants compared."""
