"""BiSeNet Face Parsing: the shell around the pages."""

import streamlit as st

from bisenet.dashboard import shell

st.set_page_config(
    page_title="BiSeNet Face Parsing",
    page_icon=":material/face_retouching_natural:",
    layout="wide",
    initial_sidebar_state="auto",
)
page = st.navigation(
    [
        st.Page("pages/explore.py", title="Explore", icon=":material/face:", default=True),
    ],
    position="top",
)
shell.sidebar()
page.run()
