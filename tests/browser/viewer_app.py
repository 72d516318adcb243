"""A small app around the viewer, for the browser tests: synthetic face, rerun button, two pages."""

from __future__ import annotations

import io
import os

import numpy as np
import streamlit as st
from numpy.typing import NDArray
from PIL import Image

from bisenet.classes import NOT_LOOKED_AT
from bisenet.dashboard.picture import Picture, pack
from bisenet.dashboard.viewer import current_view, select_face, select_region, viewer
from bisenet.geometry.boxes import Box

st.set_page_config(page_title="Viewer test", layout="wide")


def ellipse(
    shape: tuple[int, int], cx: float, cy: float, rx: float, ry: float
) -> NDArray[np.bool_]:
    """Mask of an ellipse given in fractions of the picture."""
    y, x = np.ogrid[: shape[0], : shape[1]]
    height, width = shape
    return ((x / width - cx) / rx) ** 2 + ((y / height - cy) / ry) ** 2 <= 1


@st.cache_data
def synthetic(
    width: int, height: int, hat: bool = False, unseen: bool = False
) -> tuple[bytes, bytes, bytes]:
    """Photo (JPEG), labels and confidence (packed) of a drawn face; ``unseen``: its left tenth."""
    labels = np.zeros((height, width), np.uint8)
    parts = [
        (17, 0.50, 0.42, 0.33, 0.36),
        (14, 0.50, 0.80, 0.13, 0.20),
        (16, 0.50, 1.05, 0.46, 0.20),
        (1, 0.50, 0.47, 0.24, 0.30),
        (4, 0.60, 0.42, 0.05, 0.025),
        (5, 0.40, 0.42, 0.05, 0.025),
        (2, 0.60, 0.36, 0.06, 0.012),
        (3, 0.40, 0.36, 0.06, 0.012),
        (10, 0.50, 0.51, 0.04, 0.08),
        (12, 0.50, 0.635, 0.08, 0.014),
        (13, 0.50, 0.662, 0.07, 0.016),
    ]
    if hat:
        parts.append((18, 0.50, 0.12, 0.30, 0.10))
    for class_id, *place in parts:
        labels[ellipse((height, width), *place)] = class_id
    if unseen:
        labels[:, : width // 10] = NOT_LOOKED_AT
    shade = np.linspace(90, 190, height, dtype=np.uint8)[:, None, None]
    photo = np.broadcast_to(shade, (height, width, 3)).copy()
    photo[labels == 1] = (224, 180, 150)
    photo[labels == 17] = (70, 48, 36)
    sure = np.full((height // 4, width // 4), 242, np.uint8)

    buffer = io.BytesIO()
    Image.fromarray(photo).save(buffer, "JPEG")
    return buffer.getvalue(), pack(labels), pack(sure)


def explore() -> None:
    """The viewer with what the server knows of it."""
    width, _, height = st.query_params.get("size", "640x480").partition("x")
    photo, labels, confidence = synthetic(
        int(width), int(height), unseen="unseen" in st.query_params
    )
    faces: dict[int, Box] = {}
    if "faces" in st.query_params:
        faces = {1: (120, 60, 400, 400), 2: (420, 100, 560, 300)}
    if "crowd" in st.query_params:
        faces = {
            i + 1: (x := 8 + i % 8 * 80, y := 30 + i // 8 * 90, x + 40, y + 50) for i in range(40)
        }
    faces = st.session_state.get("faces", faces)

    def mark(box: Box) -> None:
        st.session_state["faces"] = {**faces, len(faces) + 1: box}
        st.session_state["message"] = ["box", *box]

    def dismiss(face_id: int) -> None:
        st.session_state["faces"] = {i: box for i, box in faces.items() if i != face_id}
        st.session_state["message"] = ["dismiss", face_id]

    marks = "marks" in st.query_params
    if "broken" in st.query_params:
        labels = labels[: len(labels) // 2]
    compare = None
    if "compare" in st.query_params:
        second = synthetic(int(width), int(height), hat=True)
        compare = Picture(second[0], second[1], "second", second[2])
    st.button("Rerun")
    if st.button("Select hair"):
        select_region(17)
    if st.button("Go to face 2"):
        select_face(2)
    if st.button("Set parameter"):
        st.query_params["other"] = "1"
    view = viewer(
        Picture(photo, labels, "first", confidence, faces),
        compare,
        on_box=mark if marks else None,
        on_dismiss=dismiss if marks else None,
        of_photo="unseen" in st.query_params and st.toggle("Of the photo"),
    )
    st.text(f"message={st.session_state.get('message')}")
    show(view)


def other() -> None:
    """A page without a viewer."""
    show(current_view())


def show(view: object) -> None:
    """The server's knowledge, for the tests to read."""
    st.session_state["runs"] = st.session_state.get("runs", 0) + 1
    st.text(f"runs={st.session_state['runs']} {view}")


st.navigation(
    [st.Page(explore, title="Explore", default=True), st.Page(other, title="Other")],
    position=os.environ.get("VIEWER_NAVIGATION", "top"),  # type: ignore[arg-type]
).run()
