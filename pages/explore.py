"""Explore: a photo, its regions, their sizes, and what the parse took."""

from functools import partial
from pathlib import PurePath

import streamlit as st

from bisenet.dashboard.explore import comparison, export_menu, face_marks, layout
from bisenet.dashboard.session import shell
from bisenet.dashboard.strip import about, gallery_strip
from bisenet.dashboard.viewer import Tools, viewer
from bisenet.dashboard.widgets import charts, face_choice, share_choice, tables, uploads
from bisenet.dashboard.widgets import looked_at as coverage
from bisenet.measure import region_detail

shell.ensure_frame()
with uploads.draw():
    gallery_strip(shell.gallery())

# What a parse says on its way comes below the picture, which so stays where it is.
picture, news = st.container(), st.container()
with news:
    view = shell.current_view()
parsing = view.parsing
height, width = parsing.mask.shape
stem = PurePath(view.name).stem
choices = comparison.choices()
other = comparison.chosen(choices)
second = None
if other:
    other_height, other_width = other.parsing.mask.shape
    second = other_width / other_height
with picture:
    photo_place, rest = layout.places(width / height, second)
with photo_place:
    shown = face_marks.Shown.of(view)
    looked_at = viewer(
        view.picture,
        comparison.picture(other) if other else None,
        key="viewer",
        on_box=partial(face_marks.mark, shown),
        on_dismiss=partial(face_marks.dismiss, shown),
        tools=Tools(choices, comparison.key(), comparison.choose, export_menu.ask),
        of_photo=share_choice.chosen(parsing) == share_choice.OF_PHOTO,
    )
photo = shell.gallery().current
export_menu.export_menu(view, stem, photo.file_name if photo else view.name, looked_at)
with rest:
    for notice in (*view.notices, *parsing.notices):
        st.info(notice, icon=":material/info:")
    measured = view.of_face(face_choice.choose(parsing, looked_at.face))
    share = share_choice.choose(parsing)
    tables.region_table(measured.regions, share)
    tables.left_out(measured.left_out)
    face_marks.offers(parsing)
    st.caption("Left and right are the person's own: the left eye is on the right of the picture.")
    unsure = region_detail.low_confidence(measured.regions)
    if unsure:
        st.warning(
            f"The network is unsure about: {', '.join(unsure).lower()}. Check these before you use "
            "their measurements.",
            icon=":material/help:",
        )
    coverage.caption(parsing)
    about(shell.gallery())

if other:
    comparison.differences(view, other, stem)

areas, stages = st.columns([3, 2], gap="large")
with areas:
    background = st.toggle(
        "With the background", key="areas-background", help="It dwarfs the other bars."
    )
    bars = charts.area_chart(measured.regions, share, background)
    st.plotly_chart(bars, key="areas", config=charts.CONFIG)
stages.plotly_chart(charts.stages_chart(parsing.timings), key="stages", config=charts.CONFIG)
stages.caption(f"{width} x {height} px, {shell.describe_run(parsing)}")
