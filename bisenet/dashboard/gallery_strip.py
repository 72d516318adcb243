"""The strip of this session's photos: look at one, remove one, remove all."""

from __future__ import annotations

import streamlit as st

from bisenet.dashboard.gallery import Gallery


def gallery_strip(gallery: Gallery) -> None:
    """Draw the strip; nothing while there are no photos."""
    photos = gallery.photos
    if not photos:
        st.caption("This is a sample. Add your own photos above: they stay in memory only.")
        return
    with st.container(horizontal=True, vertical_alignment="bottom"):
        for photo in photos:
            with st.container(width=110, key=f"thumb-{photo.id}"):
                st.image(photo.thumbnail, width=96, alt=photo.name)
                if st.button(
                    photo.name,
                    key=f"show-{photo.id}",
                    type="primary" if photo.id == gallery.selected else "secondary",
                    width="stretch",
                ):
                    gallery.selected = photo.id
                    st.rerun()
        current = gallery.current
        if current is not None and st.button(
            "Remove", key="remove-one", icon=":material/delete:", help="Forget this photo."
        ):
            gallery.remove(current.id)
            st.rerun()
        if len(photos) > 1 and st.button(
            "Remove all", key="remove-all", icon=":material/delete_sweep:"
        ):
            gallery.clear()
            st.rerun()
    st.caption(
        f"{len(photos)} of at most {gallery.max_photos} photos "
        f"({gallery.max_bytes // 2**20} MB), in memory only; the oldest go first."
    )
