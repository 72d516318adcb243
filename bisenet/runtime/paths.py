"""The checkout's own folders, and the two outside it that are written to.

Those two, compiled networks and timings, never hold a photo or anything made from one.
"""

from __future__ import annotations

import os
from pathlib import Path

from bisenet.runtime.settings import Settings

# The checkout, or the folder that the container's image holds it in.
ROOT = Path(__file__).resolve().parents[2]
WEIGHTS = ROOT / "weights"


def cache_dir() -> Path | None:
    """Where compiled networks are kept: ``BISENET_CACHE_DIR``, else the user's cache folder.

    Returns:
        A folder that exists and can be written to, or None: on a read-only disk nothing is kept
        and every start compiles afresh. An empty ``BISENET_CACHE_DIR`` turns the cache off.
    """
    chosen = Settings().cache_dir
    if chosen is not None:
        return _usable(Path(chosen)) if chosen else None
    base = os.environ.get("XDG_CACHE_HOME") or os.environ.get("LOCALAPPDATA")
    try:
        return _usable((Path(base) if base else Path.home() / ".cache") / "bisenet")
    except RuntimeError:  # a user without a home folder
        return None


def state_dir() -> Path | None:
    """Where timings outlive a restart: ``BISENET_STATE_DIR``, or None where it is not set."""
    chosen = Settings().state_dir
    return _usable(Path(chosen)) if chosen else None


def _usable(folder: Path) -> Path | None:
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    except OSError:
        return None
    return folder if os.access(folder, os.W_OK | os.X_OK) else None
