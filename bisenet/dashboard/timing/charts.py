"""Figures of the Timing page: titles, units, quartiles; Streamlit's theme paints the text."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pandas as pd
import plotly.graph_objects as go

from bisenet.bench.latency import Cell
from bisenet.bench.profile import Profile
from bisenet.dashboard.widgets import charts
from bisenet.runtime.timing import Summary, fit_growth, summarise

# Told apart by people with any colour vision, on a light and on a dark page.
COLORS = ("#0d9488", "#d97706", "#6366f1", "#e11d48", "#0284c7", "#a16207", "#9333ea")
_GREY = "#7c8796"
_BAR_PX = 28
_SHORTEST_SPAN = pd.Timedelta(minutes=2)
_DASHES = ("solid", "dash", "dot")
# Parses for p50, p95 and p99: the slowest hundredth of fewer than a hundred is a guess.
_LEAST = (1, 20, 100)


def waterfall(timings: Mapping[str, float]) -> go.Figure:
    """The stages of one parse, each where it began and as long as it took."""
    names = list(timings)
    starts, elapsed = [], 0.0
    for name in names:
        starts.append(elapsed)
        elapsed += timings[name]
    figure = charts.bars(
        list(timings.values()),
        [name.capitalize() for name in names],
        [f"{milliseconds:.1f} ms" for milliseconds in timings.values()],
        [COLORS[0] if name == "network" else COLORS[4] for name in names],
        "%{y}: %{x:.2f} ms, from %{customdata:.2f} ms on",
        base=starts,
        customdata=starts,
    )
    figure.update_yaxes(autorange="reversed")
    figure.update_xaxes(range=[0, elapsed * 1.25])
    title = f"This photo: {elapsed:.0f} ms in {len(names)} stages"
    return charts.finish(
        figure, title, "milliseconds since the start", None, 92 + _BAR_PX * len(names)
    )


def percentiles(times: Summary) -> list[tuple[str, float, str]]:
    """Title, milliseconds and meaning of the median and, of enough parses, p95 and p99."""
    found = [
        ("Half took at most", times.median, "Median, p50: half of the parses took no longer."),
        (
            "19 of 20 took at most",
            times.p95,
            "95th percentile, p95: one parse in twenty took longer.",
        ),
        (
            "99 of 100 took at most",
            times.p99,
            "99th percentile, p99: one in a hundred took longer.",
        ),
    ]
    return [one for one, least in zip(found, _LEAST, strict=True) if times.count >= least]


def history(runs: pd.DataFrame) -> go.Figure:
    """Every parse in the order in which they ran, with percentiles; warm-up stands apart."""
    runs = runs.reset_index(drop=True)
    figure = go.Figure()
    for warm_up, name, color, symbol in (
        (False, "parse", COLORS[0], "circle"),
        (True, "warm-up", COLORS[1], "diamond-open"),
    ):
        rows = runs[runs["warm_up"] == warm_up]
        if rows.empty:
            continue
        figure.add_scatter(
            x=rows["at"],
            y=rows["total_ms"],
            mode="markers",
            name=name,
            marker={"color": color, "symbol": symbol, "size": 8, "opacity": 0.8},
            customdata=rows[["engine", "precision", "megapixels", "faces"]],
            hovertemplate="%{y:.1f} ms, %{customdata[0]} %{customdata[1]}<br>"
            "%{customdata[2]} megapixels, %{customdata[3]} faces<extra></extra>",
        )
    warm = runs.loc[~runs["warm_up"], "total_ms"]
    if len(warm):
        shown = percentiles(summarise(warm.tolist()))
        for (label, value, _), dash in zip(shown, _DASHES, strict=False):
            figure.add_scatter(
                x=[runs["at"].min(), runs["at"].max()],
                y=[value, value],
                mode="lines",
                name=f"{label} {value:.0f} ms",
                line={"color": _GREY, "dash": dash, "width": 1.5},
                hoverinfo="skip",
            )
    figure.update_yaxes(rangemode="tozero")
    figure.update_xaxes(nticks=5, tickangle=0)
    first, last = runs["at"].min(), runs["at"].max()
    if last - first < _SHORTEST_SPAN:  # an axis of milliseconds would have no room for its labels
        middle = first + (last - first) / 2
        figure.update_xaxes(range=[middle - _SHORTEST_SPAN / 2, middle + _SHORTEST_SPAN / 2])
    title = f"{len(runs)} parse{'s' if len(runs) != 1 else ''}: time of each"
    return charts.finish(figure, title, "time, UTC", "milliseconds", 360, legend="below")


def stage_distribution(runs: pd.DataFrame) -> go.Figure:
    """How the stages scatter: median, quartiles, whiskers to 1.5 quartile ranges."""
    warm = runs[~runs["warm_up"]]
    columns = [c for c in warm.columns if c.startswith("stage_") and warm[c].notna().any()]
    figure = go.Figure()
    for column in columns:
        name = column.removeprefix("stage_").removesuffix("_ms").capitalize()
        figure.add_box(
            x=warm[column].dropna(),
            name=name,
            orientation="h",
            marker_color=COLORS[0] if name == "Network" else COLORS[4],
            boxpoints="outliers",
            hovertemplate=f"{name}: %{{x:.2f}} ms<extra></extra>",
        )
    figure.update_yaxes(autorange="reversed")
    height = 100 + 36 * max(len(columns), 2)
    return charts.finish(figure, "Stages: how they scatter", "milliseconds", None, height)


def side_by_side(cells: Sequence[Cell]) -> go.Figure:
    """Milliseconds an image by input and batch, one bar a backend, quartiles as error bars."""
    figure = go.Figure()
    for color, name in zip(COLORS, _names(cells), strict=False):
        own = [cell for cell in cells if cell.backend == name]
        figure.add_bar(
            x=[f"{cell.size} px, {cell.batch} at once" for cell in own],
            y=[cell.times.median / cell.batch for cell in own],
            name=name,
            marker_color=color,
            error_y=_quartiles(own, per_image=True),
            customdata=[[c.times.p95 / c.batch, c.images_per_second, c.threads] for c in own],
            hovertemplate=f"{name}, %{{x}}: %{{y:.1f}} ms an image<br>p95 %{{customdata[0]:.1f}} "
            "ms, %{customdata[1]:.1f} images/s, %{customdata[2]} threads<extra></extra>",
        )
    figure.update_layout(barmode="group")
    title = "Milliseconds an image: median and quartiles"
    return charts.finish(figure, title, None, "milliseconds an image", 400, legend="below")


def growth(cells: Sequence[Cell], over: str) -> go.Figure:
    """Latency against input ``size`` or ``batch``, with a fitted power law, on log axes.

    Args:
        cells: of one batch where ``over`` is ``size``, of one size where it is ``batch``.
        over: ``size`` or ``batch``.
    """
    figure = go.Figure()
    for color, name in zip(COLORS, _names(cells), strict=False):
        own = sorted((c for c in cells if c.backend == name), key=lambda c: int(getattr(c, over)))
        x = [float(getattr(cell, over)) for cell in own]
        y = [cell.times.median for cell in own]
        fit = fit_growth(x, y)
        label = f"{name}: ~ {over}^{fit.exponent:.2f}" if fit else name
        figure.add_scatter(
            x=x,
            y=y,
            mode="markers",
            name=label,
            marker={"color": color, "size": 9},
            error_y=_quartiles(own),
            hovertemplate=f"{name}: %{{y:.1f}} ms at %{{x}}<extra></extra>",
        )
        if fit:
            figure.add_scatter(
                x=x,
                y=[fit.at(value) for value in x],
                mode="lines",
                line={"color": color, "width": 1.5},
                showlegend=False,
                hoverinfo="skip",
            )
    ticks = sorted({getattr(cell, over) for cell in cells})
    figure.update_xaxes(type="log", tickvals=ticks, ticktext=[str(tick) for tick in ticks])
    ends = [ms for cell in cells for ms in (cell.times.low, cell.times.high)]
    figure.update_yaxes(type="log", tickvals=_round_ticks(min(ends), max(ends)), tickformat="~g")
    what, unit = ("input size", "pixels a side") if over == "size" else ("batch", "images at once")
    title = f"Latency against {what}, with the fitted growth"
    return charts.finish(
        figure, title, f"{what}, {unit}", "milliseconds a batch", 380, legend="below"
    )


def network_parts(profile: Profile) -> go.Figure:
    """Milliseconds of each part of the network, with its share of the measured peak."""
    parts = [part for part in profile.parts if part.milliseconds > 0]
    figure = charts.bars(
        [part.milliseconds for part in parts],
        [part.name for part in parts],
        [
            f"{part.milliseconds:.1f} ms" + (f", {part.peak_share:.0%}" if part.gflop else "")
            for part in parts
        ],
        COLORS[0],
        "%{y}: %{x:.2f} ms, %{customdata:.2f} GFLOP",
        customdata=[part.gflop for part in parts],
    )
    figure.update_yaxes(autorange="reversed")
    longest = max((part.milliseconds for part in parts), default=1.0)
    figure.update_xaxes(range=[0, longest * 1.6])
    title = f"One pass, {profile.precision}: {profile.milliseconds:.1f} ms, % of peak"
    return charts.finish(figure, title, "milliseconds", None, 100 + 34 * max(len(parts), 3))


def _quartiles(cells: Sequence[Cell], per_image: bool = False) -> dict[str, object]:
    """Error bars from the lower to the upper quartile, milliseconds a batch or an image."""
    times = [(cell.times, cell.batch if per_image else 1) for cell in cells]
    return {
        "type": "data",
        "symmetric": False,
        "array": [(t.high - t.median) / count for t, count in times],
        "arrayminus": [(t.median - t.low) / count for t, count in times],
        "color": _GREY,
    }


def _round_ticks(low: float, high: float) -> list[float]:
    """1, 2, 5, 10, ... around a range: plain numbers on a logarithmic axis."""
    steps = [factor * 10.0**power for power in range(-2, 6) for factor in (1, 2, 5)]
    return [step for step in steps if low / 2 <= step <= high * 2]


def _names(cells: Sequence[Cell]) -> list[str]:
    return list(dict.fromkeys(cell.backend for cell in cells))
