"""How photos come in: upload and camera. A bad file is a sentence; what is there stays."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from bisenet.dashboard.session import shell, upload_store
from bisenet.dashboard.session.gallery import Gallery, StoredPhoto
from bisenet.images.archives import MAX_ARCHIVE_BYTES
from bisenet.images.decode import EXTENSIONS, MAX_BYTES, ImageError, display_name
from bisenet.runtime.admission import QueueFull

_ARRIVED = "uploads_arrived"
_PROBLEMS = "uploads_problems"


def draw() -> DeltaGenerator:
    """Draw the upload tile and the camera, and say what went wrong with the last files.

    Returns:
        The place beside them for the strip, to be filled once the photos have arrived.
    """
    key = upload_store.box_key("upload")
    with st.container(
        horizontal=True, vertical_alignment="center", gap="small", key="photos", wrap=False
    ):
        with st.container(key="add-photos", width="content"):
            st.file_uploader(
                "Add photos of faces",
                type=list(EXTENSIONS),
                accept_multiple_files=True,
                max_upload_size=MAX_BYTES // 2**20,
                key=key,
                on_change=_take_uploads,
                args=(key,),
                label_visibility="collapsed",
            )
        camera = st.toggle(":material/photo_camera: Camera", key="camera_on")
        strip = st.container(key="strip-place")
    place = st.empty()
    if camera:
        st.camera_input(
            "Look at the camera",
            key="camera",
            on_change=_take_snapshot,
            label_visibility="collapsed",
        )
    _add_arrived(place)
    for problem in st.session_state.get(_PROBLEMS, ()):
        st.error(problem, icon=":material/broken_image:")
    return strip


def clear() -> None:
    """Empty the upload box, close the camera, and forget what was wrong with the last files."""
    st.session_state.pop(_PROBLEMS, None)
    st.session_state.pop(_ARRIVED, None)
    upload_store.empty_box("upload")
    st.session_state["camera_on"] = False


def zip_limit_mb() -> int:
    """The largest zip that can be sent, MB: our limit, or the server's where that is smaller."""
    return min(MAX_ARCHIVE_BYTES // 2**20, int(st.get_option("server.maxUploadSize")))


def take(
    name: str,
    data: bytes,
    gallery: Gallery,
    on_position: Callable[[int], None] | None = None,
    session: str = "",
) -> list[str]:
    """Add a file to the gallery; returns sentences on what was refused or had to go.

    Raises:
        QueueFull: it has to wait for its place, and too many do already.
    """
    try:
        dropped = gallery.add(StoredPhoto.from_bytes(data, name, on_position, session))
    except ImageError as error:
        return [f"**{_plain(display_name(name))}** was not added. {error}"]
    return [
        f"**{_plain(photo.name)}** was let go: the last {gallery.max_photos} photos or "
        f"{gallery.max_bytes // 2**20} MB are kept."
        for photo in dropped
    ]


def _add_arrived(place: DeltaGenerator) -> None:
    """Add what has arrived, file by file; one that waits in the queue says so in ``place``."""
    arrived: list[tuple[str, bytes]] = st.session_state.get(_ARRIVED, [])
    while arrived:
        name, data = arrived[0]
        try:
            on_position = partial(shell.show_position, place)
            problems = take(name, data, shell.gallery(), on_position, shell.session_mark())
        except QueueFull as error:
            with place.container():
                st.warning(str(error), icon=":material/hourglass:")
                st.button("Try again", icon=":material/refresh:", key="uploads-again")
            return
        arrived.pop(0)
        st.session_state[_PROBLEMS].extend(problems)
    st.session_state.pop(_ARRIVED, None)


def _take_uploads(key: str) -> None:
    files = upload_store.arrived(key)
    if files:
        _note([(file.name, file.getvalue()) for file in files])
        upload_store.forget(files)
        upload_store.empty_box("upload")  # the gallery shows the photos from here on


def _take_snapshot() -> None:
    for snapshot in upload_store.arrived("camera"):
        count = len(shell.gallery().photos) + 1
        _note([(f"Camera {count}.jpg", snapshot.getvalue())])
        upload_store.forget([snapshot])


def _note(files: list[tuple[str, bytes]]) -> None:
    # Only noted here: a photo may have to wait in the queue, and a callback cannot say so.
    st.session_state[_ARRIVED] = [*st.session_state.get(_ARRIVED, []), *files]
    st.session_state[_PROBLEMS] = []


def _plain(text: str) -> str:
    """A file name inside Markdown: its special characters are shown, not obeyed."""
    return "".join(f"\\{c}" if c in r"\`*_{}[]()#+-.!|~<>:$" else c for c in text)
