"""Evaluate: photos with their masks, and where the network is right and where it is wrong."""

from collections.abc import Callable
from functools import partial

import streamlit as st

from bisenet.dashboard.evaluate import page_state, photo, results, setup, uploads
from bisenet.dashboard.session import shell
from bisenet.dashboard.widgets import downloads
from bisenet.evaluation import report

shell.ensure_frame()
state = page_state.current()
dataset = state.dataset
if dataset is None:
    uploads.upload_box(state)
    uploads.welcome()
    st.stop()
survey = uploads.survey_of(state, dataset)
if state.samples:
    uploads.say_samples()

run = dataset.run
if run is not None and run.job.running:
    st.markdown(setup.summary(survey))
    page_state.watch(run.job, "Scoring", "Stop")
    st.stop()

outcome = run.job.result if run is not None else None
open_at_first = outcome is None or bool(state.refused)
with st.expander(setup.summary(survey), expanded=open_at_first):
    setup.prepare(dataset, survey)
    st.divider()
    uploads.upload_box(state, "Bring other photos and masks")
if run is None:
    st.stop()
if outcome is None or not outcome.photos:
    results.nothing(run)
    st.stop()

results.headline(outcome)
results.not_scored(outcome)
with st.container(horizontal=True, vertical_alignment="bottom", horizontal_alignment="distribute"):
    side = results.pick(outcome)
    downloads.button("Everything, JSON", partial(report.as_json, outcome), "evaluation.json")
panels: dict[str, Callable[[], None]] = {
    "By class": partial(results.by_class, outcome, side),
    "Confusions": partial(results.confusions, outcome, side),
    "Photos": partial(photo.photos, run, outcome, side),
    "Calibration": partial(results.calibration, outcome),
    "Face size": partial(results.face_size, outcome),
}
if len(outcome.networks) > 1:
    panels = {"B against A": partial(results.differences, run, outcome)} | panels
tabs = st.tabs(list(panels), key="evaluate-tab", on_change="rerun")
for tab, draw in zip(tabs, panels.values(), strict=True):
    if tab.open:
        with tab:
            draw()
