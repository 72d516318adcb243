from __future__ import annotations

from pathlib import Path

import pytest

from bisenet.cli.common import check_resume, spread


def test_a_limit_takes_items_from_the_first_to_the_last() -> None:
    assert spread(range(150), 100)[-1] == 148
    assert list(spread(range(10), 3)) == [0, 3, 6]
    for limit in (None, 10, 11):
        assert list(spread(range(10), limit)) == list(range(10))
    with pytest.raises(ValueError, match="--limit must be 1 or more"):
        spread([1], 0)


def test_a_run_neither_overwrites_another_unasked_nor_resumes_from_nothing(tmp_path: Path) -> None:
    checkpoint = tmp_path / "checkpoint.pt"
    check_resume(checkpoint, resume=False)
    with pytest.raises(ValueError, match="nothing to resume"):
        check_resume(checkpoint, resume=True)
    checkpoint.touch()
    check_resume(checkpoint, resume=True)
    check_resume(checkpoint, resume=False, overwrites=False)
    with pytest.raises(ValueError, match="add --resume to go on"):
        check_resume(checkpoint, resume=False)
