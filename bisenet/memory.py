"""The memory that this process holds; 0 where the system, not being Linux, does not tell."""

from __future__ import annotations

from pathlib import Path


def resident_bytes() -> int:
    """What it holds now."""
    return _status("VmRSS")


def peak_bytes() -> int:
    """The most that it has held.

    Not getrusage's: that one starts at what the parent held before this process began.
    """
    return _status("VmHWM")


def _status(key: str) -> int:
    try:
        status = Path("/proc/self/status").read_text(encoding="ascii", errors="replace")
        sizes = dict(line.split(":", 1) for line in status.splitlines())
        return int(sizes[key].split()[0]) * 2**10
    except (OSError, KeyError, ValueError):  # not Linux
        return 0
