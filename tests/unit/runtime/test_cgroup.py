"""What control groups allow, read from trees of files as the kernel lays them out."""

from __future__ import annotations

from pathlib import Path

import pytest

from bisenet.runtime import cgroup


def write(root: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text + "\n", encoding="ascii")
    return root


@pytest.mark.parametrize(
    ("files", "quota"),
    [
        ({}, None),
        ({"sys/fs/cgroup/cpu.max": "max 100000"}, None),
        ({"sys/fs/cgroup/cpu.max": "200000 100000"}, 2.0),
        (
            {
                "proc/self/cgroup": "0::/kubepods/pod1",
                "sys/fs/cgroup/kubepods/pod1/cpu.max": "max 100000",
                "sys/fs/cgroup/kubepods/cpu.max": "150000 100000",
                "sys/fs/cgroup/cpu.max": "400000 100000",
            },
            1.5,
        ),
        (
            # A container that sees its own group as the root while /proc names the host's path.
            {
                "proc/self/cgroup": "0::/../../other",
                "sys/fs/cgroup/cpu.max": "300000 100000",
            },
            3.0,
        ),
        (
            {
                "proc/self/cgroup": "4:memory:/docker/a\n3:cpu,cpuacct:/docker/a",
                "sys/fs/cgroup/cpu/docker/a/cpu.cfs_quota_us": "250000",
                "sys/fs/cgroup/cpu/docker/a/cpu.cfs_period_us": "100000",
                "sys/fs/cgroup/cpu/cpu.cfs_quota_us": "-1",
                "sys/fs/cgroup/cpu/cpu.cfs_period_us": "100000",
            },
            2.5,
        ),
        (
            {
                "sys/fs/cgroup/cpu,cpuacct/cpu.cfs_quota_us": "50000",
                "sys/fs/cgroup/cpu,cpuacct/cpu.cfs_period_us": "100000",
            },
            0.5,
        ),
        ({"sys/fs/cgroup/cpu.max": "what is this"}, None),
    ],
)
def test_the_smallest_quota_on_the_way_up_counts(
    tmp_path: Path, files: dict[str, str], quota: float | None
) -> None:
    assert cgroup.cpu_quota(write(tmp_path, files)) == quota


@pytest.mark.parametrize(
    ("files", "limit"),
    [
        ({"sys/fs/cgroup/memory.max": "12000000"}, 12_000_000),
        (
            {
                "proc/self/cgroup": "0::/kubepods/pod1",
                "sys/fs/cgroup/kubepods/pod1/memory.max": "max",
                "sys/fs/cgroup/kubepods/memory.max": "64000000",
                "sys/fs/cgroup/memory.max": "90000000",
            },
            64_000_000,
        ),
        (
            {
                "proc/self/cgroup": "4:memory:/docker/a",
                "sys/fs/cgroup/memory/docker/a/memory.limit_in_bytes": "32000000",
                "sys/fs/cgroup/memory/memory.limit_in_bytes": "9223372036854771712",
            },
            32_000_000,
        ),
    ],
)
def test_the_smallest_memory_limit_on_the_way_up_counts(
    tmp_path: Path, files: dict[str, str], limit: int
) -> None:
    assert cgroup.memory_limit(write(tmp_path, files)) == limit


def test_without_a_limit_the_machine_is_it(tmp_path: Path) -> None:
    unlimited = cgroup.memory_limit(write(tmp_path, {"sys/fs/cgroup/memory.max": "max"}))
    assert unlimited is not None
    assert unlimited > 2**28
