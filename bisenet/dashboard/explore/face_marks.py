"""Faces by hand: boxed where the search missed one, dismissed where it was wrong."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import streamlit as st

from bisenet.dashboard.session import shell
from bisenet.dashboard.session.gallery import FaceRequest, View
from bisenet.geometry.boxes import Box, iou
from bisenet.parser import Parsing

# The next limits to offer where a photo holds more faces than were parsed.
LIMITS = (100, 254)
# A box that covers a face this much, as intersection over union, corrects it.
SAME_FACE = 0.35


@dataclass(frozen=True)
class Shown:
    """The faces of the photo in the viewer, by id, in its own pixels; ``scale`` is the view's.

    Callbacks get this in place of the view: Streamlit keeps them longer than the page is shown,
    and a large photo with them.
    """

    scale: float
    boxes: Mapping[int, Box]

    @classmethod
    def of(cls, view: View) -> Shown:
        """What a view shows."""
        return cls(view.scale, {face.id: face.box for face in view.parsing.faces})


def mark(shown: Shown, box: Box) -> None:
    """Parse the face in a box as well, or in place of the one that it corrects.

    Args:
        shown: what the page looks at.
        box: x0, y0, x1, y1 in the shown photo's pixels.
    """
    x0, y0, x1, y1 = (value / shown.scale for value in box)
    marked = (x0, y0, x1, y1)
    others = [face for face in shown.boxes.values() if iou(face, marked) < SAME_FACE]
    _ask((*others, marked))


def dismiss(shown: Shown, face_id: int) -> None:
    """Parse the other faces only; without any, the photo is parsed whole."""
    _ask(tuple(box for number, box in shown.boxes.items() if number != face_id))


def offers(parsing: Parsing) -> None:
    """How many faces there are; buttons that undo what was boxed or dismissed, and that raise the
    limit of faces.
    """
    count = len(parsing.faces)
    found = f"{count} {'face' if count == 1 else 'faces'} found" if count else "No face found"
    st.caption(f":material/face: {found}. Someone missing? **Edit**, then **Mark a face**.")
    photo_id = shell.current_id()
    request = shell.gallery().face_request(photo_id)
    limit = next((n for n in LIMITS if n > request.max_faces), None)
    if parsing.left_out and limit:
        st.button(
            f"Parse up to {limit} faces",
            icon=":material/groups:",
            key="more_faces",
            on_click=shell.gallery().request_faces,
            args=(photo_id, replace(request, max_faces=limit)),
        )
    if request.boxes is not None:
        st.button(
            "Find faces again",
            icon=":material/restart_alt:",
            type="tertiary",
            key="find_faces_again",
            help="Forgets the faces that were marked and dismissed by hand in this photo.",
            on_click=shell.gallery().request_faces,
            args=(photo_id, replace(request, boxes=None)),
        )


def _ask(boxes: tuple[Box, ...]) -> None:
    photo_id = shell.current_id()
    limit = max(shell.gallery().face_request(photo_id).max_faces, len(boxes))
    shell.gallery().request_faces(photo_id, FaceRequest(boxes, min(limit, LIMITS[-1])))
