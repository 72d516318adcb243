"""Settings that are numbers or switches, read from environment variables."""

from __future__ import annotations

import os
from collections.abc import Mapping

OTHER_ENGINES = "BISENET_OTHER_ENGINES"


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
    """Whether a variable says 1, true or yes; ``default`` where it is empty or not set."""
    text = (os.environ if environ is None else environ).get(name, "")
    return text.lower() in ("1", "true", "yes") if text else default


def other_engines() -> bool:
    """Whether engines besides the one in use may be opened on demand, and measurements made.

    Each takes hundreds of MB and seconds of all cores, so a server says no unless it is told to.
    ``streamlit run``, on a developer's machine, says yes.
    """
    return flag(OTHER_ENGINES, default=True)
