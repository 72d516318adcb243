"""Which of a photo's faces the numbers and the files are about."""

from __future__ import annotations

import streamlit as st

from bisenet.dashboard.viewer import select_face
from bisenet.parser import Parsing

_CHOICE = "face_choice"
# None would be shown as a choice that is still to be made.
_ALL = 0


def current(parsing: Parsing, looked_at: int | None, always: bool = False) -> int | None:
    """The id of the chosen face; None for all of them, and where there is at most one.

    The viewers' common choice holds it, so that it is the same on every page.

    Args:
        looked_at: the face that the viewer has chosen.
        always: gives the largest face where none is chosen.
    """
    ids = [face.id for face in parsing.faces]
    if len(ids) < 2:
        return None
    if looked_at in ids:
        return looked_at
    return ids[0] if always else None


def choose(parsing: Parsing, looked_at: int | None, always: bool = False) -> int | None:
    """As ``current``, with a list to choose from; nothing is drawn where there is at most one face.

    Args:
        always: one face has to be chosen; else all of them may be.
    """
    ids = [face.id for face in parsing.faces]
    chosen = current(parsing, looked_at, always)
    if len(ids) < 2:
        return None
    # A list of its own for each set of options, told its choice at every run: the picture may be
    # clicked, and on another page a list that is new would show its first option.
    key = f"{_CHOICE}-{len(ids)}-{'one' if always else 'any'}"
    st.session_state[key] = chosen or _ALL
    st.selectbox(
        "Face",
        ids if always else [_ALL, *ids],
        format_func=lambda face_id: f"Face {face_id}" if face_id else f"All {len(ids)} faces",
        key=key,
        on_change=lambda: select_face(st.session_state[key] or None),
        help="Or click a face's number in the picture. Face 1 is the largest.",
    )
    return chosen
