"""The view in a query string and in a browser's message, read strictly."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl

import pytest

from bisenet.classes import BY_NAME, CLASSES, NUM_CLASSES
from bisenet.dashboard.viewer.state import ViewState, read_message, read_view_state, to_message

TABLE = json.loads((Path(__file__).parent / "queries.json").read_text(encoding="utf-8"))
MESSAGE: dict[str, Any] = {
    "selected": 10,
    "hidden": [17, 0],
    "opacity": 45,
    "mode": "both",
    "face": None,
    "seq": 7,
}


def view_of(
    hidden: Sequence[str] | None = None,
    shown: Sequence[str] | None = None,
    selected: str | None = None,
    **rest: Any,
) -> ViewState:
    """A view of the table, in which classes have names: ``shown`` is the rest of ``hidden``."""
    view = replace(ViewState(), **rest)
    if hidden is not None:
        view = replace(view, hidden=tuple(BY_NAME[name].id for name in hidden))
    if shown is not None:
        view = replace(view, hidden=tuple(c.id for c in CLASSES if c.name not in shown))
    return replace(view, selected=BY_NAME[selected].id) if selected else view


@pytest.mark.parametrize("row", [*TABLE["read"], *TABLE["write"]], ids=lambda row: row["query"])
def test_a_query_is_read_as_the_browser_reads_it(row: dict[str, Any]) -> None:
    """The browser's reading is held to the same table by logic.test.mjs."""
    query = dict(parse_qsl(row["query"], keep_blank_values=True))
    assert read_view_state(query) == view_of(**row["view"])


def test_the_table_names_the_classes() -> None:
    assert TABLE["classes"] == [c.name for c in CLASSES]


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
