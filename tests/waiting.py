"""For what gives no event: another process, a browser, a thread that is not the test's own."""

from __future__ import annotations

import time
from collections.abc import Callable

# Reached only by a test that fails: nothing takes that long on the busiest machine.
PATIENCE_SECONDS = 180.0


def until(condition: Callable[[], object], what: str = "") -> None:
    """Ask again and again until it is so; fail, saying what was awaited, after three minutes."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not condition():
        assert time.monotonic() < deadline, f"never so: {what or condition}"
        time.sleep(0.01)
