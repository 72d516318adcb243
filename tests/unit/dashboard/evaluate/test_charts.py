from __future__ import annotations

import numpy as np
import pytest

from bisenet.classes import BY_NAME, CLASSES
from bisenet.dashboard.evaluate import charts as charts
from bisenet.evaluation.calibration import calibration_counts, reliability_table
from bisenet.evaluation.metrics import Scores
from bisenet.evaluation.report import class_table

SKIN, HAIR, HAT = (BY_NAME[name].id for name in ("skin", "hair", "hat"))


@pytest.fixture
def scores() -> Scores:
    truth = np.zeros((20, 20), np.uint8)
    truth[:10] = SKIN
    found = truth.copy()
    found[:2] = HAIR
    total = Scores()
    total.add(truth, found)
    return total


def test_class_bars_have_the_class_colours_and_leave_out_what_does_not_occur(
    scores: Scores,
) -> None:
    bars, f1, edges = charts.class_chart(class_table(scores)).data
    assert list(bars.y) == ["Background", "Skin", "Hair"]
    assert list(bars.marker.color) == [CLASSES[i].color for i in (0, SKIN, HAIR)]
    assert bars.x[1] == pytest.approx(80)
    assert f1.x[1] == pytest.approx(100 * 2 * 160 / (200 + 160))
    assert len(edges.x) == 3


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_confusions_are_normalised_by_the_truth_with_pixels_on_hover(
    scores: Scores, theme: str
) -> None:
    heat, text = charts.confusion_chart(scores.confusion, theme).data
    assert list(heat.x) == list(heat.y) == ["Background", "Skin", "Hair"]
    np.testing.assert_allclose(heat.z[:2], [[100, 0, 0], [0, 80, 20]])
    assert np.isnan(heat.z[2]).all()  # hair is in no truth
    assert heat.customdata[1].tolist() == [0, 160, 40]
    assert list(text.text) == ["100", "80", "20"]
    # What hardly has a colour is written in the page's own ink.
    assert (text.textfont.color[2] == "#17202b") == (theme == "light")


def test_reliability_shows_only_bins_that_hold_pixels() -> None:
    counts = calibration_counts(np.array([0.3, 0.95], np.float32), np.array([False, True]))
    table = reliability_table(counts).assign(network="A")
    perfect, line, bars = charts.reliability_chart(table).data
    assert perfect.name == "perfect"
    np.testing.assert_allclose(line.x, [30, 95], rtol=1e-6)
    assert list(line.y) == [0, 100]
    assert len(bars.y) == 15
    assert sum(bars.y) == pytest.approx(100)
