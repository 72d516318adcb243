"""The memory that this process holds, and how it is given back.

Where the system is not Linux with glibc, sizes are 0 and nothing is given back.
"""

from __future__ import annotations

import ctypes
import gc
from pathlib import Path

# glibc's number for the size from which memory is taken from the system and given back to it.
_M_MMAP_THRESHOLD = -3
# Left to itself it grows to 32 MB, and a photo's arrays stay with the process when they are freed.
# From 8 MB on, arrays of photos of 2.7 megapixels and more are given back at once; a lower limit
# would slow smaller photos (2 megapixels by 8 % at 1 MB).
_MMAP_BYTES = 8 << 20


def resident_bytes() -> int:
    """What it holds now."""
    return _status("VmRSS")


def peak_bytes() -> int:
    """The most that it has held.

    Not getrusage's: that one starts at what the parent held before this process began.
    """
    return _status("VmHWM")


def return_large_arrays() -> None:
    """From here on, memory of large arrays goes back to the system when they are freed."""
    tune = getattr(ctypes.CDLL(None), "mallopt", None)  # glibc's own
    if tune is not None:
        tune(_M_MMAP_THRESHOLD, _MMAP_BYTES)


def give_back() -> None:
    """Return what Python and the C library keep for later to the system; takes a while."""
    gc.collect()
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)  # glibc's own
    if trim is not None:
        trim(0)


def _status(key: str) -> int:
    try:
        status = Path("/proc/self/status").read_text(encoding="ascii", errors="replace")
        sizes = dict(line.split(":", 1) for line in status.splitlines())
        return int(sizes[key].split()[0]) * 2**10
    except (OSError, KeyError, ValueError):  # not Linux
        return 0
