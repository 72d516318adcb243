"""Timing: where the milliseconds of a parse go, how parses have behaved, engines side by side."""

from pathlib import PurePath

import pandas as pd
import streamlit as st

from bisenet.dashboard.session import shell
from bisenet.dashboard.timing import charts as timing_charts
from bisenet.dashboard.timing import panels
from bisenet.dashboard.widgets import charts, downloads

shell.ensure_frame()
view = shell.current_view()
parsing = view.parsing
stages = pd.DataFrame(parsing.timings.items(), columns=["stage", "milliseconds"])
height, width = parsing.mask.shape
faces = "1 face" if len(parsing.faces) == 1 else f"{len(parsing.faces)} faces"

st.plotly_chart(timing_charts.waterfall(parsing.timings), config=charts.CONFIG, key="waterfall")
st.caption(
    f"{view.name}: {width * height / 1e6:.2g} megapixels, {faces}, on "
    f"{shell.said_of(parsing)} {parsing.engine.reason}"
)
downloads.csv("This parse, CSV", stages, f"{PurePath(view.name).stem}-timings.csv")

past, side_by_side, inside = st.tabs(
    ["History", "Benchmark", "Inside the network"], key="timing-tab", on_change="rerun"
)
with past:
    if past.open:
        panels.history()
with side_by_side:
    if side_by_side.open:
        panels.benchmark(shell.current_weights())
with inside:
    if inside.open:
        panels.inside(shell.current_weights())
