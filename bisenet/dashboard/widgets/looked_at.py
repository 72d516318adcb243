"""In words: which part of a photo was looked at, and what goes on beyond it."""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st

from bisenet.classes import CLASSES
from bisenet.dashboard.widgets import share_choice
from bisenet.parser import Parsing

CUT_OFF_HINT = "Goes on beyond what was looked at: area and shares are too small."


def caption(parsing: Parsing) -> None:
    """What was not looked at, and which regions are cut off there; nothing where all was."""
    if parsing.all_covered:
        return
    share = 100 * (1 - parsing.parsed_px / parsing.mask.size)
    amount = f"{share:.0f} %" if share >= 1 else "less than 1 %"
    left_out = share_choice.chosen(parsing) == share_choice.OF_LOOKED_AT
    st.caption(
        f"Hatched: not looked at, too far from the faces ({amount} of the photo). It counts as no "
        f"region{', and shares leave it out' if left_out else ''}."
    )
    if parsing.cut_off:
        cut_off_caption(parsing.cut_off)


def cut_off_caption(class_ids: Sequence[int]) -> None:
    """Which regions go on beyond what was looked at."""
    st.caption(f":material/content_cut: {cut_off_sentence(class_ids)}")


def cut_off_sentence(class_ids: Sequence[int]) -> str:
    """Regions, at least one, that go on beyond what was looked at, as a sentence."""
    names = [CLASSES[class_id].title.lower() for class_id in class_ids]
    words = " and ".join([", ".join(names[:-1]), names[-1]] if len(names) > 1 else names)
    # Clothes are the one region whose name is a plural.
    several = len(names) > 1 or names[0] == "clothes"
    verb, whose = ("are", "their") if several else ("is", "its")
    return (
        f"{words.capitalize()} {verb} cut off at the edge of the view: {whose} area and shares "
        "are too small."
    )
