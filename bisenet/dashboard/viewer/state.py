"""What a person looks at in the viewer: hidden classes, opacity, mode, selection; no Streamlit."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from math import isfinite
from typing import Any, Literal, TypeGuard, cast

from bisenet.classes import BACKGROUND, BY_NAME, CLASSES, NUM_CLASSES
from bisenet.geometry.boxes import Box

Mode = Literal["fill", "outline", "both"]

MODES: tuple[Mode, ...] = ("fill", "outline", "both")
PARAMS = ("hide", "show", "opacity", "mode", "select", "face")
MAX_FACE = 9999


@dataclass(frozen=True)
class ViewState:
    """The view as the server last heard of it.

    ``selected`` and ``face`` arrive with the click. ``hidden`` (class ids, ascending), ``opacity``
    (percent) and ``mode`` change in the browser without a message; they come with the next rerun,
    from the selection's message or from the URL.
    """

    selected: int | None = None
    hidden: tuple[int, ...] = (BACKGROUND,)
    opacity: int = 60
    mode: Mode = "fill"
    face: int | None = None

    @property
    def visible(self) -> tuple[int, ...]:
        """Class ids that are switched on, ascending."""
        return tuple(c.id for c in CLASSES if c.id not in self.hidden)


def read_view_state(query_params: Mapping[str, str]) -> ViewState:
    """The view that a query asks for: ``?hide=hair,cloth&opacity=60&mode=outline&select=nose``.

    ``show=nose`` names the visible classes instead of the hidden ones; ``hide=none`` and
    ``show=none`` are everything and nothing. Whatever is unknown or out of range is ignored, and
    what is not named keeps its default. ``parseQuery`` in ``js/store.js`` is the same in the
    browser; tests/unit/dashboard/viewer/queries.json holds the cases for both.
    """
    default = ViewState()
    hidden = default.hidden
    for key in ("hide", "show"):
        names = [name.strip() for name in query_params.get(key, "").split(",")]
        known = {BY_NAME[name].id for name in names if name in BY_NAME}
        if known or "none" in names:
            hidden = tuple(i for i in range(NUM_CLASSES) if (i in known) == (key == "hide"))
    opacity = _whole_number(query_params.get("opacity", ""), 0, 100)
    mode = query_params.get("mode")
    select = BY_NAME.get(query_params.get("select", ""))
    return ViewState(
        selected=select.id if select else None,
        hidden=hidden,
        opacity=default.opacity if opacity is None else opacity,
        mode=mode if mode in MODES else default.mode,
        face=_whole_number(query_params.get("face", ""), 1, MAX_FACE),
    )


def read_message(message: object) -> ViewState | None:
    """The view in a message from the browser, or None where any part of it is out of range."""
    if not isinstance(message, Mapping):
        return None
    selected, hidden = message.get("selected"), message.get("hidden")
    opacity, mode, face = message.get("opacity"), message.get("mode"), message.get("face")
    fine = (
        (selected is None or is_whole(selected, 0, NUM_CLASSES - 1))
        and isinstance(hidden, list)
        and all(is_whole(i, 0, NUM_CLASSES - 1) for i in hidden)
        and is_whole(opacity, 0, 100)
        and mode in MODES
        and (face is None or is_whole(face, 1, MAX_FACE))
    )
    if not fine:
        return None
    view = cast("dict[str, Any]", message)
    return ViewState(
        selected, tuple(sorted(set(view["hidden"]))), view["opacity"], view["mode"], view["face"]
    )


def read_box(message: object, width: int, height: int) -> Box | None:
    """The rectangle in a message, clipped to the picture; None where it holds nothing of it."""
    box = message.get("box") if isinstance(message, Mapping) else None
    if not (isinstance(box, list) and len(box) == 4 and all(_is_number(v) for v in box)):
        return None
    x0, x1 = (min(max(float(v), 0.0), float(width)) for v in box[::2])
    y0, y1 = (min(max(float(v), 0.0), float(height)) for v in box[1::2])
    return (x0, y0, x1, y1) if x1 - x0 >= 1 and y1 - y0 >= 1 else None


def read_face(message: object) -> int | None:
    """The face's number in a message."""
    face = message.get("face") if isinstance(message, Mapping) else None
    return face if is_whole(face, 1, MAX_FACE) else None


def to_message(view: ViewState, sequence: int) -> dict[str, Any]:
    """The same shape that the browser sends; ``sequence`` grows with every change of the view."""
    return {**asdict(view), "hidden": list(view.hidden), "seq": sequence}


def is_whole(value: object, low: int, high: int) -> TypeGuard[int]:
    """Whether a value is a whole number in this range, ends included."""
    return isinstance(value, int) and not isinstance(value, bool) and low <= value <= high


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and isfinite(value)


def _whole_number(text: str, low: int, high: int) -> int | None:
    if not (text.isascii() and text.isdigit() and len(text) <= 4):
        return None
    return int(text) if low <= int(text) <= high else None
