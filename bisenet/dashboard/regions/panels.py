"""The parts of the Regions view."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
import streamlit as st
from numpy.typing import NDArray
from streamlit.delta_generator import DeltaGenerator

from bisenet.classes import BACKGROUND, BY_NAME, CLASSES, FACE_CLASSES
from bisenet.dashboard.regions import charts as region_charts
from bisenet.dashboard.viewer import select_region
from bisenet.dashboard.widgets import charts, downloads, looked_at
from bisenet.dashboard.widgets.pictures import fitted
from bisenet.dashboard.widgets.share_choice import Share
from bisenet.dashboard.widgets.tables import swatch
from bisenet.measure import region_detail
from bisenet.measure.proportions import Proportions
from bisenet.output import encode
from bisenet.parser import Parsing

_CHOICE = "region_choice"
_ABSENT = "not measurable"
_BACKDROPS: dict[str, region_detail.Backdrop] = {
    "Transparent": "transparent",
    "Plain colour": "plain",
    "In context": "context",
}


def choose(present: Sequence[int], selected: int | None) -> int:
    """The region to look at: clicked in the picture, or chosen from the list of those present."""
    options = [c for c in present if c != BACKGROUND] or list(present)
    if selected in options:
        st.session_state[_CHOICE] = selected
    elif st.session_state.get(_CHOICE) not in options:
        hair = BY_NAME["hair"].id
        st.session_state[_CHOICE] = hair if hair in options else options[0]
    return int(
        st.selectbox(
            "Region",
            options,
            format_func=lambda class_id: CLASSES[class_id].title,
            key=_CHOICE,
            on_change=lambda: select_region(st.session_state[_CHOICE]),
            help="Or click a region in the picture.",
        )
    )


def cut_out(parsing: Parsing, class_id: int, stem: str, backdrop_place: DeltaGenerator) -> None:
    """The region alone, on a backdrop of choice, and its file."""
    choice = backdrop_place.segmented_control(
        "Backdrop", list(_BACKDROPS), default="In context", required=True, key="backdrop"
    )
    backdrop = _BACKDROPS[choice or "In context"]
    color = "#ffffff"
    if backdrop == "plain":
        color = st.color_picker("Colour", color, key="backdrop_color")
    shown = region_detail.show_region(parsing, class_id, backdrop, color)
    with st.container(key="cut-out", horizontal_alignment="center"):
        st.image(
            fitted(shown, 640, most=4.0),
            alt=f"{CLASSES[class_id].title}, {choice}".lower(),
            output_format="PNG",
        )
    name = CLASSES[class_id].name
    with st.container(horizontal=True, vertical_alignment="center"):
        soft = st.toggle("Soft edge", key="soft_edge", help="Take the edge from the probabilities.")
        downloads.button(
            "Cut-out, PNG",
            lambda: encode.cut_out_png(parsing, (class_id,), soft),
            f"{stem}-{name}{'-soft' if soft else ''}.png",
            "The region on transparency, at the photo's resolution.",
        )


def figures(
    regions: pd.DataFrame,
    class_id: int,
    entropy: NDArray[np.float32],
    region: NDArray[np.bool_],
    share: Share,
) -> None:
    """A region's measurements, with units; whether it is cut off is said below them."""
    row: dict[Any, Any] = regions[regions["class_id"] == class_id].iloc[0].to_dict()
    unsure = region_detail.boundary_entropy(entropy, region)
    head = "none" if pd.isna(row["head_share"]) else f"{100 * row['head_share']:.1f} %"
    width, height = (row["right_px"] - row["left_px"], row["bottom_px"] - row["top_px"])
    values = [
        ("Area", f"{row['area_px']:,} px", "Number of pixels."),
        (share.of.capitalize(), f"{100 * row[share.column]:.2f} %", f"Share {share.of}."),
        ("Of the head", head, "Share of all but background and clothes."),
        ("Width x height", f"{width} x {height} px", "Of the smallest upright box around it."),
        ("Perimeter", f"{row['perimeter_px']:,.0f} px", "Length of its outline, holes included."),
        ("Pieces", f"{row['parts']}", "How many pieces it has that do not touch."),
        (
            "Confidence",
            f"{100 * row['confidence']:.1f} %",
            "How sure the network is of its pixels, on average: the probability of the region.",
        ),
        (
            "Doubt at the edge",
            "none" if math.isnan(unsure) else f"{unsure:.2f} bits",
            "How unsure the network is along the region's edge, its mean entropy there: 0 is "
            "certain, 1 a toss between two regions.",
        ),
    ]
    with st.container(key="figures"):
        _metrics(values)
        with st.container(width="content", gap="xxsmall"):
            st.caption("Mean colour")
            st.markdown(f"![mean colour]({swatch(row['mean_color'])}) `{row['mean_color']}`")
    if row["cut_off"]:
        looked_at.cut_off_caption((class_id,))


def heat_map(parsing: Parsing, class_id: int, entropy: NDArray[np.float32]) -> None:
    """Where the network is sure within a region: its confidence, or its entropy."""
    region = parsing.mask == class_id
    if st.toggle(
        "Show doubt in place of confidence",
        key="by_entropy",
        help="Doubt is the entropy over all 19 regions, bits: 0 is certain, 1 a toss between two.",
    ):
        values, title, unit, top = region_detail.heat_map(entropy, region), "Doubt", "bits", 2.0
    else:
        values = 100 * region_detail.heat_map(parsing.confidence, region)
        title, unit, top = "Confidence", "%", 100.0
    figure = region_charts.heat_chart(values, f"{title} by pixel", unit, top)
    st.plotly_chart(figure, config=charts.CONFIG, key="heat")


def pairs(table: pd.DataFrame) -> None:
    """Eyes, brows and ears, left beside right."""
    shown = pd.DataFrame(
        {
            "Pair": table["pair"],
            "Left area, px": table["left_area_px"],
            "Right area, px": table["right_area_px"],
            "Left to right": table["left_to_right"],
            "Left height, px": table["left_height_px"],
            "Right height, px": table["right_height_px"],
            "Tilt, degrees": table["tilt_deg"],
        }
    )
    whole = st.column_config.NumberColumn(format="%,d")
    st.dataframe(
        shown,
        hide_index=True,
        placeholder="–",
        column_config={
            **{name: whole for name in shown.columns if name.endswith("px")},
            "Left to right": st.column_config.NumberColumn(
                format="%.2f", help="Ratio of the areas: 1 is equal, above 1 the left is larger."
            ),
            "Tilt, degrees": st.column_config.NumberColumn(
                format="%.1f", help="Positive: the person's left is higher in the picture."
            ),
        },
    )


def face_figures(figures: Proportions, present: Sequence[int]) -> None:
    """Symmetry and proportions; what cannot be measured says why."""
    absent = _ABSENT
    ratio = "{:.2f}".format
    values = [
        (
            "Symmetry",
            absent if figures.symmetry is None else f"{100 * figures.symmetry:.0f} %",
            "Share of the face that keeps its label when mirrored about the middle of the eyes.",
        ),
        (
            "Hair to face",
            absent if figures.hair_to_face is None else ratio(figures.hair_to_face),
            "Area of the hair over the area of the face.",
        ),
        (
            "Width to height",
            absent if figures.width_to_height is None else ratio(figures.width_to_height),
            "Extent of the face along the eye line over its extent across it.",
        ),
        (
            "Tilt of the eye line",
            absent if figures.tilt is None else f"{figures.tilt:+.1f}°",
            "Positive: the person's left eye is higher in the picture.",
        ),
    ]
    with st.container(horizontal=True, gap="medium"):
        _metrics(values)
    without = [label.lower() for label, value, _ in values if value == absent]
    if without:
        st.caption(f"Not measurable: {', '.join(without)}. {_why_absent(present)}")


def _why_absent(present: Sequence[int]) -> str:
    if not set(present) & set(FACE_CLASSES):
        return "No face was found in this photo; mark it in Explore, under Edit."
    eyes = [BY_NAME[name] for name in ("l_eye", "r_eye")]
    missing = [eye.title.lower() for eye in eyes if eye.id not in present]
    if missing:
        seen = " and the ".join(missing)
        return (
            f"They need both eyes, and the {seen} is not seen: turned away, covered or too small."
        )
    return "They need both eyes apart from one another and the face around them."


def _metrics(values: Sequence[tuple[str, str, str | None]]) -> None:
    for label, value, hint in values:
        st.metric(label, value, help=hint, width="content")
