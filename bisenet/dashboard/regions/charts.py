"""Plotly figures of the Regions view."""

from __future__ import annotations

import numpy as np
import pandas as pd
import plotly.graph_objects as go
from numpy.typing import NDArray

from bisenet.classes import BACKGROUND, CLASSES, GROUPS, FaceClass
from bisenet.dashboard.widgets.charts import finish

_GROUP_FILL, _GROUP_INK = "rgba(128,128,128,0.18)", "#8b95a1"
# Channel colours that read on white and on near-black.
_CHANNELS = {"red": (229, 72, 77), "green": (47, 158, 68), "blue": (59, 130, 246)}


def group_treemap(regions: pd.DataFrame) -> go.Figure:
    """Area of every region by group, in the class colours; background is left out."""
    areas = {
        CLASSES[i]: int(area)
        for i, area in zip(regions["class_id"], regions["area_px"], strict=True)
        if i != BACKGROUND
    }
    # Groups have hardly a colour of their own, so theirs is a grey that reads on both themes.
    boxes = []
    for group in GROUPS:
        members = [c for c in areas if c.group == group]
        # A group of one region is that region: a box in a box of the same size says nothing.
        parent = group if len(members) > 1 else ""
        if parent:
            total = sum(areas[c] for c in members)
            boxes.append((group, group.capitalize(), "", total, _GROUP_FILL, _GROUP_INK))
        boxes += [(c.name, c.title, parent, areas[c], c.color, c.ink) for c in members]
    ids, labels, parents, values, colors, inks = zip(*boxes, strict=True)
    figure = go.Figure(
        go.Treemap(
            ids=ids,
            labels=labels,
            parents=parents,
            values=values,
            branchvalues="total",
            marker={"colors": colors, "cornerradius": 6},
            textfont={"color": inks},
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
    title = f"Colours of {face_class.title.lower()}"
    _share_of_pixels(figure, title, "level, 0 to 255")
    # In the title's line, at the right: over the curves it would cover their peaks.
    place = {"orientation": "h", "x": 1, "xanchor": "right", "y": 1, "yanchor": "bottom"}
    return figure.update_layout(showlegend=True, legend=place)


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
    title = f"Confidence within {face_class.title.lower()}"
    _share_of_pixels(figure, title, "probability of the class, %")
    return figure.update_layout(bargap=0.08)


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


def _share_of_pixels(figure: go.Figure, title: str, x_title: str) -> None:
    finish(figure, title, x_title, "share of pixels, %", 280)
    figure.update_yaxes(rangemode="tozero")
