"""Batch: many photos in one go, with a table, distributions, thumbnails and masks of all."""

import streamlit as st

from bisenet.dashboard import batch_desk, batch_panels, batch_start, shell

shell.ensure_frame()
desk = batch_desk.current()
if desk is None:
    batch_start.start()
    st.stop()
batch_panels.progress(desk)
batch_panels.results(desk)
