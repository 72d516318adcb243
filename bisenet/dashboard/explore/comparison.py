"""Compare, in Explore: another photo, or the same one under other weights."""

from __future__ import annotations

from dataclasses import replace

import pandas as pd
import streamlit as st

from bisenet.dashboard.picture import Picture
from bisenet.dashboard.session import resources, shell
from bisenet.dashboard.session.gallery import View
from bisenet.dashboard.widgets import downloads, share_choice
from bisenet.dashboard.widgets.pictures import fitted
from bisenet.dashboard.widgets.share_choice import Share
from bisenet.dashboard.widgets.tables import region_column_config, region_columns
from bisenet.measure import differences as compare
from bisenet.network import weights
from bisenet.output import encode

_WITH = "compare_with"


def choices() -> dict[str, str]:
    """What the photo can be compared with: the other photos and the other weights, by key."""
    gallery, current = shell.gallery(), shell.current_weights()
    looked_at = shell.current_id()
    names = {photo.id: photo.name for photo in gallery.photos} | {resources.SAMPLE: "the sample"}
    found = {_key(i, current): name for i, name in names.items() if i != looked_at}
    found |= {
        _key(looked_at, entry.name): f"this photo under {entry.name}"
        for entry in weights.catalog()
        if entry.name != current
    }
    return found


def key() -> str:
    """The key of what the photo is compared with, or ""."""
    return str(st.session_state.get(_WITH, ""))


def choose(with_key: str) -> None:
    """Compare with one of the choices; with nothing for ""."""
    st.session_state[_WITH] = with_key


def chosen(offered: dict[str, str]) -> View | None:
    """The view to compare with, or None; what is offered no more is not compared with either."""
    if key() not in offered:
        choose("")
        return None
    photo_id, _, name = key().partition("/")
    return shell.view_of(photo_id, name)


def _key(photo_id: str, weights_name: str) -> str:
    return f"{photo_id}/{weights_name}"


def picture(view: View) -> Picture:
    """A view as the viewer's second picture."""
    return replace(view.picture, title=_title(view))


def differences(first: View, second: View, stem: str) -> None:
    """Where the labels differ, and the measurements with their deltas."""
    st.subheader("Differences")
    difference = compare.label_difference(first.parsing.labels, second.parsing.labels)
    deltas = compare.region_deltas(first.regions, second.regions)
    left, right = st.columns([2, 3], gap="large")
    with left:
        marked = compare.difference_picture(first.parsing, difference)
        st.image(fitted(marked), alt="Pixels whose label differs, in red", width="stretch")
        st.metric(
            "Pixels with another label",
            f"{100 * difference.share:.2f} %",
            help="Of the pixels that were looked at in both.",
        )
        if difference.resampled:
            st.caption(
                "The photos differ in size: the second one's labels were brought to the first "
                "one's size, so shared outlines mean little."
            )
        downloads.button(
            "Difference, PNG", lambda: encode.picture_png(marked), f"{stem}-difference.png"
        )
    with right:
        st.caption(f"A: {_title(first)}. B: {_title(second)}. Deltas are B minus A.")
        _table(deltas, share_choice.chosen(first.parsing, second.parsing))
        downloads.csv("Deltas, CSV", deltas, f"{stem}-deltas.csv")


def _table(deltas: pd.DataFrame, share: Share) -> None:
    name, column = share.title, share.column
    shown = pd.DataFrame(
        {
            **region_columns(deltas["class_id"]),
            f"{name} A, %": 100 * deltas[f"{column}_first"],
            f"{name} B, %": 100 * deltas[f"{column}_second"],
            "Delta, points": 100 * deltas[f"{column}_delta"],
            "Area A, px": deltas["area_px_first"],
            "Area B, px": deltas["area_px_second"],
            "Confidence A, %": 100 * deltas["confidence_first"],
            "Confidence B, %": 100 * deltas["confidence_second"],
        }
    )
    formats = {"%": "%.2f", "points": "%+.2f", "px": "%,d"}
    st.dataframe(
        shown,
        hide_index=True,
        placeholder="–",
        height="content",
        column_config={
            **region_column_config(),
            **{
                name: st.column_config.NumberColumn(format=formats[name.rsplit(", ", 1)[1]])
                for name in shown.columns
                if ", " in name
            },
        },
    )


def _title(view: View) -> str:
    return f"{view.name} · {view.parsing.weights}"
