"""Plotly figures of the Batch view: regions over many faces, in the class colours."""

from __future__ import annotations

import pandas as pd
import plotly.graph_objects as go

from bisenet.batch.outliers import Measure
from bisenet.classes import CLASSES
from bisenet.dashboard.widgets.charts import finish

_ROW_PX = 34
_FRAME_PX = 110
# With fewer values a violin shows a shape that is not there.
_MIN_VIOLIN = 20
_OUTLINE = "#8b95a1"


def distributions(wide: pd.DataFrame, measure: Measure, logarithmic: bool) -> go.Figure:
    """How a measure spreads over the faces, region by region.

    Violins where there are faces enough; boxes with their points where there are few, and on a
    logarithmic scale, which would bend a violin's shape.

    Args:
        wide: ``batch.measures.by_face``.
        measure: what it holds.
        logarithmic: the scale: an eye is a hundred times smaller than hair.
    """
    figure = go.Figure()
    for class_id in reversed(list(wide.columns)):
        values = wide[class_id].dropna()
        region = CLASSES[int(class_id)]
        names = [f"{photo}, face {face}" for photo, face in values.index]
        common = {
            "x": values.round(measure.decimals + 2),
            "name": region.title,
            "orientation": "h",
            # Some colours are as dark as the page by night, or as pale as it by day.
            "line": {"color": _OUTLINE, "width": 1},
            "fillcolor": region.color,
            "customdata": names,
            "hovertemplate": f"%{{customdata}}<br>%{{x:.{measure.decimals}f}} {measure.unit}",
            "marker": {"size": 5, "color": region.color, "line": {"width": 0.5, "color": _OUTLINE}},
        }
        many = len(values) >= _MIN_VIOLIN
        if many and not logarithmic:
            box = {"visible": True, "fillcolor": "rgba(255,255,255,0.35)"}
            figure.add_violin(**common, points="outliers", box=box, spanmode="hard", width=0.9)
        else:
            points = "outliers" if many else "all"
            figure.add_box(**common, boxpoints=points, jitter=0.4, pointpos=0)
    figure.update_xaxes({"type": "log", "dtick": 1} if logarithmic else {"rangemode": "tozero"})
    return finish(
        figure,
        f"{measure.title} by region, {len(wide):,} faces",
        f"{measure.title.lower()}, {measure.unit}",
        None,
        _FRAME_PX + _ROW_PX * max(len(wide.columns), 3),
    )


def scatter(points: pd.DataFrame, x: tuple[Measure, int], y: tuple[Measure, int]) -> go.Figure:
    """Two measurements of each face against one another.

    Args:
        points: columns ``x`` and ``y``, indexed by ``photo`` and ``face``; without gaps.
        x: measure and class id across.
        y: measure and class id upwards; its class colours the points.
    """
    figure = go.Figure(
        go.Scatter(
            x=points["x"],
            y=points["y"],
            mode="markers",
            marker={
                "size": 8,
                "color": CLASSES[y[1]].color,
                "opacity": 0.8,
                "line": {"width": 1, "color": _OUTLINE},
            },
            customdata=[f"{photo}, face {face}" for photo, face in points.index],
            hovertemplate="%{customdata}<br>%{x:.4~g} and %{y:.4~g}<extra></extra>",
        )
    )
    title = f"{CLASSES[y[1]].title} against {CLASSES[x[1]].title.lower()}"
    return finish(figure, title, f"{_name(x)}, {x[0].unit}", f"{_name(y)}, {y[0].unit}", 460)


def _name(one: tuple[Measure, int]) -> str:
    measure, class_id = one
    return f"{CLASSES[class_id].title}: {measure.title.lower()}"
