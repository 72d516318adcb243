"""How measurements are shown: units in the headers, swatches, no raw floats."""

from __future__ import annotations

import base64
from collections.abc import Iterable, Mapping, Sequence

import pandas as pd
import streamlit as st
from streamlit.elements.lib.column_types import ColumnConfig

from bisenet.classes import CLASSES
from bisenet.dashboard.widgets.looked_at import CUT_OFF_HINT
from bisenet.dashboard.widgets.share_choice import OF_LOOKED_AT, Share
from bisenet.measure.regions import LeftOut


def region_table(regions: pd.DataFrame, share: Share = OF_LOOKED_AT) -> None:
    """The measurements of a photo, one row a region, largest first.

    Which regions are cut off is said where one is.
    """
    rows = regions.sort_values("area_px", ascending=False).reset_index(drop=True)
    shown = pd.DataFrame(
        {
            **region_columns(rows["class_id"]),
            "Area": rows["area_px"],
            share.title: 100 * rows[share.column],
            "Head": 100 * rows["head_share"],
            "Confidence": 100 * rows["confidence"],
            **({"Cut off": rows["cut_off"]} if rows["cut_off"].any() else {}),
            "Parts": rows["parts"],
            "Mean colour": [swatch(color) for color in rows["mean_color"]],
            "Perimeter": rows["perimeter_px"],
            "Centre x": rows["centroid_x_px"],
            "Centre y": rows["centroid_y_px"],
            "Width": rows["right_px"] - rows["left_px"],
            "Height": rows["bottom_px"] - rows["top_px"],
        }
    )
    pixels = {
        name: st.column_config.NumberColumn(f"{name}, px", format="%,d" if whole else "%.0f")
        for name, whole in {
            "Area": True,
            "Perimeter": False,
            "Centre x": False,
            "Centre y": False,
            "Width": True,
            "Height": True,
        }.items()
    }
    st.dataframe(
        shown,
        hide_index=True,
        height="content",
        placeholder="–",
        column_config={
            **region_column_config(),
            share.title: st.column_config.NumberColumn(
                share.heading, format="%.2f", help=share.hint
            ),
            "Cut off": st.column_config.CheckboxColumn(help=CUT_OFF_HINT),
            "Head": st.column_config.NumberColumn(
                "% of head", format="%.2f", help="Share of all but background and clothes."
            ),
            "Confidence": st.column_config.ProgressColumn(
                "Confidence, %",
                format="%.1f",
                min_value=0,
                max_value=100,
                help="How sure the network is, on average: the probability of the region.",
            ),
            "Parts": st.column_config.NumberColumn(
                "Pieces", help="How many pieces it has that do not touch."
            ),
            "Mean colour": st.column_config.ImageColumn("Mean colour", width="small"),
            **pixels,
        },
    )


def left_out(found: Mapping[int, Sequence[LeftOut]]) -> None:
    """Say what is counted to no face, because it does not hang together with the head."""
    parts = [
        f"{CLASSES[one.class_id].title.lower()} ({one.area_px:,} px)"
        for ones in found.values()
        for one in ones
    ]
    if parts:
        st.caption(
            f"Left out, because it does not hang together with a head: {', '.join(parts)}.",
        )


def region_columns(class_ids: Iterable[int]) -> dict[str, list[str]]:
    """The first two columns of every table with a row a region: its colour and its name."""
    ids = list(class_ids)
    return {
        "Colour": [swatch(CLASSES[i].color) for i in ids],
        "Region": [CLASSES[i].title for i in ids],
    }


def region_column_config() -> dict[str, ColumnConfig]:
    """How ``region_columns`` are shown."""
    return {
        "Colour": st.column_config.ImageColumn("", width=36, pinned=True),
        "Region": st.column_config.TextColumn(pinned=True),
    }


def swatch(color: str) -> str:
    """A rounded square of one colour (``#rrggbb``) as a data address, for image columns."""
    svg = (
        "<svg xmlns='http://www.w3.org/2000/svg' width='20' height='20'>"
        f"<rect width='20' height='20' rx='5' fill='{color}'/></svg>"
    )
    return "data:image/svg+xml;base64," + base64.b64encode(svg.encode()).decode()
