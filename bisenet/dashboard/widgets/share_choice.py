"""What shares are shares of: what the network looked at, or the whole photo."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import streamlit as st

from bisenet.parser import Parsing

# The choice of all pages, and the switch of the page that is shown: a switch's own value ends with
# its page.
_CHOICE = "whole_photo_shares"
_SWITCH = "whole_photo_shares_switch"


@dataclass(frozen=True)
class Share:
    """A kind of share: its column in ``measure_regions``, and in words.

    ``title`` heads a column; ``of`` follows "share".
    """

    column: Literal["parsed_share", "image_share"]
    title: str
    of: str


OF_LOOKED_AT = Share("parsed_share", "Looked at", "of what was looked at")
OF_PHOTO = Share("image_share", "Image", "of the photo")


def chosen(*parsings: Parsing) -> Share:
    """The choice as it stands; where all was looked at, the two are one, and it is the photo's."""
    if st.session_state.get(_CHOICE) or all(parsing.all_covered for parsing in parsings):
        return OF_PHOTO
    return OF_LOOKED_AT


def choose(parsing: Parsing) -> Share:
    """The choice; draws a switch where a part of the photo was not looked at."""
    if not parsing.all_covered:
        st.session_state[_SWITCH] = st.session_state.get(_CHOICE, False)
        looked_at = parsing.parsed_px / parsing.mask.size
        st.toggle(
            "Shares of the whole photo",
            key=_SWITCH,
            on_change=_remember,
            help=f"{100 * looked_at:.0f} % of this photo was looked at: the rest is too far from "
            "the faces. Shares are of what was looked at unless this is on.",
        )
    return chosen(parsing)


def _remember() -> None:
    st.session_state[_CHOICE] = st.session_state[_SWITCH]
