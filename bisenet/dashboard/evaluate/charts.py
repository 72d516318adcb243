"""Figures of the Evaluate view: titles, units, class colours; the theme paints the text."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np
import pandas as pd
import plotly.graph_objects as go
from numpy.typing import NDArray
from plotly.subplots import make_subplots

from bisenet.classes import CLASSES
from bisenet.dashboard.widgets import charts
from bisenet.evaluation.report import share_of_truth

# A and B: told apart with any colour vision, on a light and on a dark page.
SIDES = ("#0d9488", "#d97706")
_GREY = "#7c8796"
# Text on cells that hardly have a colour, and on those that have one.
_INK = {"light": "#17202b", "dark": "#e6ebf0"}
_ON_COLOR = "#ffffff"
_STRONG_FROM = 25
_ROW_PX = 26
# Beside a table, as high as its rows.
_TABLE_ROW_PX = 33


def class_chart(table: pd.DataFrame) -> go.Figure:
    """IoU of each class as a bar in its colour, with marks for F1 and boundary F1."""
    rows = table[table["iou"].notna()]
    figure = go.Figure(
        go.Bar(
            x=100 * rows["iou"],
            y=rows["title"],
            orientation="h",
            name="IoU",
            marker_color=[CLASSES[i].color for i in rows["class_id"]],
            customdata=rows[["pixels", "images"]],
            hovertemplate="%{y}: IoU %{x:.1f} %<br>%{customdata[0]:,} px in "
            "%{customdata[1]:,} photos<extra></extra>",
        )
    )
    for column, name, symbol in (
        ("f1", "F1", "diamond"),
        ("boundary_f1", "boundary F1", "circle"),
    ):
        figure.add_scatter(
            x=100 * rows[column],
            y=rows["title"],
            mode="markers",
            name=name,
            # White within grey is seen on every class colour and on either page.
            marker={
                "symbol": symbol,
                "size": 9,
                "color": "#ffffff",
                "line": {"width": 2, "color": "#475569"},
            },
            hovertemplate=f"%{{y}}: {name} %{{x:.1f}} %<extra></extra>",
        )
    figure.update_yaxes(autorange="reversed")
    figure.update_xaxes(range=[0, 103])
    # Bars have as many colours as classes: a legend's one swatch for them would be a lie.
    figure.data[0].showlegend = False
    height = 120 + _TABLE_ROW_PX * max(len(rows), 3)
    title = "Scores by class: IoU as bars"
    return charts.finish(figure, title, "score, %", None, height, legend="above")


def confusion_chart(confusion: NDArray[np.int64], theme: str = "light") -> go.Figure:
    """Where each true class went, rows and columns in class order, normalised by the truth.

    Args:
        confusion: ``(19, 19)`` pixels by true and predicted class.
        theme: ``light`` or ``dark``, the page that it stands on.
    """
    there = np.flatnonzero((confusion.sum(axis=0) + confusion.sum(axis=1)) > 0)
    pixels = confusion[np.ix_(there, there)]
    percent = 100 * share_of_truth(confusion)[np.ix_(there, there)]
    titles = [CLASSES[i].title for i in there]
    figure = go.Figure(
        go.Heatmap(
            x=titles,
            y=titles,
            z=percent,
            zmin=0,
            zmax=100,
            customdata=pixels,
            # Clear at zero, so that it reads on both themes; steep below 10 %, where errors lie.
            colorscale=[
                [0, "rgba(15,118,110,0.04)"],
                [0.05, "rgba(15,118,110,0.25)"],
                [_STRONG_FROM / 100 - 0.001, "rgba(15,118,110,0.45)"],
                [_STRONG_FROM / 100, "rgba(15,118,110,0.8)"],
                [1, "rgba(15,118,110,1)"],
            ],
            # The cells say their percent; a phone has no room for a scale beside them.
            showscale=False,
            xgap=1,
            ygap=1,
            hovertemplate="Truth %{y}, predicted %{x}<br>%{customdata:,} px, "
            "%{z:.2f} % of the truth<extra></extra>",
        )
    )
    rows, columns = np.nonzero(np.nan_to_num(percent) >= 1)
    values = percent[rows, columns]
    figure.add_scatter(
        x=[titles[i] for i in columns],
        y=[titles[i] for i in rows],
        mode="text",
        text=[f"{value:.0f}" for value in values],
        textfont={
            "size": 9,
            "color": [_ON_COLOR if v >= _STRONG_FROM else _INK[theme] for v in values],
        },
        hoverinfo="skip",
    )
    every = {"tickmode": "array", "tickvals": titles, "tickfont": {"size": 11}, "showgrid": False}
    figure.update_yaxes(autorange="reversed", **every)
    figure.update_xaxes(tickangle=-90, **every)
    height = 190 + 24 * max(len(there), 6)
    return charts.finish(figure, "Rows: truth, columns: predicted, %", None, None, height)


def reliability_chart(table: pd.DataFrame) -> go.Figure:
    """Accuracy against confidence by bin, and how many pixels each bin holds."""
    figure = make_subplots(
        rows=2, cols=1, shared_xaxes=True, row_heights=[0.72, 0.28], vertical_spacing=0.06
    )
    figure.add_scatter(
        x=[0, 100],
        y=[0, 100],
        mode="lines",
        name="perfect",
        line={"color": _GREY, "dash": "dot", "width": 1.5},
        hoverinfo="skip",
    )
    sides = list(table.groupby("network"))
    for color, (letter, rows) in zip(SIDES, sides, strict=False):
        name = str(letter) if len(sides) > 1 else "this network"
        full = rows[rows["pixels"] > 0]
        figure.add_scatter(
            x=100 * full["mean_confidence"],
            y=100 * full["accuracy"],
            mode="lines+markers",
            name=name,
            line={"color": color, "width": 2},
            customdata=full["pixels"],
            hovertemplate="confidence %{x:.1f} %, accuracy %{y:.1f} %<br>%{customdata:,} px"
            f"<extra>{name}</extra>",
        )
        figure.add_bar(
            x=50 * (rows["confidence_from"] + rows["confidence_to"]),
            y=100 * rows["pixels"] / max(rows["pixels"].sum(), 1),
            marker_color=color,
            showlegend=False,
            customdata=rows["pixels"],
            hovertemplate=f"%{{y:.1f}} % of the pixels, %{{customdata:,}} px<extra>{name}</extra>",
            row=2,
            col=1,
        )
    title = "Reliability: accuracy against confidence"
    figure = charts.finish(figure, title, None, None, 480, legend="above")
    figure.update_xaxes(range=[0, 101])
    figure.update_xaxes(title="confidence, %", row=2, col=1)
    figure.update_yaxes(title="accuracy, %", range=[0, 103], row=1, col=1)
    figure.update_yaxes(title="pixels, %", rangemode="tozero", row=2, col=1)
    figure.update_layout(bargap=0.1)
    return figure


def size_chart(photos: pd.DataFrame) -> go.Figure:
    """Each photo's own mIoU against the height of its face."""
    rows = photos[photos["face_height_px"] > 0]
    columns = [c for c in ("miou", "miou_a", "miou_b") if c in rows]
    figure = go.Figure()
    # Where A and B score alike, the ring of B lies around the dot of A.
    symbols = ("circle", "circle-open")
    for color, symbol, column in zip(SIDES, symbols, columns, strict=False):
        figure.add_scatter(
            x=rows["face_height_px"],
            y=100 * rows[column],
            mode="markers",
            name=column.removeprefix("miou_").upper(),
            marker={
                "color": color,
                "symbol": symbol,
                "size": 8 if symbol == "circle" else 13,
                "opacity": 0.85,
                "line": {"width": 2 if symbol != "circle" else 0},
            },
            customdata=rows["photo"],
            hovertemplate="%{customdata}<br>face %{x:,} px high, mIoU %{y:.1f} %<extra></extra>",
        )
    figure.update_yaxes(range=[0, 103])
    title = "Score against face size, a dot a photo"
    legend: Literal["above"] | None = "above" if len(columns) > 1 else None
    return charts.finish(figure, title, "height of the face, px", "mIoU, %", 400, legend)


def difference_chart(table: pd.DataFrame, score: str) -> go.Figure:
    """B minus A by class, with the interval; diamonds differ beyond chance."""
    colors = {c.name: c.color for c in CLASSES} | {"mean": _GREY}
    figure = go.Figure()
    for beyond, name, symbol, size in (
        (True, "beyond chance", "diamond", 13),
        (False, "could be chance", "circle", 8),
    ):
        rows = table[table["beyond_chance"] == beyond]
        figure.add_scatter(
            x=100 * rows["difference"],
            y=rows["title"],
            mode="markers",
            name=name,
            marker={
                "symbol": symbol,
                "size": size,
                "color": [colors[c] for c in rows["class"]],
                "line": {"width": 1.5, "color": _GREY},
            },
            error_x={
                "type": "data",
                "symmetric": False,
                "array": 100 * (rows["high"] - rows["difference"]),
                "arrayminus": 100 * (rows["difference"] - rows["low"]),
                "color": _GREY,
                "thickness": 1.5,
            },
            customdata=100 * rows[["low", "high"]].to_numpy(),
            hovertemplate="%{y}: %{x:+.2f} points<br>interval %{customdata[0]:+.2f} to "
            "%{customdata[1]:+.2f}<extra></extra>",
        )
    order: Sequence[str] = table["title"].tolist()
    figure.update_yaxes(categoryorder="array", categoryarray=order, autorange="reversed")
    figure.add_vline(x=0, line={"color": _GREY, "dash": "dot", "width": 1.5})
    height = 130 + _ROW_PX * max(len(table), 3)
    title = f"{score}: B minus A, 95 % intervals"
    return charts.finish(
        figure, title, "difference, percentage points", None, height, legend="above"
    )
