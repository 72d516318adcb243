"""From the tidy table to a row a face, and to the faces that stand out."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from bisenet.classes import BACKGROUND, CLASSES

# B. Iglewicz, D. Hoaglin: How to Detect and Handle Outliers (1993): 3.5 robust deviations.
OUTLYING = 3.5
# Fewer faces than this have no usual range.
MIN_FACES = 8
# What most faces do not have, such as glasses, has none either: all that wear them would be odd.
MIN_SHARE = 0.5
# The median absolute deviation of a normal distribution, in standard deviations.
_MAD_OF_NORMAL = 0.6745
FACE = ["photo", "face"]


@dataclass(frozen=True)
class Measure:
    """One way to measure a region: a tidy table's column, as people read it.

    ``factor`` turns the column's unit into ``unit``; ``decimals`` are shown. ``wide`` says that
    regions differ a hundredfold in it, as areas do.
    """

    column: str
    title: str
    unit: str
    factor: float = 1.0
    decimals: int = 0
    wide: bool = False


MEASURES: tuple[Measure, ...] = (
    Measure("head_share", "Share of the head", "%", 100, 2, wide=True),
    Measure("area_px", "Area", "px", wide=True),
    Measure("confidence", "Confidence", "%", 100, 1),
    Measure("width_px", "Width", "px"),
    Measure("height_px", "Height", "px"),
    Measure("perimeter_px", "Perimeter", "px"),
    Measure("parts", "Pieces", "in number"),
    Measure("parsed_share", "Share of what was looked at", "%", 100, 2, wide=True),
    Measure("image_share", "Share of the photo", "%", 100, 2, wide=True),
)


def by_face(table: pd.DataFrame, measure: Measure) -> pd.DataFrame:
    """One measure of every region: a row a face, a column a class id, in ``measure.unit``.

    Args:
        table: columns ``batch.items.TIDY``.

    Returns:
        Indexed by ``photo`` and ``face`` in the table's order; classes that no face has, and
        background, are left out. NaN where a face has no such region.
    """
    if table.empty:
        return pd.DataFrame(index=pd.MultiIndex.from_arrays([[], []], names=FACE))
    values = measure.factor * _column(table, measure).astype(float)
    long = table[[*FACE, "class_id"]].assign(value=values)
    wide = long.pivot(index=FACE, columns="class_id", values="value")
    order = pd.MultiIndex.from_frame(table[FACE].drop_duplicates())
    wide = wide.reindex(order)
    wide.columns = pd.Index([int(i) for i in wide.columns])
    return wide.drop(columns=BACKGROUND, errors="ignore").dropna(axis="columns", how="all")


def robust_z(wide: pd.DataFrame) -> pd.DataFrame:
    """How far each value lies from its column's median, in robust standard deviations.

    0.6745 times the distance over the median absolute deviation. NaN where a column has fewer
    than ``MIN_FACES`` values or values for fewer than ``MIN_SHARE`` of the faces, or where more
    than half of them are equal: it has no spread then.
    """
    distance = wide - wide.median()
    spread = distance.abs().median()
    usable = (wide.count() >= max(MIN_FACES, MIN_SHARE * len(wide))) & (spread > 0)
    return (_MAD_OF_NORMAL * distance / spread.where(usable)).astype(float)


def outliers(wide: pd.DataFrame) -> pd.DataFrame:
    """How much each face stands out, and through what.

    Returns:
        Indexed as ``wide``: ``score``, the largest ``|z|`` over its regions (0 where there is
        none), ``outlying``, whether that is above ``OUTLYING``, and ``why``: the regions that are,
        most outlying first, such as ``Hair +4.2``.
    """
    z = robust_z(wide)
    size = z.abs()
    score = size.max(axis=1).fillna(0.0) if len(z.columns) else pd.Series(0.0, index=wide.index)
    why = [
        ", ".join(f"{CLASSES[int(z.columns[i])].title} {values[i]:+.1f}" for i in odd)
        for values, odd in zip(z.to_numpy(), _odd_columns(z), strict=True)
    ]
    return pd.DataFrame(
        {"score": score, "outlying": score > OUTLYING, "why": why}, index=wide.index
    )


def reasons(wide: pd.DataFrame, measure: Measure) -> list[str]:
    """Why each face stands out, in words: its value beside the usual one, the oddest first.

    Args:
        wide: as ``by_face`` gives it.
        measure: what it holds.

    Returns:
        A sentence part a face, such as ``Hair 52.1 %, usually 30.4 %``; several are joined by
        semicolons, and a face that does not stand out has an empty one.
    """
    usual, places = wide.median().to_numpy(), measure.decimals
    return [
        "; ".join(
            f"{CLASSES[int(wide.columns[i])].title} {values[i]:,.{places}f} {measure.unit}, "
            f"usually {usual[i]:,.{places}f} {measure.unit}"
            for i in odd
        )
        for values, odd in zip(wide.to_numpy(), _odd_columns(robust_z(wide)), strict=True)
    ]


def _odd_columns(z: pd.DataFrame) -> list[list[int]]:
    """The positions of each row's outlying columns, most outlying first."""
    size = np.nan_to_num(np.abs(z.to_numpy()))
    order = np.argsort(-size, axis=1, kind="stable")
    return [row[values[row] > OUTLYING].tolist() for row, values in zip(order, size, strict=True)]


def _column(table: pd.DataFrame, measure: Measure) -> pd.Series:
    if measure.column == "width_px":
        return table["right_px"] - table["left_px"]
    if measure.column == "height_px":
        return table["bottom_px"] - table["top_px"]
    return table[measure.column]
