"""Proportions of a real face."""

from __future__ import annotations

import pytest

from bisenet.classes import mirror_lut
from bisenet.measure.proportions import proportions
from bisenet.parser import Parsing


def test_a_real_face_has_plausible_figures(parsing: Parsing) -> None:
    figures = proportions(parsing.mask)
    assert figures.symmetry is not None
    assert 0.4 < figures.symmetry <= 1
    assert figures.width_to_height is not None
    assert 0.4 < figures.width_to_height < 1.2
    mirrored = proportions(mirror_lut()[parsing.mask[:, ::-1]])
    assert figures.tilt is not None
    assert mirrored.tilt == pytest.approx(-figures.tilt, abs=1e-6)
