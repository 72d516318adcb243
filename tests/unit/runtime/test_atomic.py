from __future__ import annotations

import errno
from pathlib import Path
from typing import BinaryIO

import pytest

from bisenet.runtime.atomic import write_atomically, write_text


@pytest.mark.parametrize("error", [OSError(errno.ENOSPC, "disk full"), KeyboardInterrupt()])
@pytest.mark.parametrize("before", ["old", None])
def test_a_broken_write_leaves_what_was_there(
    tmp_path: Path, error: BaseException, before: str | None
) -> None:
    path = tmp_path / "file"
    if before is not None:
        write_text(path, before)

    def half(file: BinaryIO) -> None:
        file.write(b"half")
        raise error

    with pytest.raises(type(error)):
        write_atomically(path, half)
    assert [p.read_text() for p in tmp_path.iterdir()] == ([before] if before else [])
