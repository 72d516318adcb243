"""Plotly figures of the Regions view."""

from __future__ import annotations

import numpy as np
import pandas as pd
import plotly.graph_objects as go
from numpy.typing import NDArray

from bisenet.classes import CLASSES, FaceClass

_GROUPS = {"face": "Face", "hair": "Hair", "accessories": "Accessories", "clothes": "Clothes"}
# Channel colours that read on white and on near-black.
_CHANNELS = {"red": (229, 72, 77), "green": (47, 158, 68), "blue": (59, 130, 246)}


def group_treemap(regions: pd.DataFrame) -> go.Figure:
    """Area of every region by group, in the class colours; background is left out."""
    rows = [
        (CLASSES[i], int(area))
        for i, area in zip(regions["class_id"], regions["area_px"], strict=True)
        if CLASSES[i].group in _GROUPS
    ]
    totals = {
        group: sum(area for c, area in rows if c.group == group)
        for group in _GROUPS
        if any(c.group == group for c, _ in rows)
    }
    # A group of one region is that region: a box in a box of the same size says nothing.
    alone = {g for g in totals if sum(c.group == g for c, _ in rows) == 1}
    figure = go.Figure(
        go.Treemap(
            ids=[*(g for g in totals if g not in alone), *(c.name for c, _ in rows)],
            labels=[*(_GROUPS[g] for g in totals if g not in alone), *(c.title for c, _ in rows)],
            parents=[
                *("" for g in totals if g not in alone),
                *("" if c.group in alone else c.group for c, _ in rows),
            ],
            values=[*(totals[g] for g in totals if g not in alone), *(a for _, a in rows)],
            branchvalues="total",
            marker={
                "colors": [
                    *("rgba(128,128,128,0.18)" for g in totals if g not in alone),
                    *(c.color for c, _ in rows),
                ],
                "cornerradius": 6,
            },
            # Groups have hardly a colour of their own, so theirs is a grey that reads on both
            # themes; a region's is black or white, whichever is farther from its colour.
            textfont={
                "color": [
                    *("#8b95a1" for g in totals if g not in alone),
                    *("#111111" if _is_light(c) else "#ffffff" for c, _ in rows),
                ]
            },
            texttemplate="%{label}<br>%{percentRoot:.1%}",
            hovertemplate="%{label}: %{value:,} px<br>%{percentRoot:.2%} of the person"
            "<extra></extra>",
            tiling={"pad": 3},
            sort=True,
        )
    )
    figure.update_layout(
        title={"text": "The person by region, share of area"},
        height=420,
        margin={"l": 4, "r": 4, "t": 44, "b": 4},
    )
    return figure


def _is_light(face_class: FaceClass) -> bool:
    red, green, blue = face_class.rgb
    return 0.299 * red + 0.587 * green + 0.114 * blue > 150


def color_chart(histogram: pd.DataFrame, face_class: FaceClass) -> go.Figure:
    """A region's red, green and blue levels."""
    figure = go.Figure(
        [
            go.Scatter(
                x=histogram["level"],
                y=100 * histogram[channel],
                name=channel.capitalize(),
                mode="lines",
                line={"color": f"rgb{rgb}", "width": 2, "shape": "spline", "smoothing": 0.5},
                fill="tozeroy",
                fillcolor=f"rgba({rgb[0]},{rgb[1]},{rgb[2]},0.13)",
                hovertemplate=f"{channel} %{{x:.0f}}: %{{y:.1f}} %<extra></extra>",
            )
            for channel, rgb in _CHANNELS.items()
        ]
    )
    return _small(figure, f"Colours of {face_class.title.lower()}", "level, 0 to 255", legend=True)


def confidence_chart(histogram: pd.DataFrame, face_class: FaceClass) -> go.Figure:
    """How sure the network is, over a region's pixels."""
    figure = go.Figure(
        go.Bar(
            x=100 * histogram["confidence"],
            y=100 * histogram["share"],
            marker_color=face_class.color,
            hovertemplate="%{x:.0f} % sure: %{y:.1f} % of the pixels<extra></extra>",
        )
    )
    figure.update_layout(bargap=0.08)
    return _small(
        figure, f"Confidence within {face_class.title.lower()}", "probability of the class, %"
    )


def heat_chart(values: NDArray[np.float32], title: str, unit: str, top: float) -> go.Figure:
    """A plane over a region as a heat map; NaN is left blank."""
    figure = go.Figure(
        go.Heatmap(
            z=values,
            zmin=0,
            zmax=top,
            colorscale="Viridis",
            colorbar={"title": unit, "thickness": 12, "outlinewidth": 0},
            hovertemplate=f"%{{z:.2f}} {unit}<extra></extra>",
        )
    )
    figure.update_xaxes(visible=False)
    figure.update_yaxes(visible=False, autorange="reversed", scaleanchor="x", constrain="domain")
    figure.update_layout(
        title={"text": title}, height=320, margin={"l": 4, "r": 4, "t": 44, "b": 4}
    )
    return figure


def _small(figure: go.Figure, title: str, x_title: str, legend: bool = False) -> go.Figure:
    figure.update_layout(
        title={"text": title},
        height=280,
        margin={"l": 8, "r": 8, "t": 44, "b": 40},
        xaxis={"title": x_title},
        yaxis={"title": "share of pixels, %", "rangemode": "tozero"},
        showlegend=legend,
        legend={"orientation": "h", "y": 0.98, "yanchor": "top", "x": 1.0, "xanchor": "right"},
    )
    return figure
