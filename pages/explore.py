"""Explore: a photo, its regions, their sizes, and what the parse took."""

from functools import partial
from pathlib import PurePath

import streamlit as st

from bisenet import export
from bisenet.dashboard import charts, gallery_strip, shell, tables
from bisenet.dashboard.intake import intake
from bisenet.dashboard.viewer import viewer

intake()
gallery_strip.gallery_strip(shell.gallery())

view = shell.current_view()
parsing = view.parsing
for notice in view.notices:
    st.info(notice, icon=":material/info:")

looked_at = viewer(
    photo=view.photo_jpeg,
    labels=view.labels_png,
    confidence=view.confidence_png,
    faces=[],
    title=view.name,
    key="viewer",
)
st.caption("Left and right are the person's own: the left eye is on the right of the picture.")

stem = PurePath(view.name).stem or "photo"
hidden = frozenset(looked_at.hidden)
with st.container(horizontal=True):
    st.download_button(
        "Mask, PNG",
        partial(export.indexed_png, parsing.mask),
        f"{stem}-mask.png",
        "image/png",
        icon=":material/download:",
        on_click="ignore",
        help="Class ids with their palette and names, at the photo's resolution.",
    )
    st.download_button(
        "Overlay, PNG",
        partial(export.overlay_png, parsing, looked_at.opacity, hidden),
        f"{stem}-overlay.png",
        "image/png",
        icon=":material/download:",
        on_click="ignore",
    )
    st.download_button(
        "Measurements, CSV",
        export.regions_csv(view.regions),
        f"{stem}-regions.csv",
        "text/csv",
        icon=":material/download:",
        on_click="ignore",
    )
    st.download_button(
        "Timings, CSV",
        export.timings_csv(parsing),
        f"{stem}-timings.csv",
        "text/csv",
        icon=":material/download:",
        on_click="ignore",
    )

st.subheader("Regions")
tables.region_table(view.regions)
areas, stages = st.columns([3, 2], gap="large")
areas.plotly_chart(charts.area_chart(view.regions), key="areas")
stages.plotly_chart(charts.stages_chart(parsing.timings), key="stages")
height, width = parsing.mask.shape
stages.caption(f"{width} x {height} px, {parsing.engine}, weights {parsing.weights}.")
