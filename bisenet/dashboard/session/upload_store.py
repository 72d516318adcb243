"""Uploaded files are taken from Streamlit, which would keep them until the session ends.

So a photo that a person removes is gone, and none is kept that nobody sees any more.
"""

from __future__ import annotations

from collections.abc import Iterable

import streamlit as st
from streamlit import runtime
from streamlit.runtime.memory_uploaded_file_manager import MemoryUploadedFileManager
from streamlit.runtime.scriptrunner import get_script_run_ctx
from streamlit.runtime.uploaded_file_manager import UploadedFile


def there(files: Iterable[object] | None) -> list[UploadedFile]:
    """Of an upload box's files, those that Streamlit still has; for a file that ``forget`` took it
    gives a ``DeletedFile`` without name and bytes.
    """
    return [file for file in files or () if isinstance(file, UploadedFile)]


def arrived(key: str) -> list[UploadedFile]:
    """The files in an upload box or a camera that are still there to be taken.

    Who adds files while the last ones are parsed sends both: the box in the browser is emptied
    only when the script has come to its end. Streamlit gives a stand-in for those already taken.
    """
    value = st.session_state.get(key)
    return there(value if isinstance(value, list) else [value])


def box_key(name: str) -> str:
    """An upload box's key until ``empty_box``: a new key is a new, empty box."""
    return f"{name}-{st.session_state.get(f'{name}-round', 0)}"


def empty_box(name: str) -> None:
    """Empty the upload box of this name."""
    st.session_state[f"{name}-round"] = st.session_state.get(f"{name}-round", 0) + 1


def forget(files: Iterable[UploadedFile]) -> None:
    """Let Streamlit's own copies of a session's files go, once their bytes are taken."""
    context = get_script_run_ctx(suppress_warning=True)
    if context is None or not runtime.exists():
        return
    manager = runtime.get_instance().uploaded_file_mgr
    if isinstance(manager, MemoryUploadedFileManager):
        for file in files:
            manager.remove_file(context.session_id, file.file_id)
