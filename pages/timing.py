"""Timing: where the milliseconds of a parse go, how parses have behaved, engines side by side."""

from functools import partial
from pathlib import PurePath

import pandas as pd
import streamlit as st

from bisenet.dashboard.session import shell
from bisenet.dashboard.timing import charts as timing_charts
from bisenet.dashboard.timing import panels
from bisenet.dashboard.widgets import charts, downloads, tabs

shell.ensure_frame()
view = shell.current_view()
parsing = view.parsing
stages = pd.DataFrame(parsing.timings.items(), columns=["stage", "milliseconds"])
height, width = parsing.mask.shape
faces = "1 face" if len(parsing.faces) == 1 else f"{len(parsing.faces)} faces"

st.plotly_chart(timing_charts.waterfall(parsing.timings), config=charts.CONFIG, key="waterfall")
st.caption(
    f"{view.name}: {width * height / 1e6:.2g} megapixels, {faces}, on "
    f"{shell.describe_run(parsing)} {parsing.engine.reason}"
)
downloads.csv("Times of this photo, CSV", stages, f"{PurePath(view.name).stem}-timings.csv")

weights = shell.current_weights()
tabs.draw(
    {
        "History": panels.history,
        "Benchmark": partial(panels.benchmark, weights),
        "Inside the network": partial(panels.inside, weights),
    },
    key="timing-tab",
)
