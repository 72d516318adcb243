"""Settings that are numbers or switches, read from environment variables."""

from __future__ import annotations

import os
from collections.abc import Mapping

OTHER_ENGINES = "BISENET_OTHER_ENGINES"
_YES, _NO = ("1", "true", "yes", "on"), ("0", "false", "no", "off")


def whole_number(name: str) -> int | None:
    """A variable's whole number of at least 1; None where it is empty or not set.

    Raises:
        ValueError: it is something else; the sentence names it.
    """
    text = os.environ.get(name)
    if not text:
        return None
    if not text.isdecimal() or int(text) < 1:
        raise ValueError(f"{name} must be a whole number of at least 1, not {text!r}.")
    return int(text)


def flag(name: str, environ: Mapping[str, str] | None = None, default: bool = False) -> bool:
    """Whether a variable says yes; ``default`` where it is empty or not set.

    Raises:
        ValueError: it says something else than yes or no; the sentence names it.
    """
    text = (os.environ if environ is None else environ).get(name, "").strip().lower()
    if not text:
        return default
    if text not in _YES + _NO:
        raise ValueError(f"{name} must be true or false, not {text!r}.")
    return text in _YES


def other_engines() -> bool:
    """Whether engines besides the one in use may be opened on demand, and measurements made.

    Each takes hundreds of MB and seconds of all cores, so a server says no unless it is told to.
    ``streamlit run``, on a developer's machine, says yes.
    """
    return flag(OTHER_ENGINES, default=True)
