"""Plotly figures: a title, units, the class colours, no background of their own.

Streamlit's theme paints text and grid, so every figure reads in light and in dark.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Literal

import pandas as pd
import plotly.graph_objects as go

from bisenet.classes import BACKGROUND, CLASSES
from bisenet.dashboard.widgets.share_choice import OF_LOOKED_AT, Share

CONFIG = {"displayModeBar": False, "responsive": True}
_BAR_PX = 26
_FRAME_PX = 94


def area_chart(
    regions: pd.DataFrame, share: Share = OF_LOOKED_AT, background: bool = True
) -> go.Figure:
    """Share of the area by region, largest on top, in the class colours.

    Args:
        regions: as ``measure_regions`` gives it.
        background: shows its bar too, which in most photos dwarfs all others.
    """
    rows = regions.sort_values("area_px")
    if not background:
        rows = rows[rows["class_id"] != BACKGROUND]
    percent = 100 * rows[share.column]
    figure = bars(
        percent,
        rows["region"],
        [f"{v:.1f} %" if v >= 0.1 else "<0.1 %" for v in percent],
        [CLASSES[i].color for i in rows["class_id"]],
        f"%{{y}}: %{{x:.2f}} % {share.of}<br>%{{customdata:,}} px",
        customdata=rows["area_px"],
    )
    return _by_row(figure, "Area by region", f"share {share.of}, %", len(rows))


def stages_chart(timings: Mapping[str, float]) -> go.Figure:
    """Milliseconds of each stage of one parse, in the order in which they ran."""
    stages = list(timings)[::-1]
    values = [timings[stage] for stage in stages]
    figure = bars(
        values,
        [stage.capitalize() for stage in stages],
        [f"{v:.1f} ms" for v in values],
        "#0d9488",
        "%{y}: %{x:.2f} ms",
    )
    title = f"Time by stage: {sum(values):.0f} ms in all"
    return _by_row(figure, title, "milliseconds", len(stages))


def bars(
    values: Iterable[float],
    names: Iterable[str],
    texts: Sequence[str],
    color: str | Sequence[str],
    hover: str,
    **more: Any,
) -> go.Figure:
    """Lying bars, each with its text at its end; ``more`` as ``plotly.graph_objects.Bar`` takes."""
    return go.Figure(
        go.Bar(
            x=values,
            y=names,
            orientation="h",
            marker_color=color,
            text=texts,
            textposition="outside",
            cliponaxis=False,
            hovertemplate=f"{hover}<extra></extra>",
            **more,
        )
    )


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


def _by_row(figure: go.Figure, title: str, x_title: str, rows: int) -> go.Figure:
    finish(figure, title, x_title, None, _FRAME_PX + _BAR_PX * max(rows, 3))
    figure.update_layout(margin_r=56)  # room for the longest bar's text
    return figure.update_xaxes(rangemode="tozero")
