"""Plotly figures: a title, units, the class colours, no background of their own.

Streamlit's theme paints text and grid, so every figure reads in light and in dark.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

import pandas as pd
import plotly.graph_objects as go

from bisenet.classes import CLASSES

CONFIG = {"displayModeBar": False, "responsive": True}
_BAR_PX = 26
_FRAME_PX = 90


def area_chart(regions: pd.DataFrame) -> go.Figure:
    """Share of the image by region, largest on top, in the class colours."""
    rows = regions.sort_values("image_share")
    share = 100 * rows["image_share"]
    figure = go.Figure(
        go.Bar(
            x=share,
            y=rows["region"],
            orientation="h",
            marker_color=[CLASSES[i].color for i in rows["class_id"]],
            text=[f"{v:.1f} %" if v >= 0.1 else "<0.1 %" for v in share],
            textposition="outside",
            cliponaxis=False,
            customdata=rows["area_px"],
            hovertemplate="%{y}: %{x:.2f} % of the image<br>%{customdata:,} px<extra></extra>",
        )
    )
    return _finish(figure, "Area by region", "share of the image, %", len(rows))


def stages_chart(timings: Mapping[str, float]) -> go.Figure:
    """Milliseconds of each stage of one parse, in the order in which they ran."""
    stages = list(timings)[::-1]
    values = [timings[stage] for stage in stages]
    figure = go.Figure(
        go.Bar(
            x=values,
            y=[stage.capitalize() for stage in stages],
            orientation="h",
            marker_color="#0d9488",
            text=[f"{v:.1f} ms" for v in values],
            textposition="outside",
            cliponaxis=False,
            hovertemplate="%{y}: %{x:.2f} ms<extra></extra>",
        )
    )
    title = f"Time by stage: {sum(values):.0f} ms in all"
    return _finish(figure, title, "milliseconds", len(stages))


def finish(
    figure: go.Figure,
    title: str,
    x_title: str | None,
    y_title: str | None,
    height: int,
    legend: Literal["above", "below"] | None = None,
) -> go.Figure:
    """A figure with its title, the axes' titles (with units) and a legend, if any."""
    below = legend == "below"
    figure.update_layout(
        title={"text": title},
        height=height + (40 if below else 0),
        margin={"l": 8, "r": 16, "t": 76 if legend == "above" else 48, "b": 80 if below else 40},
        showlegend=legend is not None,
        legend={
            "orientation": "h",
            "yanchor": "bottom",
            # Below, it stands at the figure's foot: under the axis' title however many rows it has.
            "yref": "container" if below else "paper",
            "y": 0.0 if below else 1.0,
            "x": 0,
        },
        bargap=0.25,
    )
    figure.update_xaxes(title=x_title)
    figure.update_yaxes(title=y_title, automargin=True)
    return figure


def _finish(figure: go.Figure, title: str, x_title: str, bars: int) -> go.Figure:
    figure.update_layout(
        title={"text": title},
        height=_FRAME_PX + _BAR_PX * max(bars, 3),
        margin={"l": 8, "r": 56, "t": 44, "b": 40},
        xaxis={"title": x_title, "rangemode": "tozero"},
        yaxis={"title": None, "automargin": True},
        bargap=0.25,
        showlegend=False,
    )
    return figure
