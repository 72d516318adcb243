"""Settings that are numbers, read from environment variables."""

from __future__ import annotations

import os


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
