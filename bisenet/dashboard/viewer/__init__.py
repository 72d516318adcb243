"""The viewer: a photo under its regions, drawn in the browser.

The browser gets the photo and the label map once. Switching classes, opacity, zoom and pointing
happen there without a message; only a selection comes back.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, replace
from functools import partial
from typing import Any, TypeVar

import streamlit as st

from bisenet.classes import CLASSES, GROUPS, NUM_CLASSES
from bisenet.dashboard.picture import Picture
from bisenet.dashboard.viewer.assets import javascript, media_url, stylesheet
from bisenet.dashboard.viewer.state import (
    MAX_FACE,
    PARAMS,
    ViewState,
    is_whole,
    read_box,
    read_face,
    read_message,
    read_view_state,
    to_message,
)
from bisenet.dashboard.viewer.tools import Tools
from bisenet.geometry.boxes import Box
from bisenet.images.decode import upright_size

__all__ = ["Tools", "ViewState", "current_view", "select_face", "select_region", "viewer"]

T = TypeVar("T")

_MEMORY = "_bisenet_view"
_PACKED = "application/octet-stream"
_component = st.components.v2.component("bisenet.viewer", css=stylesheet(), js=javascript())


def viewer(
    picture: Picture,
    compare: Picture | None = None,
    key: str = "viewer",
    controls: bool = True,
    on_box: Callable[[Box], None] | None = None,
    on_dismiss: Callable[[int], None] | None = None,
    tools: Tools | None = None,
    of_photo: bool = False,
) -> ViewState:
    """Shows a photo with its regions; returns the view as the server knows it.

    All viewers of a session share one view: what is hidden or selected on one page is so on the
    next, after a reload, and for whoever opens the URL.

    Args:
        picture: the photo and its regions.
        compare: a second one, shown beside the first with linked switches and zoom.
        key: the widget's key.
        controls: False leaves the panel of switches out.
        on_box: offers to box a face by hand; called with the rectangle (x0, y0, x1, y1 in the
            shown photo's pixels) before the rerun that it causes.
        on_dismiss: offers to dismiss each face; called with its ``id``, likewise.
        tools: what the page adds to the toolbar; its callbacks are called likewise.
        of_photo: shares are of the whole photo, in place of what was looked at.

    Raises:
        ImageError: a photo's bytes are not a picture.
    """
    shown = [picture, compare] if compare else [picture]
    pictures = [_sent(one, f"{key}-{number}") for number, one in enumerate(shown)]
    width, height = pictures[0]["width"], pictures[0]["height"]
    view = current_view()
    memory = st.session_state[_MEMORY]
    tools = tools or Tools()
    result = _component(
        key=key,
        data={
            "classes": [{**asdict(c), "ink": c.ink} for c in CLASSES],
            "groups": GROUPS,
            "defaults": to_message(ViewState(), 0),
            "pictures": pictures,
            "push": memory["push"],
            "controls": controls,
            "ofPhoto": of_photo,
            "marking": on_box is not None,
            "dismissing": on_dismiss is not None,
            # As pairs: an object would put keys that look like numbers first.
            "choices": list(tools.choices.items()),
            "chosen": tools.chosen,
            "downloads": tools.on_download is not None,
        },
        default={"view": to_message(view, memory["seq"])},
        # Streamlit returns a component's state only for names that have a callback.
        on_view_change=lambda: None,
        on_box_change=partial(
            _called, key, "box", partial(read_box, width=width, height=height), on_box
        ),
        on_dismiss_change=partial(_called, key, "dismiss", read_face, on_dismiss),
        on_compare_change=partial(_called, key, "compare", tools.read_choice, tools.on_compare),
        on_download_change=partial(_called, key, "download", bool, _plain(tools.on_download)),
    )
    _remember(result.get("view"))
    return current_view()


def current_view() -> ViewState:
    """The view as the server knows it, also before or without ``viewer`` on this page."""
    query = {name: st.query_params[name] for name in PARAMS if name in st.query_params}
    if _MEMORY not in st.session_state:
        st.session_state[_MEMORY] = {
            "view": read_view_state(query),
            "query": query,
            "seq": 0,
            "push": None,
        }
    memory = st.session_state[_MEMORY]
    # A page change empties the query, and Streamlit may go on sending an old one, so only a query
    # that says something and is new is news; the selection comes by message, never late.
    if query and query != memory["query"]:
        asked = read_view_state(query)
        memory["view"] = replace(
            memory["view"], hidden=asked.hidden, opacity=asked.opacity, mode=asked.mode
        )
        memory["query"] = query
    return memory["view"]


def select_region(class_id: object) -> None:
    """Selects a region from Python, e.g. from a list, in every viewer; call before ``viewer``.

    ``class_id`` is 0..18 or None. Anything else is passed over: a list gives its callback the label
    of an option that is gone.
    """
    if class_id is None or is_whole(class_id, 0, NUM_CLASSES - 1):
        _push(replace(current_view(), selected=class_id), {"selected": class_id})


def select_face(face_id: object) -> None:
    """Goes to a face from Python, or back for None, in every viewer; call before ``viewer``.

    Anything but a face's number is passed over, as ``select_region`` does.
    """
    if face_id is None or is_whole(face_id, 1, MAX_FACE):
        _push(replace(current_view(), face=face_id), {"face": face_id})


def _push(view: ViewState, change: dict[str, int | None]) -> None:
    memory = st.session_state[_MEMORY]
    last = memory["push"]
    # The browser has said nothing since: it may not have heard of the last change either.
    waiting = last["change"] if last and last["seq"] == memory["seq"] else {}
    memory["seq"] += 1
    memory["view"] = view
    memory["push"] = {"seq": memory["seq"], "change": {**waiting, **change}}


def _sent(picture: Picture, place: str) -> dict[str, Any]:
    """A picture as the browser gets it: its files by address."""
    width, height = upright_size(picture.photo)
    confidence = picture.confidence
    return {
        "photo": media_url(picture.photo, "image/jpeg", f"{place}-photo"),
        "labels": media_url(picture.labels, _PACKED, f"{place}-labels"),
        "confidence": confidence and media_url(confidence, _PACKED, f"{place}-confidence"),
        "width": width,
        "height": height,
        "title": picture.title,
        "faces": [
            {"id": face_id, "box": [round(float(v), 1) for v in box]}
            for face_id, box in picture.faces.items()
        ],
    }


def _remember(message: object) -> None:
    """Takes a message's view unless a later one, from another viewer, is already known."""
    view = read_message(message)
    memory = st.session_state[_MEMORY]
    if view is None or not isinstance(message, Mapping):
        return
    sequence = message.get("seq")
    if isinstance(sequence, int) and sequence > memory["seq"]:
        memory["view"] = view
        memory["seq"] = sequence


def _plain(callback: Callable[[], None] | None) -> Callable[[bool], None] | None:
    return (lambda _: callback()) if callback else None


def _called(
    key: str, name: str, read: Callable[[object], T | None], callback: Callable[[T], None] | None
) -> None:
    """Hands on what a message of this name holds, with the view that rides along."""
    message = st.session_state[key].get(name)
    value = read(message)
    if value is not None and callback is not None:
        _remember(message.get("view"))
        callback(value)
