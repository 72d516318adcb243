"""Regions: one region in detail, its twin beside it, and the figures of the whole face."""

from pathlib import PurePath

import streamlit as st

from bisenet.classes import BACKGROUND, CLASSES
from bisenet.dashboard.regions import charts as region_charts
from bisenet.dashboard.regions import panels
from bisenet.dashboard.session import shell
from bisenet.dashboard.viewer import viewer
from bisenet.dashboard.widgets import charts, downloads, face_choice, share_choice
from bisenet.measure import proportions, region_detail

shell.ensure_frame()
view = shell.current_view()
stem = PurePath(view.name).stem

picture, detail = st.columns([3, 2], gap="large")
with picture, st.container(key="region-picture"):
    of_photo = share_choice.chosen(view.parsing) == share_choice.OF_PHOTO
    looked_at = viewer(view.picture, key="viewer-regions", controls=False, of_photo=of_photo)
with detail:
    chosen = face_choice.choose(view.parsing, looked_at.face, always=True)
    view = view.of_face(chosen)
    parsing = view.parsing
    if chosen is not None:
        stem = f"{stem}-face-{chosen}"
    choice, backdrop = st.columns([1, 2], gap="small")
    with choice:
        class_id = panels.choose(parsing.classes, looked_at.selected)
    region = CLASSES[class_id]
    panels.cut_out(parsing, class_id, stem, backdrop)
    st.subheader(region.title)
    entropy = view.entropy()
    share = share_choice.choose(parsing)
    panels.figures(view.regions, class_id, entropy, parsing.mask == class_id, share)

colors, confidence, where = st.columns(3, gap="medium")
color_levels = region_detail.color_histogram(parsing, class_id)
histogram = region_detail.confidence_histogram(parsing, class_id)
colors.plotly_chart(region_charts.color_chart(color_levels, region), config=charts.CONFIG)
confidence.plotly_chart(region_charts.confidence_chart(histogram, region), config=charts.CONFIG)
with where:
    panels.heat_map(parsing, class_id, entropy)
with st.container(horizontal=True):
    downloads.csv("Colour levels, CSV", color_levels, f"{stem}-{region.name}-colours.csv")
    downloads.csv("Confidence, CSV", histogram, f"{stem}-{region.name}-confidence.csv")

st.subheader("Left and right")
st.caption("The person's own left and right: the left eye is on the right of the picture.")
pairs = proportions.pair_table(parsing.mask)
if pairs.empty:
    st.info(
        "No eyes, brows or ears were found, so there is nothing to pair.", icon=":material/info:"
    )
else:
    panels.pairs(pairs)
    downloads.csv("Pairs, CSV", pairs, f"{stem}-pairs.csv")

st.subheader("The whole face")
panels.face_figures(proportions.proportions(parsing.mask), parsing.classes)
if set(parsing.classes) - {BACKGROUND}:
    st.plotly_chart(region_charts.group_treemap(view.regions), config=charts.CONFIG)
    downloads.csv("Areas, CSV", view.regions, f"{stem}-regions.csv")
