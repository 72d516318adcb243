"""Batch: many photos in one go, with a table, distributions, thumbnails and masks of all."""

import streamlit as st

from bisenet.dashboard.batch import page_state, panels, start
from bisenet.dashboard.session import shell

shell.ensure_frame()
page = page_state.current()
if page is None:
    start.start()
    st.stop()
panels.progress(page)
panels.results(page)
