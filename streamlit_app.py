"""BiSeNet Face Parsing: the shell around the pages."""

import logging
from pathlib import Path

import streamlit as st

from bisenet import dashboard
from bisenet.dashboard import forgetting
from bisenet.dashboard.session import script_runs, shell

ASSETS = Path(dashboard.__file__).parent
st.set_page_config(
    page_title="BiSeNet Face Parsing",
    page_icon=str(ASSETS / "icon.png"),
    layout="wide",
    initial_sidebar_state="collapsed",
)
st.logo(str(ASSETS / "logo.svg"))
st.html(ASSETS / "page.css")
behaviour = st.components.v2.component(
    "bisenet.page", js=(ASSETS / "page.js").read_text(encoding="utf-8")
)
page = st.navigation(
    [
        st.Page("pages/explore.py", title="Explore", icon=":material/face:", default=True),
        st.Page("pages/regions.py", title="Regions", icon=":material/interests:"),
        st.Page("pages/batch.py", title="Batch", icon=":material/photo_library:"),
        st.Page("pages/evaluate.py", title="Evaluate", icon=":material/fact_check:"),
        st.Page("pages/timing.py", title="Timing", icon=":material/timer:"),
    ],
    position="top",
)
wanted = shell.wanted_page()
if wanted:
    st.switch_page(wanted, query_params=st.query_params.to_dict())
shell.sidebar()
forgetting.button()
with st.sidebar:
    behaviour(key="page-behaviour")
try:
    with script_runs.slot():
        page.run()
except Exception:
    logging.getLogger(__name__).exception("A page failed")
    st.error(
        "Something went wrong here that should not have. Your photos are still in the gallery: "
        "choose another one, or another page.",
        icon=":material/error:",
    )
