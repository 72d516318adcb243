"""Evaluate: photos with their masks, and where the network is right and where it is wrong."""

from collections.abc import Callable
from functools import partial

import streamlit as st

from bisenet.dashboard import (
    downloads,
    evaluate_desk,
    evaluate_intake,
    evaluate_photo,
    evaluate_results,
    evaluate_setup,
    shell,
)
from bisenet.evaluation import report

shell.ensure_frame()
desk = evaluate_desk.desk()
if desk.files is None:
    evaluate_intake.intake(desk)
    evaluate_intake.welcome()
    st.stop()
survey = evaluate_intake.survey_of(desk)

if desk.run and desk.busy:
    st.markdown(evaluate_setup.summary(survey))
    evaluate_desk.watch(desk.run, "Scoring", "Stop")
    st.stop()

outcome = desk.run.result if desk.run else None
open_at_first = outcome is None or bool(desk.refused)
with st.expander(evaluate_setup.summary(survey), expanded=open_at_first):
    evaluate_setup.prepare(desk, survey)
    st.divider()
    evaluate_intake.intake(desk, "Bring other photos and masks")
if outcome is None or not outcome.photos:
    evaluate_results.nothing(desk)
    st.stop()

evaluate_results.headline(outcome)
evaluate_results.not_scored(outcome)
with st.container(horizontal=True, vertical_alignment="bottom", horizontal_alignment="distribute"):
    side = evaluate_results.pick(outcome)
    downloads.button("Everything, JSON", partial(report.as_json, outcome), "evaluation.json")
panels: dict[str, Callable[[], None]] = {
    "By class": partial(evaluate_results.by_class, outcome, side),
    "Confusions": partial(evaluate_results.confusions, outcome, side),
    "Photos": partial(evaluate_photo.photos, desk, outcome, side),
    "Calibration": partial(evaluate_results.calibration, outcome),
    "Face size": partial(evaluate_results.face_size, outcome),
}
if len(outcome.contestants) > 1:
    panels = {"B against A": partial(evaluate_results.differences, desk, outcome)} | panels
tabs = st.tabs(list(panels), key="evaluate-tab", on_change="rerun")
for tab, draw in zip(tabs, panels.values(), strict=True):
    if tab.open:
        with tab:
            draw()
