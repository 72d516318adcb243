"""Evaluate: photos with their masks, and where the network is right and where it is wrong."""

from collections.abc import Callable
from functools import partial

import streamlit as st

from bisenet.dashboard.evaluate import page_state, photo, results, setup, uploads
from bisenet.dashboard.session import shell
from bisenet.dashboard.widgets import downloads
from bisenet.evaluation import report

shell.ensure_frame()
desk = page_state.desk()
if desk.files is None:
    uploads.intake(desk)
    uploads.welcome()
    st.stop()
survey = uploads.survey_of(desk)

if desk.run and desk.busy:
    st.markdown(setup.summary(survey))
    page_state.watch(desk.run, "Scoring", "Stop")
    st.stop()

outcome = desk.run.result if desk.run else None
open_at_first = outcome is None or bool(desk.refused)
with st.expander(setup.summary(survey), expanded=open_at_first):
    setup.prepare(desk, survey)
    st.divider()
    uploads.intake(desk, "Bring other photos and masks")
if outcome is None or not outcome.photos:
    results.nothing(desk)
    st.stop()

results.headline(outcome)
results.not_scored(outcome)
with st.container(horizontal=True, vertical_alignment="bottom", horizontal_alignment="distribute"):
    side = results.pick(outcome)
    downloads.button("Everything, JSON", partial(report.as_json, outcome), "evaluation.json")
panels: dict[str, Callable[[], None]] = {
    "By class": partial(results.by_class, outcome, side),
    "Confusions": partial(results.confusions, outcome, side),
    "Photos": partial(photo.photos, desk, outcome, side),
    "Calibration": partial(results.calibration, outcome),
    "Face size": partial(results.face_size, outcome),
}
if len(outcome.networks) > 1:
    panels = {"B against A": partial(results.differences, desk, outcome)} | panels
tabs = st.tabs(list(panels), key="evaluate-tab", on_change="rerun")
for tab, draw in zip(tabs, panels.values(), strict=True):
    if tab.open:
        with tab:
            draw()
