"""Batch and Evaluate begin with samples where nobody has brought files."""

from __future__ import annotations

from streamlit.testing.v1 import AppTest

from bisenet.images.samples import VARIATIONS
from tests.app.test_batch import finished, page_of, text

WAIT_S = 120


def test_a_batch_of_samples_says_what_it_is(app: AppTest) -> None:
    at = app.switch_page("pages/batch.py").run()
    at.button(key="batch-samples").click().run()
    at = finished(at)
    table = page_of(at).batch.table()
    assert table["photo"].nunique() == len(VARIATIONS)
    assert table.groupby("photo")["face"].max().max() == 1, "one face each"
    assert "one public-domain photo" in text(at)
    (shown,) = (frame.value for frame in at.dataframe if "How unusual" in frame.value)
    # Named, measured, and why it stands out, before what has to be scrolled to.
    assert list(shown.columns)[:6] == [
        *("Preview", "Photo", "Face", "Hair", "Skin", "What is unusual"),
    ]
    why = shown.loc[shown["How unusual"] > 3.5, "What is unusual"]
    assert len(why)
    assert why.str.contains("usually").all()


def test_samples_to_evaluate_say_that_their_masks_are_no_truth(app: AppTest) -> None:
    at = app.switch_page("pages/evaluate.py").run()
    at.button(key="evaluate-samples").click().run()
    assert not at.exception
    dataset = at.session_state["evaluate_state"].dataset
    dataset.survey.join(WAIT_S)
    at.run()
    assert "not how right it is" in at.info[0].value
    assert len(dataset.survey.result.checked) == len(VARIATIONS)
    assert not dataset.survey.result.problems
