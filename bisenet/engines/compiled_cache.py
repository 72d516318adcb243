"""Compiled networks on the disk, checked by hash before OpenVINO loads them.

OpenVINO reads a compiled network from its cache folder unchecked: one flipped bit gives wrong
labels, or a dead process. So each file has its SHA-256 beside it; without a matching one it is
deleted and compiled afresh.
"""

from __future__ import annotations

import contextlib
from pathlib import Path

from bisenet.network.weights import WeightsError, file_hash
from bisenet.runtime.atomic import write_text

_FILES = "*.blob"
_SUFFIX = ".sha256"


def drop_damaged(folder: Path) -> bool:
    """Delete compiled networks that are not as they were written.

    Returns:
        Whether the folder can be used: False where one of them cannot be deleted.
    """
    try:
        for file in folder.glob(_FILES):
            if not _as_written(file):
                file.unlink(missing_ok=True)
                _note(file).unlink(missing_ok=True)
    except OSError:
        return False
    return True


def note_new(folder: Path) -> None:
    """Write the hash of each compiled network that has none yet beside it."""
    for file in folder.glob(_FILES):
        note = _note(file)
        if not note.exists():
            # Where it cannot be written, the network is compiled afresh at the next start.
            with contextlib.suppress(OSError, WeightsError):
                write_text(note, file_hash(file))


def _as_written(file: Path) -> bool:
    try:
        return _note(file).read_text(encoding="ascii") == file_hash(file)
    except (OSError, UnicodeDecodeError, WeightsError):
        return False


def _note(file: Path) -> Path:
    return file.with_name(file.name + _SUFFIX)
