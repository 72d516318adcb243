"""A page that starts a job which tells a file when it ends; sessions are given up quickly."""

import os
import time
from pathlib import Path

import streamlit as st

from bisenet.dashboard.session import jobs

jobs.RESUMABLE_SECONDS = 1.0
jobs.LOOK_SECONDS = 0.2
marks = Path(os.environ["JOBS_APP_FOLDER"])
name = st.query_params.get("name", "nobody")


def work(progress: jobs.Progress, stop: jobs.Stop) -> None:
    (marks / f"{name} began").touch()
    while not stop():
        with (marks / f"{name} works").open("ab") as beats:
            beats.write(b".")
        time.sleep(0.05)
    (marks / f"{name} ended").touch()


if "job" not in st.session_state:
    st.session_state["job"] = jobs.Job(work)
    st.session_state["job"].start()
st.button("Again")
st.write(f"{name} is here")
