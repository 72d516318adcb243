"""Explore: a photo, its regions, their sizes, and what the parse took."""

from functools import partial
from pathlib import PurePath

import streamlit as st

from bisenet.dashboard.explore import comparison, export_menu, face_marks
from bisenet.dashboard.session import shell
from bisenet.dashboard.strip import gallery_strip
from bisenet.dashboard.viewer import viewer
from bisenet.dashboard.widgets import charts, face_choice, share_choice, tables, uploads
from bisenet.dashboard.widgets import looked_at as coverage
from bisenet.measure import region_detail

shell.ensure_frame()
uploads.draw()
gallery_strip(shell.gallery())

view = shell.current_view()
parsing = view.parsing
stem = PurePath(view.name).stem
for notice in (*view.notices, *parsing.notices):
    st.info(notice, icon=":material/info:")
face_marks.offers(parsing)

other = comparison.choose(view)
shown = face_marks.Shown.of(view)
looked_at = viewer(
    view.picture,
    comparison.picture(other) if other else None,
    key="viewer",
    on_box=partial(face_marks.mark, shown),
    on_dismiss=partial(face_marks.dismiss, shown),
    of_photo=share_choice.chosen(parsing) == share_choice.OF_PHOTO,
)
coverage.caption(parsing)
unsure = region_detail.low_confidence(view.regions)
if unsure:
    st.warning(
        f"The network is unsure about: {', '.join(unsure).lower()}. Check these before you use "
        "their measurements.",
        icon=":material/help:",
    )
photo = shell.gallery().current
export_menu.export_menu(view, stem, photo.file_name if photo else view.name, looked_at)

if other:
    comparison.differences(view, other, stem)

st.subheader("Regions")
st.caption("Left and right are the person's own: the left eye is on the right of the picture.")
measured = view.of_face(face_choice.choose(parsing, looked_at.face))
share = share_choice.choose(parsing)
tables.region_table(measured.regions, share)
areas, stages = st.columns([3, 2], gap="large")
areas.plotly_chart(charts.area_chart(measured.regions, share), key="areas", config=charts.CONFIG)
stages.plotly_chart(charts.stages_chart(parsing.timings), key="stages", config=charts.CONFIG)
height, width = parsing.mask.shape
stages.caption(f"{width} x {height} px, {shell.describe_run(parsing)}")
