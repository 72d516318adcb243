"""Everything that a session holds of a person, let go at once."""

from __future__ import annotations

import streamlit as st
from streamlit import runtime
from streamlit.runtime.scriptrunner import get_script_run_ctx

from bisenet.dashboard.batch import page_state as batch_state
from bisenet.dashboard.evaluate import page_state as evaluate_state
from bisenet.dashboard.explore import export_menu
from bisenet.dashboard.session import shell, visitors
from bisenet.dashboard.timing import panels as timing_panels
from bisenet.dashboard.widgets import uploads
from bisenet.runtime import memory

_DONE = "forgetting_done"


def button() -> None:
    """The button, in the sidebar of every page; once pressed, the page says that it is done."""
    with st.sidebar:
        st.button(
            "Forget everything now",
            icon=":material/delete_forever:",
            key="forget-everything",
            on_click=everything,
            width="stretch",
            help="Photos, batch, evaluation and all their results go from the server's memory at "
            "once. Download what you need first.",
        )
    if st.session_state.pop(_DONE, False):
        st.toast("Your photos and all their results are gone.", icon=":material/delete_forever:")


def everything() -> None:
    """Let go of this session's photos, views, batch, evaluation, measurements and media files.

    Work that goes on ends at its next step.
    """
    batch_state.forget()
    evaluate_state.clear()
    timing_panels.clear()
    uploads.clear()
    export_menu.clear()
    shell.clear()
    context = get_script_run_ctx(suppress_warning=True)
    if context is not None and runtime.exists():
        running = runtime.get_instance()
        for session_id in visitors.sessions():
            running.uploaded_file_mgr.remove_session_files(session_id)
            running.media_file_mgr.clear_session_refs(session_id)
            running.dataframe_source_mgr.clear_all_for_session(session_id)
        # Files for downloads are only marked here, and go at the end of the run that follows.
        running.media_file_mgr.remove_orphaned_files()
    memory.give_back()
    st.session_state[_DONE] = True
