"""Scoring: photos parsed and held against their masks, metrics, calibration, two networks compared."""
