"""The strip of this session's photos: look at one, remove one, remove all."""

from __future__ import annotations

import base64
from pathlib import Path

import streamlit as st

from bisenet.dashboard.session import visitors
from bisenet.dashboard.session.gallery import Gallery

_HERE = Path(__file__).parent
_KEY = "gallery-strip"
_component = st.components.v2.component(
    "bisenet.strip",
    css=(_HERE / "strip.css").read_text(encoding="utf-8"),
    js=(_HERE / "strip.js").read_text(encoding="utf-8"),
)


def gallery_strip(gallery: Gallery) -> None:
    """Draw the strip; a hint while there are no photos."""
    photos = gallery.photos
    if not photos:
        st.caption(
            "This is a sample. Add your own photos: they stay in memory only.",
            help="JPEG, PNG, WebP, HEIC, AVIF, TIFF, BMP or GIF, to 50 MB and 64 megapixels each.",
        )

    # Streamlit keeps the callback after the strip is gone: it must not hold the photos.
    ids = {photo.id for photo in photos}

    def show() -> None:
        chosen = st.session_state[_KEY].show
        if chosen in ids:
            gallery.selected = chosen

    def remove() -> None:
        gallery.remove(st.session_state[_KEY].remove)

    _component(
        key=_KEY,
        data={
            "photos": [
                {
                    "id": photo.id,
                    "name": photo.name,
                    "src": "data:image/jpeg;base64," + base64.b64encode(photo.thumbnail).decode(),
                }
                for photo in photos
            ],
            "selected": gallery.selected,
            "kept": visitors.remembered(),
        },
        on_show_change=show,
        on_remove_change=remove,
    )


def about(gallery: Gallery) -> None:
    """How many photos are kept, and the buttons that let them go; nothing while there are none."""
    photos = gallery.photos
    if not photos:
        return
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        st.caption(
            f"{len(photos)} of at most {gallery.max_photos} photos "
            f"({gallery.max_bytes // 2**20} MB), in memory only; the oldest go first.",
            width="content",
        )
        current = gallery.current
        if current is not None:
            st.button(
                "Remove this photo",
                key="remove-one",
                type="tertiary",
                icon=":material/delete:",
                on_click=gallery.remove,
                args=(current.id,),
            )
        if len(photos) > 1:
            st.button(
                "Remove all",
                key="remove-all",
                type="tertiary",
                icon=":material/delete_sweep:",
                on_click=gallery.clear,
            )
