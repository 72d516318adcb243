from __future__ import annotations

import os
from pathlib import Path

import pytest

from bisenet.runtime import threads
from tests.unit.runtime.test_cgroup import write


@pytest.mark.parametrize(
    ("quota", "cpus"), [("50000", 1), ("150000", 1), ("200000", 2), ("9900000", 4)]
)
def test_whole_cpus_within_quota_and_affinity(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, quota: str, cpus: int
) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(4)), raising=False)
    root = write(tmp_path, {"sys/fs/cgroup/cpu.max": f"{quota} 100000"})
    assert threads.usable_cpus(root) == cpus


def test_the_environment_has_the_last_word(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BISENET_THREADS", "7")
    assert threads.thread_count() == 7
    monkeypatch.delenv("BISENET_THREADS")
    assert threads.thread_count() == threads.usable_cpus() >= 1


@pytest.mark.parametrize("text", ["0", "-1", "two", "1.5"])
def test_a_wrong_number_of_threads_is_named(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    monkeypatch.setenv("BISENET_THREADS", text)
    with pytest.raises(ValueError, match="BISENET_THREADS must be a whole number"):
        threads.thread_count()
