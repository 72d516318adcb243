"""Which of a photo's faces the numbers are about."""

from __future__ import annotations

import streamlit as st

from bisenet.dashboard.viewer import select_face
from bisenet.parser import Parsing

_CHOICE = "face_choice"
_FOLLOWED = "face_choice_followed"


def choose(parsing: Parsing, clicked: int | None) -> int | None:
    """A face's id, or None for all of them: clicked in the picture, or chosen from the list.

    Draws nothing where there is at most one face.
    """
    ids = [face.id for face in parsing.faces]
    if len(ids) < 2:
        return None
    options = [None, *ids]
    # A new click in the picture wins over the list; an old one does not come back on every run.
    if clicked != st.session_state.get(_FOLLOWED) or st.session_state.get(_CHOICE) not in options:
        st.session_state[_CHOICE] = clicked if clicked in ids else None
    st.session_state[_FOLLOWED] = clicked
    chosen: int | None = st.selectbox(
        "Face",
        options,
        format_func=lambda face_id: f"Face {face_id}" if face_id else f"All {len(ids)} faces",
        key=_CHOICE,
        on_change=lambda: select_face(st.session_state[_CHOICE]),
        help="Or click a face's number in the picture. Face 1 is the largest.",
    )
    return chosen
