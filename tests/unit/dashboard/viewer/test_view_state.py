"""The view in a query string and in a browser's message, read strictly."""

from __future__ import annotations

from typing import Any

import pytest

from bisenet.classes import BY_NAME, NUM_CLASSES
from bisenet.dashboard.viewer.state import ViewState, read_message, read_view_state, to_message

MESSAGE: dict[str, Any] = {
    "selected": 10,
    "hidden": [17, 0],
    "opacity": 45,
    "mode": "both",
    "face": None,
    "seq": 7,
}


def test_readable_query() -> None:
    query = {"hide": "hair,cloth", "opacity": "60", "mode": "outline", "select": "nose"}
    view = read_view_state(query)
    assert view == ViewState(selected=10, hidden=(16, 17), opacity=60, mode="outline", face=None)


def test_empty_query_is_the_default_view() -> None:
    assert read_view_state({}) == ViewState()
    assert ViewState().hidden == (0,)


@pytest.mark.parametrize(
    ("query", "hidden"),
    [
        ({"hide": "none"}, ()),
        ({"hide": " hair , tail "}, (17,)),
        ({"hide": "tail"}, (0,)),
        ({"hide": ""}, (0,)),
        ({"show": "none"}, tuple(range(NUM_CLASSES))),
        ({"show": "nose"}, tuple(i for i in range(NUM_CLASSES) if i != BY_NAME["nose"].id)),
        ({"hide": "hair", "show": "none"}, tuple(range(NUM_CLASSES))),
    ],
)
def test_hidden_classes(query: dict[str, str], hidden: tuple[int, ...]) -> None:
    assert read_view_state(query).hidden == hidden


@pytest.mark.parametrize("opacity", ["-1", "101", "1e2", "", "٣", "60.5", "0" * 40])
def test_opacity_out_of_range_is_ignored(opacity: str) -> None:
    assert read_view_state({"opacity": opacity}).opacity == ViewState().opacity


def test_other_nonsense_is_ignored() -> None:
    assert read_view_state({"mode": "glow", "select": "tail", "face": "0"}) == ViewState()
    assert read_view_state({"face": "2"}).face == 2


def test_visible_is_the_rest() -> None:
    assert ViewState(hidden=tuple(range(1, NUM_CLASSES))).visible == (0,)


def test_message_round_trip() -> None:
    view = read_message(MESSAGE)
    assert view == ViewState(selected=10, hidden=(0, 17), opacity=45, mode="both", face=None)
    assert view is not None
    assert read_message(to_message(view, 8)) == view


@pytest.mark.parametrize(
    "change",
    [
        {"selected": 19},
        {"selected": "10"},
        {"selected": True},
        {"hidden": [0, 99]},
        {"hidden": "0"},
        {"opacity": 200},
        {"mode": "glow"},
        {"face": 0},
    ],
)
def test_damaged_messages_are_refused(change: dict[str, Any]) -> None:
    assert read_message({**MESSAGE, **change}) is None


@pytest.mark.parametrize("message", [None, [], "view", {}])
def test_other_things_are_no_message(message: object) -> None:
    assert read_message(message) is None
